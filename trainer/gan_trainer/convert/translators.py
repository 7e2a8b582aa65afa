"""The generators of pytorch-CycleGAN-and-pix2pix (Zhu and Park): the residual network and the U-Net."""

import re

import torch
from torch import Tensor

from gan_runtime.errors import InputError
from gan_trainer.convert.architecture import Architecture, Described, Weights, from_shapes, kernels, numbers, renamed
from gan_trainer.networks.translation_resnet import resnet_body
from gan_trainer.networks.translator import RESNET_LEAST, RESNET_MULTIPLE, Translator
from gan_trainer.networks.unet import Unet

TANH = (-1.0, 1.0)  # the values of black and white
FIRST_BLOCK, AFTER_BLOCKS = 10, 7  # number of the first block, and of the last layer after all blocks
STORED = "batch norm uses the statistics in the file (as test.py with --eval), not those of each picture"
INNER = r"model\.model(?:\.1\.model)?(?:\.3\.model)*"


def resnet(weights: Weights) -> Described:
    """ResnetGenerator: 7x7, two halvings, blocks, two doublings, 7x7, with padding by reflection."""
    norm = _norm(weights, "model.2.weight", "model.1.bias")
    width, source = kernels(weights, "model.1.weight")
    blocks = len(numbers(weights, r"model\.(\d+)\.conv_block"))
    last = FIRST_BLOCK + blocks + AFTER_BLOCKS
    channels, _ = kernels(weights, f"model.{last}.weight")
    _check_channels(source, channels)
    second = max(
        number
        for number in numbers(weights, rf"model\.{FIRST_BLOCK}\.conv_block\.(\d+)\.weight")
        if weights[f"model.{FIRST_BLOCK}.conv_block.{number}.weight"].ndim == 4
    )  # 5, or 6 behind dropout
    places = {1: 0, 2: 1, second: 3, second + 1: 4}
    ours = renamed(
        _without_running(weights, norm),
        (rf"model\.{last}\.(\w+)", rf"layers.{last - 2}.\1"),
        *(
            (rf"model\.{number}\.conv_block\.{there}\.(\w+)", rf"layers.{number - 1}.layers.{here}.\1")
            for number in range(FIRST_BLOCK, FIRST_BLOCK + blocks)
            for there, here in places.items()
        ),
        *((rf"model\.{number}\.(\w+)", rf"layers.{number - 1}.\1") for number in range(1, last)),
    )
    return Described(
        f"ResNet of CycleGAN, {blocks} blocks, {width} channels, {norm} norm",
        "translate",
        lambda: Translator(
            resnet_body(source, channels, blocks, width, norm, "transposed", 0.0),
            RESNET_MULTIPLE,
            RESNET_LEAST,
            norm,
            skip=False,
        ),
        ours,
        TANH,
        (source, channels),
        remarks=(STORED,) if norm == "batch" else (),
    )


def unet(weights: Weights) -> Described:
    """UnetGenerator: blocks within each other, each with a halving and a doubling."""
    norm = _norm(weights, "model.model.1.model.2.weight", "model.model.0.bias")
    width, source = kernels(weights, "model.model.0.weight")
    _, channels = kernels(weights, "model.model.3.weight")
    _check_channels(source, channels)
    downs = 2 + max(name.count(".3.model") for name in weights)
    ours: dict[str, Tensor] = {}
    for name, value in _without_running(weights, norm).items():
        ours[_place(name, downs)] = value
    for place in ("layers.downs.0", f"layers.downs.{downs - 1}.1"):  # ours have a bias with batch norm, too
        if f"{place}.weight" in ours:
            ours.setdefault(f"{place}.bias", torch.zeros(len(ours[f"{place}.weight"])))
    return Described(
        f"U-Net of pix2pix, {downs} halvings, {width} channels, {norm} norm",
        "translate",
        lambda: Translator(
            Unet(source, channels, downs, width, norm, "transposed", 0.0), 2**downs, 2**downs, norm, skip=False
        ),
        ours,
        TANH,
        (source, channels),
        remarks=(STORED,) if norm == "batch" else (),
    )


def _place(name: str, downs: int) -> str:
    """The name in `Unet` of a weight of nested blocks; the same name if there is no such layer."""
    found = re.fullmatch(rf"({INNER})\.(\d)\.(\w+)", name)
    if not found:
        return name
    depth = found[1].count(".model") - 1  # of the block: 0 for the outermost
    layers = {0: "down 0", 3: "up 1"} if depth == 0 else {1: "down 1", 2: "down 2", 5: "up 1", 6: "up 2"}
    if depth == downs - 1:
        layers = {1: "down 1", 3: "up 1", 4: "up 2"}
    way, _, layer = layers.get(int(found[2]), "").partition(" ")
    if way == "down":
        return f"layers.downs.{depth}.{found[3]}" if depth == 0 else f"layers.downs.{depth}.{layer}.{found[3]}"
    return f"layers.ups.{downs - 1 - depth}.{layer}.{found[3]}" if way else name


def _norm(weights: Weights, scale: str, bias: str) -> str:
    """ "batch" if norms have scales, "instance" if convolutions have biases in their place."""
    if scale in weights:
        return "batch"
    if bias in weights:
        return "instance"
    raise InputError(f"it has neither {scale}, of batch norm, nor {bias}, with instance norm; others are not supported")


def _without_running(weights: Weights, norm: str) -> Weights:
    """Without the statistics that versions of 2017 kept for instance norm and did not use."""
    if norm == "batch":
        return weights
    return {name: value for name, value in weights.items() if not name.endswith(("running_mean", "running_var"))}


def _check_channels(source: int, channels: int) -> None:
    if source not in (1, 3) or channels not in (1, 3):
        raise InputError(f"the network turns {source} channels into {channels}; supported are 1 and 3")


TRANSLATORS = (
    Architecture(
        "ResNet generator of CycleGAN", (r"model\.1\.weight", r"model\.10\.conv_block\.1\.weight"), from_shapes(resnet)
    ),
    Architecture(
        "U-Net generator of pix2pix",
        (r"model\.model\.0\.weight", r"model\.model\.1\.model\.1\.weight"),
        from_shapes(unet),
    ),
)
