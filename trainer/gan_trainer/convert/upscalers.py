"""Published networks that enlarge images: RRDBNet by three sets of names, and SRVGGNetCompact."""

import math

from gan_runtime.errors import InputError
from gan_trainer.convert.architecture import (
    Architecture,
    Described,
    Weights,
    from_shapes,
    image_channels,
    kernels,
    numbers,
    renamed,
)
from gan_trainer.networks.upscaling import Compact, Rrdb
from gan_trainer.networks.upscaling.rrdb import STAGES

UNIT = (0.0, 1.0)  # the values of black and white


def rrdb(weights: Weights) -> Described:
    """RRDBNet by the names of BasicSR and Real-ESRGAN."""
    stages = len(numbers(weights, r"conv_up(\d)\.weight"))
    width, inputs = kernels(weights, "conv_first.weight")
    growth, _ = kernels(weights, "body.0.rdb1.conv1.weight")
    outputs, _ = kernels(weights, "conv_last.weight")
    unshuffle = math.isqrt(inputs // outputs)
    channels = image_channels(inputs // unshuffle**2 if unshuffle else inputs, outputs)
    if 2**stages not in STAGES or unshuffle not in (1, 2, 4) or 2**stages < unshuffle:
        raise InputError(f"{stages} enlargements of features from {inputs} channels to {outputs} are not supported")
    scale, blocks = 2**stages // unshuffle, len(numbers(weights, r"body\.(\d+)\."))
    return Described(
        f"RRDBNet x{scale}, {blocks} blocks of {width} channels",
        "upscale",
        lambda: Rrdb(scale, channels, width, blocks, growth, unshuffle),
        dict(weights),
        UNIT,
        (channels, channels),
    )


def esrgan(weights: Weights) -> Described:
    """RRDBNet by the names of the ESRGAN repository, which BSRGAN has, too."""
    return rrdb(
        renamed(
            weights,
            (r"RRDB_trunk\.(\d+)\.RDB(\d)\.(conv\d\.\w+)", r"body.\1.rdb\2.\3"),
            (r"trunk_conv\.(\w+)", r"conv_body.\1"),
            (r"upconv(\d)\.(\w+)", r"conv_up\1.\2"),
            (r"HRconv\.(\w+)", r"conv_hr.\1"),
        )
    )


def old_esrgan(weights: Weights) -> Described:
    """RRDBNet by the numbers of its layers, as the first version of ESRGAN saved it."""
    layers = numbers(weights, r"model\.(\d+)\.weight")
    if len(layers) < 3:
        raise InputError("it lacks the layers after the blocks")
    first, *ups, last_but_one, last = layers
    outer = [
        (rf"model\.{first}\.(\w+)", r"conv_first.\1"),
        *((rf"model\.{number}\.(\w+)", rf"conv_up{i}.\1") for i, number in enumerate(ups, 1)),
        (rf"model\.{last_but_one}\.(\w+)", r"conv_hr.\1"),
        (rf"model\.{last}\.(\w+)", r"conv_last.\1"),
    ]
    return rrdb(
        renamed(
            weights,
            (r"model\.1\.sub\.(\d+)\.RDB(\d)\.(conv\d)\.0\.(\w+)", r"body.\1.rdb\2.\3.\4"),
            (r"model\.1\.sub\.\d+\.(\w+)", r"conv_body.\1"),
            *outer,
        )
    )


def compact(weights: Weights) -> Described:
    """SRVGGNetCompact, with PReLU or with an activation that has no weights."""
    last = max(numbers(weights, r"body\.(\d+)\.weight"))
    width, channels = kernels(weights, "body.0.weight")
    shuffled, _ = kernels(weights, f"body.{last}.weight")
    scale = math.isqrt(shuffled // channels)
    blocks, slopes = last // 2 - 1, "body.1.weight" in weights
    if scale < 1 or scale**2 * channels != shuffled or blocks < 0 or last % 2:
        raise InputError(f"its last layer, body.{last}, gives {shuffled} channels for images of {channels}")
    image_channels(channels, channels)
    if last > 2 * len(weights):
        raise InputError(f"its layers up to body.{last} are not all there")
    return Described(
        f"SRVGGNetCompact x{scale}, {blocks + 2} convolutions of {width} channels, {'PReLU' if slopes else 'ReLU'}",
        "upscale",
        lambda: Compact(scale, channels, width, blocks, "prelu" if slopes else "relu"),
        dict(weights),
        UNIT,
        (channels, channels),
        remarks=() if slopes else ("its activation has no weights and is taken for ReLU",),
    )


UPSCALERS = (
    Architecture(
        "RRDBNet (BasicSR, Real-ESRGAN)", (r"conv_first\.weight", r"body\.0\.rdb1\.conv1\.weight"), from_shapes(rrdb)
    ),
    Architecture(
        "RRDBNet (ESRGAN)", (r"conv_first\.weight", r"RRDB_trunk\.0\.RDB1\.conv1\.weight"), from_shapes(esrgan)
    ),
    Architecture(
        "RRDBNet (old ESRGAN)",
        (r"model\.0\.weight", r"model\.1\.sub\.0\.RDB1\.conv1\.0\.weight"),
        from_shapes(old_esrgan),
    ),
    Architecture("SRVGGNetCompact", (r"body\.0\.weight", r"body\.0\.bias", r"body\.2\.weight"), from_shapes(compact)),
)
