"""Layers that torch does not have, or whose torch version is slow on a CPU or exports to many nodes."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.nn.utils.parametrizations import spectral_norm

NORMS = ("none", "batch", "layer")
SMALL = 0.02  # Radford et al. 2016, section 4; Isola et al. 2017, section A.2; Zhu et al. 2017, section 7.1


class Reshape(nn.Module):
    """Rows [n, h * w * c] to any shape; one node in an exported graph, where nn.Unflatten becomes a dozen."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """Float [n, *shape]."""
        return x.reshape(-1, *self.shape)


class Dropout(nn.Module):
    """nn.Dropout, several times faster on a CPU: one random 64-bit word gives the mask of four elements.

    The probability is rounded to a multiple of 2**-16.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """Zero each element with the probability given and scale the others up, in training only."""
        if not self.training or x.device.type != "cpu":
            return dropout(x, self.probability, self.training)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        numbers = words.view(torch.int16)[: x.numel()].view_as(x)
        kept = torch.empty_like(x, requires_grad=False)
        torch.ge(numbers, round(self.probability * 2**16) - 2**15, out=kept)
        return x * kept.mul_(1 / (1 - self.probability))


class MinibatchDeviation(nn.Module):
    """Append a channel with the deviation within groups (Karras et al. 2018, section 3; groups as in StyleGAN).

    Its value is the standard deviation over four consecutive images, averaged over channels and positions.
    It lets the discriminator detect a generator that repeats images.
    """

    GROUP = 4

    def forward(self, x: Tensor) -> Tensor:
        """Float [n, c, h, w] -> [n, c + 1, h, w]; groups of two or one if n is not divisible by four."""
        n, c, h, w = x.shape
        groups = x.view(-1, math.gcd(n, self.GROUP), c, h, w)
        variance = (groups - groups.mean(1, keepdim=True)).square().mean(1)  # var() takes several times as long
        deviation = (variance + 1e-8).sqrt().mean((1, 2, 3))
        channel = deviation.repeat_interleave(groups.shape[1]).view(n, 1, 1, 1).expand(n, 1, h, w)
        return torch.cat([x, channel], 1)


def normalise(kind: str, channels: int, *, rows: bool = False) -> list[nn.Module]:
    """The normalisation after a convolution (or a linear layer, for `rows`) with this number of channels, if any."""
    if kind == "batch":
        return [nn.BatchNorm1d(channels) if rows else nn.BatchNorm2d(channels)]
    if kind == "layer":
        return [nn.LayerNorm(channels) if rows else nn.GroupNorm(1, channels)]
    if kind == "instance" and not rows:
        return [nn.InstanceNorm2d(channels)]
    return []


def doubling(kind: str, inputs: int, outputs: int, kernel: int, *, bias: bool = True) -> list[nn.Module]:
    """Layers that double the grid: a "transposed" convolution, or "nearest" or "bilinear" interpolation and a 3x3 one.

    `kernel` is the side of the transposed convolution's kernel, 3 or 4. Sides of 3 leave a mesh in the output: every
    second pixel is covered by more of the kernel (Odena et al. 2016, "Deconvolution and checkerboard artifacts").
    """
    if kind == "transposed":
        return [nn.ConvTranspose2d(inputs, outputs, kernel, 2, 1, output_padding=4 - kernel, bias=bias)]
    corners = None if kind == "nearest" else False
    return [
        nn.Upsample(scale_factor=2, mode=kind, align_corners=corners),
        nn.Conv2d(inputs, outputs, 3, 1, 1, bias=bias),
    ]


def small_weights(module: nn.Module) -> None:
    """New weights from N(0, 0.02^2), biases of 0, and scales of batch norm from N(1, 0.02^2)."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, std=SMALL)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, SMALL)


def with_spectral_norm(network: nn.Module) -> nn.Module:
    """Every weight W becomes W / sigma(W), sigma the largest singular value by power iteration (Miyato et al. 2018,
    equation 8 and algorithm 1).
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Embedding):
            spectral_norm(module)
    return network
