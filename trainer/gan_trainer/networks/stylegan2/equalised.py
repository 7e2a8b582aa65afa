"""Layers with an equalised learning rate: N(0, 1) weights, scaled when used (Karras et al. 2018, section 4.1)."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, embedding, leaky_relu, linear

from gan_trainer.networks.stylegan2.resample import Smooth

SLOPE = 0.2
GAIN = math.sqrt(2.0)  # keeps the second moment through a leaky ReLU; folded into weights and biases


def activate(x: Tensor) -> Tensor:
    """The leaky ReLU of all layers, in place. GAIN belongs before it: it has the same effect there as behind it."""
    return leaky_relu(x, SLOPE, inplace=True)


class EqualisedLinear(nn.Module):
    """A linear layer whose stored weights are N(0, 1 / rate^2), multiplied by rate / sqrt(inputs).

    Args:
        inputs, outputs: units.
        rate: learning rate of this layer, relative to that of the network (Karras et al. 2019, section C).
        active: a leaky ReLU follows, with a gain of sqrt(2).
        bias: its first value.
    """

    def __init__(
        self, inputs: int, outputs: int, *, rate: float = 1.0, active: bool = False, bias: float = 0.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.active = active
        gain = rate * (GAIN if active else 1.0)
        self.gain, self.bias_gain = gain / math.sqrt(inputs), gain

    def forward(self, x: Tensor) -> Tensor:
        """Float [n, inputs] -> [n, outputs]."""
        x = linear(x, self.weight * self.gain, self.bias * self.bias_gain)
        return activate(x) if self.active else x

    def of_labels(self, labels: Tensor) -> Tensor:
        """What one-hot rows would give: labels int64 [n] -> float [n, outputs]."""
        return embedding(labels, self.weight.t() * self.gain) + self.bias * self.bias_gain


class EqualisedConv(nn.Module):
    """A convolution with stored weights N(0, 1); `halving` filters before every second pixel is taken.

    Args:
        inputs, outputs: channels.
        kernel: side of the kernel, 1 or 3.
        halving: halve the grid.
        active: a bias and a leaky ReLU with a gain of sqrt(2).
        gain: of the output.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, halving: bool = False, active: bool = True, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if active else None
        self.bias_gain = gain * (GAIN if active else 1.0)
        self.gain = self.bias_gain / math.sqrt(inputs * kernel**2)
        self.smooth = Smooth(inputs, kernel // 2 + 1) if halving else None
        self.margin = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        """Float [n, inputs, h, w] -> [n, outputs, h, w], or half of h and w."""
        weight = self.weight * self.gain
        bias = None if self.bias is None else self.bias * self.bias_gain
        x = conv2d(self.smooth(x), weight, bias, 2) if self.smooth else conv2d(x, weight, bias, 1, self.margin)
        return x if bias is None else activate(x)
