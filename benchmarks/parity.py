"""What an exported file of any task gives for fixed inputs, and how far two hosts or devices differ in it."""

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gan_runtime.encoder import Encoder
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.fingerprint import source_images
from gan_runtime.latents import draw_latents
from gan_runtime.parts import Mapping, Synthesis

Outputs: TypeAlias = NDArray[Any]
GREY_LEVELS = 1  # that images may differ by
SHARE = 1e-3  # of the largest value, that latents, features and styles may differ by


def inputs_of(opened: Any, n: int) -> NDArray[Any]:
    """n fixed inputs of an open model, of whatever task: latents, styles, or images."""
    if isinstance(opened, Synthesis):
        space = opened.manifest.styles
        return draw_latents(0, 0, n, space.layers * space.dim).reshape(n, space.layers, space.dim)
    if isinstance(opened, Mapping):
        latents = opened.manifest.latents
        return draw_latents(0, 0, n, latents.dim, latents.distribution)
    if isinstance(opened, Encoder | FeatureNetwork):
        return source_images(opened.size, n)
    if hasattr(opened.manifest, "source"):
        return source_images(opened.manifest.source, n)
    latents = opened.signature.latents
    return draw_latents(0, 0, n, latents.dim, latents.distribution)


def outputs_of(opened: Any, inputs: NDArray[Any]) -> Outputs:
    """What an open model gives for its inputs."""
    if isinstance(opened, FeatureNetwork):
        return opened.measure(iter([inputs])).features
    found: Outputs = opened(inputs)
    return found


def difference(here: Outputs, there: Outputs) -> float:
    """The largest difference: of images in grey levels, of floats as a share of the largest value."""
    if here.shape != there.shape:
        return math.inf
    largest = float(np.abs(here.astype(np.float64) - there).max())
    return largest if here.dtype == np.uint8 else largest / max(float(np.abs(here).max()), 1e-30)


def agrees(found: float, outputs: Outputs) -> bool:
    """Whether such a difference is rounding."""
    return found <= (GREY_LEVELS if outputs.dtype == np.uint8 else SHARE)


def in_words(found: float, outputs: Outputs) -> str:
    """A difference for a table."""
    if found == 0:
        return "nothing"
    if outputs.dtype == np.uint8:
        return f"{found:g} grey level{'s' * (found != 1)}"
    return f"{found:.1e} of the largest value"
