"""The generator of StyleGAN2 by the names of its authors, in stylegan2-ada-pytorch and stylegan3."""

import math
import re
from typing import Any

import torch
from torch import Tensor

from gan_runtime.errors import InputError
from gan_runtime.manifest import ImageSize
from gan_trainer.convert.architecture import Architecture, Beside, Described, Weights, image_channels, numbers, renamed
from gan_trainer.networks.stylegan2 import Mapping, StyleGenerator, Synthesis
from gan_trainer.networks.stylegan2.resample import TAPS

RANGE = (-1.0, 1.0)  # the values of black and white
RATE, CLAMP = 0.01, 256.0  # the authors' settings: of the mapping's layers, and of features
MOST_GRIDS = 9  # 4x4 to 1024x1024
SHOWN = 40  # characters of a setting in a message
NO_WEIGHTS = r".*\.(resample_filter|noise_const)"
ASSUMED: dict[str, Any] = {  # settings of a snapshot that the network here has, by their names
    r"synthesis\.b\d+\.architecture": "skip",
    r"synthesis\.b\d+\.conv[01]\.use_noise": True,
    r"synthesis\.b\d+\.conv[01]\.activation": "lrelu",
    r"mapping\.fc\d+\.activation": "lrelu",
    r"mapping\.embed\.activation|.*\.affine\.activation": "linear",
    r"mapping\.embed\.bias_gain|.*\.affine\.bias_gain": 1,
}
KERNEL = torch.tensor(TAPS)[:, None] * torch.tensor(TAPS) / sum(TAPS) ** 2


def authors(weights: Weights, settings: Beside) -> Described:
    """The generator of a snapshot; for a state_dict, which has no settings, those of the authors are assumed."""
    _check_architecture(weights)
    sides = numbers(weights, r"synthesis\.b(\d+)\.")
    if sides != [4 * 2**i for i in range(len(sides))]:
        raise InputError(f"its grids have {', '.join(map(str, sides))} pixels, not 4, 8, 16 and so on")
    rate = _setting(settings, r"mapping\.fc\d+\.bias_gain", RATE)
    clamp = _setting(settings, r"synthesis\..*\.conv_clamp", CLAMP)
    check_filters(weights)
    _check_settings(settings)
    _check_gains(weights, settings, rate)
    layers = ["b4.conv1", *(f"b{side}.{conv}" for side in sides[1:] for conv in ("conv0", "conv1"))]
    ours = _by_our_names(weights, sides)
    ours["synthesis.constant_noise"] = joined(weights, [f"synthesis.{layer}.noise_const" for layer in layers])
    remarks = () if settings else ("a state_dict has no settings; those of the authors' configurations are assumed",)
    return described("StyleGAN2", ours, rate, clamp, remarks)


def stylegan3(weights: Weights, settings: Beside) -> Described:
    """Is refused by name."""
    raise InputError(
        "its configuration is stylegan3-t or stylegan3-r, other networks; of that repository, the configuration "
        "stylegan2 is supported"
    )


def described(name: str, ours: dict[str, Tensor], rate: float, clamp: float, remarks: tuple[str, ...]) -> Described:
    """The generator of weights by the names that it has here.

    Args:
        name: for people.
        ours: the weights.
        rate: of the mapping's layers.
        clamp: the largest magnitude of features; 0 for no limit.
        remarks: what is assumed.
    """
    grids, layers = (len(numbers(ours, pattern)) for pattern in (r"synthesis\.convs\.(\d+)", r"mapping\.layers\.(\d+)"))
    if not 2 <= grids <= MOST_GRIDS or not layers:
        raise InputError(f"it has {grids} grids and {layers} layers of the mapping; supported are 2 to {MOST_GRIDS}")
    side, channels = (
        4 * 2 ** (grids - 1),
        {4 * 2**i: _length(ours, f"synthesis.convs.{i}.weight") for i in range(grids)},
    )
    colours, style_dim = _length(ours, "synthesis.to_images.0.weight"), _length(ours, "w_mean")
    latent_dim, classes = mapping_inputs(ours)
    image_channels(colours, colours)
    return Described(
        f"{name}, {side} x {side} pixels, {'grey' if colours == 1 else 'RGB'}, latents of {latent_dim}"
        f"{f', {classes} classes' if classes else ''}, mapping of {layers} layers",
        "generate",
        lambda: StyleGenerator(
            Mapping(latent_dim, classes, style_dim, layers, rate),
            Synthesis(ImageSize(side, side, colours), style_dim, channels, clamp=clamp),
            style_dim,
        ),
        ours,
        RANGE,
        (0, colours),
        latent_dim,
        remarks,
    )


def mapping_inputs(ours: Weights) -> tuple[int, int]:
    """Values per latent, and the number of classes. Raises InputError unless there are latents."""
    embedded = _length(ours, "mapping.embed.weight") if "mapping.embed.weight" in ours else 0
    classes = _length(ours, "mapping.embed.weight", 1) if embedded else 0
    latent_dim = _length(ours, "mapping.layers.0.weight", 1) - embedded
    if latent_dim < 1:
        raise InputError("it takes labels without latents, which is not supported")
    return latent_dim, classes


def joined(weights: Weights, names: list[str]) -> Tensor:
    """The noise of all layers, one after the other. Raises InputError if one is missing."""
    if missing := [name for name in names if name not in weights]:
        raise InputError(f"it lacks {missing[0]}")
    return torch.cat([weights[name].flatten() for name in names])


def check_filters(weights: Weights, names: str = r".*\.resample_filter") -> None:
    """Raise InputError if a low-pass filter with such a name is not the one of the networks here, but for its gain."""
    for name, value in weights.items():
        if re.fullmatch(names, name) and not _is_kernel(value):
            raise InputError(f"its filter {name} is not that of [1, 3, 3, 1], the only one that is supported")


def _is_kernel(value: Tensor) -> bool:
    return value.shape == KERNEL.shape and torch.allclose(value / value.sum(), KERNEL)


def _by_our_names(weights: Weights, sides: list[int]) -> dict[str, Tensor]:
    return renamed(
        {name: value for name, value in weights.items() if not re.fullmatch(NO_WEIGHTS, name)},
        (r"mapping\.fc(\d+)\.(\w+)", r"mapping.layers.\1.\2"),
        (r"mapping\.w_avg", "w_mean"),
        (r"synthesis\.b4\.const", "synthesis.const"),
        *((rf"synthesis\.b{side}\.conv0\.(.+)", rf"synthesis.ups.{i}.\1") for i, side in enumerate(sides[1:])),
        *((rf"synthesis\.b{side}\.conv1\.(.+)", rf"synthesis.convs.{i}.\1") for i, side in enumerate(sides)),
        *((rf"synthesis\.b{side}\.torgb\.(.+)", rf"synthesis.to_images.{i}.\1") for i, side in enumerate(sides)),
    )


def _check_architecture(weights: Weights) -> None:
    """Raise InputError unless each grid has its part in the image, as StyleGAN2 is published."""
    if "synthesis.b4.torgb.weight" not in weights:
        found = "resnet" if "synthesis.b8.skip.weight" in weights else "orig"
        raise InputError(f"its architecture is {found!r}; supported is 'skip'")


def _check_settings(settings: Beside) -> None:
    for name, value in settings.items():
        expected = next((expected for pattern, expected in ASSUMED.items() if re.fullmatch(pattern, name)), value)
        if value != expected:
            raise InputError(f"its {name} is {repr(value)[:SHOWN]}; supported is {expected!r}")


def _check_gains(weights: Weights, settings: Beside, rate: float) -> None:
    """Raise InputError if a layer scales its weights in another way than by rate / sqrt(inputs)."""
    for name, value in settings.items():
        weight = weights.get(name.removesuffix("_gain"))
        if name.endswith(".weight_gain") and weight is not None and weight.ndim > 1:
            expected = (rate if name.startswith("mapping.fc") else 1.0) / math.sqrt(weight[0].numel())
            if type(value) is not float or not math.isclose(value, expected, rel_tol=1e-6):
                raise InputError(f"its {name} is {repr(value)[:SHOWN]}; supported is {expected:g}")


def _setting(settings: Beside, pattern: str, default: float) -> float:
    """The number that all settings with such names have, 0 for none; `default` if there are no settings at all."""
    found = {value for name, value in settings.items() if re.fullmatch(pattern, name)} if settings else {default}
    value = found.pop() if len(found) == 1 else math.nan
    if value is None:
        return 0.0
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise InputError("its layers have no setting in common: " + pattern.rpartition(".")[2])
    return float(value)


def _length(weights: Weights, name: str, axis: int = 0) -> int:
    """The length of an axis of a weight. Raises InputError if there is none."""
    shape = weights[name].shape if name in weights else ()
    if axis >= len(shape) or not shape[axis]:
        raise InputError(f"{name} is {list(shape)}" if shape else f"it lacks {name}")
    return shape[axis]


AUTHORS = (
    Architecture(
        "StyleGAN2 (stylegan2-ada-pytorch, stylegan3)", (r"mapping\.fc0\.weight", r"synthesis\.b4\.const"), authors
    ),
)
UNSUPPORTED = (Architecture("StyleGAN3", (r"mapping\.fc0\.weight", r"synthesis\.L0_.*\.weight"), stylegan3),)
