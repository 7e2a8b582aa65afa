"""Projection: the styles or latents that draw given pictures, found by optimisation."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_runtime.devices.processors import available_cpus
from gan_runtime.errors import GanEdgeError, InputError
from gan_runtime.evaluation.metrics.pixels import psnr
from gan_trainer.data.pixels import denormalise, normalise, to_pixels
from gan_trainer.projection.descent import Search, descend, drawn
from gan_trainer.projection.distance import distance_to, new_features
from gan_trainer.projection.generators import Projected, check_space, number_of, search_of
from gan_trainer.recipes.checks import RUN_BOUNDS, check_value
from gan_trainer.training.config import choose_device
from gan_trainer.training.determinism import number_of_threads

STEPS = 500
SHOWN = (0, 1 / 16, 1 / 8, 1 / 4, 1 / 2)  # parts of the search after which the trail has an image


@dataclass(frozen=True)
class Projection:
    """What draws pictures.

    Attributes:
        latents: styles float32 [n, layers, d], or latents float32 [n, d].
        space: "w" for styles, "z" for latents: that of files with latents.
        label: the class that they draw with latents, if any.
        images: what they draw, uint8 [n, h, w, c].
        psnr: of the images beside the pictures, in dB, float64 [n]; 100 where they are equal.
        trail: the pictures, images on the way, and the last ones, uint8 [n, at least 3, h, w, c].
    """

    latents: NDArray[np.float32]
    space: str
    label: int | None
    images: NDArray[np.uint8]
    psnr: NDArray[np.float64]
    trail: NDArray[np.uint8]


def project_images(
    generator: Projected,
    pictures: NDArray[np.uint8],
    space: str | None = None,
    label: str | None = None,
    steps: int = STEPS,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    advance: Callable[[int], None] = lambda count: None,
) -> Projection:
    """Project pictures one by one; the result for one does not depend on the others.

    Args:
        generator: its network is moved to `device`.
        pictures: uint8 [n, h, w, c], of the generator's size.
        space: of a generator with styles, "w" (one style for all layers; if None) or "w+" (one for each).
        label: name or number of the class to draw, for a generator with classes and without styles.
        steps: of each search.
        seed: of the noise in the search.
        device: "auto", "cpu" or "cuda".
        threads: CPU threads; all that this process may use if None.
        advance: called with 1 after each step.

    Raises:
        InputError: the pictures have another size or type, or an argument is out of range or has no effect.
        DeviceError: CUDA is asked for and does not work.
        GanEdgeError: the search ends in values that are not finite.
    """
    for name, value, bounds in (("steps", steps, {"min": 1}), ("seed", seed, RUN_BOUNDS["seed"])):
        check_value(name, value, int, bounds)
    chosen, number = check_space(generator, space), number_of(generator, label)
    check_pictures(pictures, generator)
    device, _ = choose_device(device)
    features = new_features(device)
    shown = sorted({int(part * steps) for part in SHOWN})
    with number_of_threads(threads or available_cpus()):
        search = search_of(generator, chosen, number, device)
        done = [_project(search, features, picture, steps, seed, shown, advance, device) for picture in pictures]
    if not all(bool(torch.isfinite(found).all()) for found, _ in done):
        raise GanEdgeError(f"{generator.origin}: the search ends in values that are not finite; check its weights")
    latents = torch.cat([search.found(found) for found, _ in done]).cpu().numpy()
    trail = np.stack([np.concatenate([picture[None], way]) for picture, (_, way) in zip(pictures, done, strict=True)])
    images = trail[:, -1]
    return Projection(latents, chosen[0], number, images, psnr(images, pictures), trail)


def check_pictures(pictures: NDArray[np.uint8], generator: Projected) -> None:
    """Raise InputError unless the pictures are uint8 and of the generator's size."""
    shape = generator.size.shape
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1:] != shape or not len(pictures):
        kind = f"{pictures.dtype} {list(pictures.shape)}"
        raise InputError(f"images: are {kind}; the generator draws uint8 {['n', *shape]}, n at least 1")


def _project(
    search: Search,
    features: torch.nn.Module,
    picture: NDArray[np.uint8],
    steps: int,
    seed: int,
    shown: list[int],
    advance: Callable[[int], None],
    device: str,
) -> tuple[Tensor, NDArray[np.uint8]]:
    """What is found for one picture, and the images on the way to it."""
    target = normalise(torch.tensor(picture[None], device=device))
    found, way = descend(search, distance_to(target, features), steps, seed, shown, advance)
    return found, to_pixels(denormalise(torch.cat([*way, drawn(search, found)]))).cpu().numpy()
