"""A convolution between two pixel shuffles, computed before both, where that takes fewer operations.

ONNX Runtime computes convolutions in blocks of channels, and a pixel shuffle as a slow transposition. The last layers
of a generator, from 24 channels to the 4 that become one, fill a quarter of a block, and the shuffle before them takes
as long as a convolution.
"""

from typing import Any

import torch
from torch import Tensor, nn

BLOCK = 16  # channels that ONNX Runtime computes together, with AVX-512; 8 without
POINTWISE = (nn.Identity, nn.ReLU, nn.LeakyReLU, nn.SiLU, nn.GELU, nn.Tanh, nn.Sigmoid)


def merge_shuffles(parent: nn.Module) -> None:
    """Replace each shuffle, convolution, shuffle among the children of `parent`, in place, if the cost is less.

    The children run in order. Pointwise layers may stand between the first shuffle and the convolution.
    """
    names = list(parent._modules)
    for at, name in enumerate(names):
        rest = [other for other in names[at + 1 :] if type(parent._modules[other]) not in POINTWISE][:2]
        layers: list[Any] = [parent._modules[each] for each in (name, *rest)]
        if len(layers) == 3 and _fit(*layers) and _pays(*layers[:2]):
            first, conv, last = layers
            setattr(parent, name, nn.Identity())
            setattr(parent, rest[0], _merged(first.upscale_factor, conv, last.upscale_factor))
            setattr(parent, rest[1], nn.PixelShuffle(first.upscale_factor * last.upscale_factor))


def _fit(first: Any, conv: Any, last: Any) -> bool:
    if not (type(first) is type(last) is nn.PixelShuffle and type(conv) is nn.Conv2d):
        return False
    if any(part._forward_hooks or part._forward_pre_hooks or "forward" in vars(part) for part in (first, conv, last)):
        return False
    side = conv.kernel_size[0]
    plain = (conv.stride, conv.dilation, conv.groups, conv.padding_mode) == ((1, 1), (1, 1), 1, "zeros")
    return plain and side % 2 == 1 and conv.kernel_size == (side, side) and conv.padding == (side // 2, side // 2)


def _pays(first: nn.PixelShuffle, conv: nn.Conv2d) -> bool:
    """Whether the merged convolution has fewer multiplications, padded channels counted."""
    times, side = first.upscale_factor**2, conv.kernel_size[0]
    before = times * _padded(conv.out_channels) * _padded(conv.in_channels) * side**2
    after = (
        _padded(times * conv.out_channels) * _padded(times * conv.in_channels) * _side(side, first.upscale_factor) ** 2
    )
    return after < before


def _padded(channels: int) -> int:
    return -(-channels // BLOCK) * BLOCK


def _side(side: int, factor: int) -> int:
    """Of a kernel on the grid before a shuffle by `factor`, which reaches as far as one of `side` after it."""
    return 2 * -(-(side // 2) // factor) + 1


@torch.no_grad()
def _merged(factor: int, conv: nn.Conv2d, last: int) -> nn.Conv2d:
    """The convolution before a shuffle by `factor`, with outputs in the order of one shuffle by `factor * last`."""
    outputs, inputs, side, _ = conv.weight.shape
    merged = nn.Conv2d(inputs * factor**2, outputs * factor**2, _side(side, factor), padding=_side(side, factor) // 2)
    spread = conv.weight.new_zeros(factor, factor, outputs, inputs, factor, factor, *merged.kernel_size)
    reach, middle = side // 2, merged.kernel_size[0] // 2
    for row in range(factor):  # of an output within the pixel before the shuffle
        for column in range(factor):
            for u in range(side):
                for v in range(side):
                    y, x = row + u - reach, column + v - reach
                    at = (y % factor, x % factor, y // factor + middle, x // factor + middle)
                    spread[row, column, :, :, *at] = conv.weight[:, :, u, v]
    merged.weight.copy_(_in_order(spread, factor, last).reshape(merged.weight.shape))
    bias = conv.weight.new_zeros(outputs) if conv.bias is None else conv.bias
    merged.bias.copy_(_in_order(bias.expand(factor, factor, outputs), factor, last).reshape(-1))  # type: ignore[union-attr]
    return merged.train(conv.training)


def _in_order(values: Tensor, factor: int, last: int) -> Tensor:
    """[row, column, output, ...] as [channel, row, row of the last shuffle, column, column of the last, ...]."""
    apart = values.reshape(factor, factor, -1, last, last, *values.shape[3:])
    return apart.permute(2, 0, 3, 1, 4, *range(5, apart.ndim))
