"""Convolutions whose weights a style modulates (Karras et al. 2020, section 2.2): each image has its own."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from gan_trainer.networks.stylegan2.equalised import GAIN, EqualisedLinear, activate
from gan_trainer.networks.stylegan2.resample import Smooth

EPSILON = 1e-8


class ModulatedConv(nn.Module):
    """A 3x3 convolution with modulated and demodulated weights, noise, bias and leaky ReLU.

    The activations are scaled in place of the weights: before the convolution by the style, after it by the
    demodulation. This is exact, and the same weights serve all images of a batch.

    Args:
        inputs, outputs: channels.
        style_dim: values of a style.
        doubling: double the grid by a transposed convolution and the low-pass filter.
        noisy: add noise with a learned strength.
        clamp: the largest magnitude of an output; 0 for no limit.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        style_dim: int,
        *,
        doubling: bool = False,
        noisy: bool = True,
        clamp: float = 0.0,
    ) -> None:
        super().__init__()
        self.affine = EqualisedLinear(style_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(())) if noisy else None
        self.smooth = Smooth(outputs, 1, gain=4.0) if doubling else None
        self.clamp = clamp

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """Grids of features to the next ones.

        Args:
            x: float [n or 1, inputs, h, w].
            style: float [n, style_dim].
            noise: float [n or 1, 1, h', w'], with the sides of the output; None for a layer without.

        Returns:
            float [n, outputs, h', w'].
        """
        scale = self.affine(style)  # equation 1
        x = x * _per_channel(scale)
        if self.smooth is None:
            norms, x = _norms(self.weight).t(), conv2d(x, self.weight, padding=1)
        else:
            weight = self.weight.transpose(0, 1)
            norms, x = _norms(weight), self.smooth(conv_transpose2d(x, weight, stride=2))
        if noise is not None and self.noise_strength is not None:
            noise = noise * (self.noise_strength * GAIN)
        x = finish(x, GAIN * demodulation(norms, scale), noise, self.bias * GAIN)
        return x.clamp(-self.clamp, self.clamp) if self.clamp else x


def demodulation(norms: Tensor, scale: Tensor) -> Tensor:
    """The factor that gives the modulated weights of each output channel the norm 1 (equation 3).

    Args:
        norms: of the weights between two channels, float [inputs, outputs].
        scale: of the input channels, float [n, inputs].

    Returns:
        float [n, outputs].
    """
    return (scale.square() @ norms.square() + EPSILON).rsqrt()


def _norms(weight: Tensor) -> Tensor:
    """Norms of kernels float [a, b, k, k] -> [a, b]. Of a sum of squares the exporter would keep all the squares."""
    norms: Tensor = torch.linalg.vector_norm(weight, dim=(2, 3))
    return norms


def finish(x: Tensor, gains: Tensor, noise: Tensor | None, bias: Tensor) -> Tensor:
    """Demodulation, noise, bias and leaky ReLU.

    Args:
        x: float [n, c, h, w].
        gains: float [n, c].
        noise: float [n or 1, 1, h, w], or None.
        bias: float [c].
    """
    x = torch.addcmul(bias[:, None, None], x, _per_channel(gains))
    return activate(x if noise is None else x.add_(noise))


class ToImage(nn.Module):
    """A 1x1 convolution with modulated weights, from features to the channels of images: "tRGB".

    Args:
        inputs, outputs: channels.
        style_dim, clamp: as in `ModulatedConv`.
    """

    def __init__(self, inputs: int, outputs: int, style_dim: int, *, clamp: float = 0.0) -> None:
        super().__init__()
        self.affine = EqualisedLinear(style_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.gain, self.clamp = 1.0 / math.sqrt(inputs), clamp

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Float [n, inputs, h, w], style float [n, style_dim] -> [n, outputs, h, w].

        Each image has few weights here, so that its own product is the cheapest.
        """
        weights = self.weight.flatten(1) * (self.affine(style) * self.gain)[:, None, :]
        pixels: Tensor = (weights @ x.flatten(2)).unflatten(2, x.shape[2:]) + self.bias[:, None, None]
        return pixels.clamp(-self.clamp, self.clamp) if self.clamp else pixels


def _per_channel(values: Tensor) -> Tensor:
    return values[:, :, None, None]
