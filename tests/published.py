"""Names and shapes of the weights of published networks, as their authors' code has them."""

import re
from collections.abc import Mapping

Shapes = dict[str, tuple[int, ...]]


def resnet(source: int, channels: int, width: int, blocks: int, norm: str, dropout: bool = False) -> Shapes:
    """ResnetGenerator of pytorch-CycleGAN-and-pix2pix."""
    bias = norm == "instance"
    shapes: Shapes = {}

    def layer(name: str, number: int, kernel: tuple[int, ...], outputs: int, biased: bool = bias) -> None:
        shapes[f"{name}.{number}.weight"] = kernel
        if biased:
            shapes[f"{name}.{number}.bias"] = (outputs,)

    def convolution(name: str, number: int, inputs: int, outputs: int, side: int) -> None:
        layer(name, number, (outputs, inputs, side, side), outputs)
        shapes.update(_norm(f"{name}.{number + 1}", outputs, norm))

    convolution("model", 1, source, width, 7)
    convolution("model", 4, width, 2 * width, 3)
    convolution("model", 7, 2 * width, 4 * width, 3)
    for number in range(10, 10 + blocks):
        for place in (1, 6 if dropout else 5):
            convolution(f"model.{number}.conv_block", place, 4 * width, 4 * width, 3)
    for number, inputs in ((10 + blocks, 4 * width), (13 + blocks, 2 * width)):
        layer("model", number, (inputs, inputs // 2, 3, 3), inputs // 2)
        shapes.update(_norm(f"model.{number + 1}", inputs // 2, norm))
    layer("model", 17 + blocks, (channels, width, 7, 7), channels, biased=True)
    return shapes


def unet(source: int, channels: int, width: int, downs: int, norm: str) -> Shapes:
    """UnetGenerator of the same; dropout has no weights and no numbers here."""
    widths = [width * min(2**i, 8) for i in range(downs)]
    bias = norm == "instance"
    shapes: Shapes = {"model.model.0.weight": (width, source, 4, 4)} | (
        {"model.model.0.bias": (width,)} if bias else {}
    )
    name = "model.model.1.model"
    for i in range(1, downs):
        outer, inner, last = widths[i - 1], widths[i], i == downs - 1
        shapes[f"{name}.1.weight"] = (inner, outer, 4, 4)
        up = 3 if last else 5
        shapes[f"{name}.{up}.weight"] = (inner if last else 2 * inner, outer, 4, 4)
        if bias:
            shapes |= {f"{name}.1.bias": (inner,), f"{name}.{up}.bias": (outer,)}
        shapes |= {} if last else _norm(f"{name}.2", inner, norm)
        shapes |= _norm(f"{name}.{up + 1}", outer, norm)
        name += ".3.model"
    return shapes | {"model.model.3.weight": (2 * width, channels, 4, 4), "model.model.3.bias": (channels,)}


def dcgan(latent_dim: int, width: int, channels: int) -> Shapes:
    """The generator of PyTorch's DCGAN tutorial, for 64 x 64 pixels."""
    widths = [latent_dim, 8 * width, 4 * width, 2 * width, width, channels]
    shapes: Shapes = {}
    for i in range(5):
        shapes[f"main.{3 * i}.weight"] = (widths[i], widths[i + 1], 4, 4)
        if i < 4:
            shapes |= _norm(f"main.{3 * i + 1}", widths[i + 1], "batch")
    return shapes


def as_esrgan(name: str) -> str:
    """A name of BasicSR's RRDBNet in the repository of ESRGAN.

    >>> as_esrgan("body.3.rdb2.conv1.weight")
    'RRDB_trunk.3.RDB2.conv1.weight'
    """
    name = re.sub(r"^body\.(\d+)\.rdb", r"RRDB_trunk.\1.RDB", name)
    return name.replace("conv_body", "trunk_conv").replace("conv_up", "upconv").replace("conv_hr", "HRconv")


def as_old_esrgan(name: str, blocks: int) -> str:
    """A name of BasicSR's RRDBNet x4 in the first version of ESRGAN.

    >>> as_old_esrgan("body.3.rdb2.conv1.weight", 23)
    'model.1.sub.3.RDB2.conv1.0.weight'
    """
    name = re.sub(r"^body\.(\d+)\.rdb(\d)\.(conv\d)", r"model.1.sub.\1.RDB\2.\3.0", name)
    layers: Mapping[str, str] = {
        "conv_first": "model.0",
        "conv_body": f"model.1.sub.{blocks}",
        "conv_up1": "model.3",
        "conv_up2": "model.6",
        "conv_hr": "model.8",
        "conv_last": "model.10",
    }
    stem, _, rest = name.partition(".")
    return f"{layers[stem]}.{rest}" if stem in layers else name


def _norm(name: str, width: int, norm: str) -> Shapes:
    if norm != "batch":
        return {}
    return {f"{name}.{kind}": (width,) for kind in ("weight", "bias", "running_mean", "running_var")}
