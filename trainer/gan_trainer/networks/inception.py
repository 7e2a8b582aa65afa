"""Inception v3 as the Frechet Inception Distance uses it (Szegedy et al. 2015, Heusel et al. 2017).

This is the graph inception-2015-12-05 of TensorFlow. It differs from other versions of Inception v3: average pools do
not count their padding, the last block has a maximum pool, and there are 1,008 classes.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

SIDE, CHANNELS = 299, 3  # of the images that the published weights were trained on
FEATURES, CLASSES = 2048, 1008


class Inception(nn.Module):
    """Images float [n, 3, h, w] in [-1, 1] -> features float [n, 2048] and logits float [n, 1008].

    h and w are at least 75, and SIDE for published weights. The logits do not include the bias of the last
    layer, as in the Inception Score (Salimans et al. 2016, as implemented; `logits_unbiased` of torch-fidelity).
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            OrderedDict(
                Conv2d_1a_3x3=convolution(CHANNELS, 32, 3, stride=2, padding=0),  # -> [n, 32, 149, 149]
                Conv2d_2a_3x3=convolution(32, 32, 3, padding=0),
                Conv2d_2b_3x3=convolution(32, 64, 3),
                MaxPool_1=nn.MaxPool2d(3, stride=2),  # -> [n, 64, 73, 73]
                Conv2d_3b_1x1=convolution(64, 80, 1),
                Conv2d_4a_3x3=convolution(80, 192, 3, padding=0),
                MaxPool_2=nn.MaxPool2d(3, stride=2),  # -> [n, 192, 35, 35]
                Mixed_5b=block_5(192, pooled=32),
                Mixed_5c=block_5(256, pooled=64),
                Mixed_5d=block_5(288, pooled=64),
                Mixed_6a=reduction_6(288),  # -> [n, 768, 17, 17]
                Mixed_6b=block_6(768, width=128),
                Mixed_6c=block_6(768, width=160),
                Mixed_6d=block_6(768, width=160),
                Mixed_6e=block_6(768, width=192),
                Mixed_7a=reduction_7(768),  # -> [n, 1280, 8, 8]
                Mixed_7b=block_7(1280, average_pool()),
                Mixed_7c=block_7(2048, nn.MaxPool2d(3, stride=1, padding=1)),
            )
        )
        self.fc = nn.Linear(FEATURES, CLASSES, bias=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        features = self.layers(images).mean((2, 3))
        return features, self.fc(features)


class Branches(nn.Module):
    """Modules side by side on one input [n, c, h, w], whose outputs are concatenated in the order given."""

    def __init__(self, **branches: nn.Module) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        """[n, sum of the branches' channels, h', w']."""
        return torch.cat([branch(x) for branch in self.children()], 1)


def block_5(inputs: int, pooled: int) -> nn.Module:
    """Two 3x3 convolutions beside one of 5x5, for maps of 35 x 35."""
    return Branches(
        branch1x1=convolution(inputs, 64, 1),
        branch5x5=nn.Sequential(convolution(inputs, 48, 1), convolution(48, 64, 5)),
        branch3x3dbl=nn.Sequential(convolution(inputs, 64, 1), convolution(64, 96, 3), convolution(96, 96, 3)),
        branch_pool=nn.Sequential(average_pool(), convolution(inputs, pooled, 1)),
    )


def reduction_6(inputs: int) -> nn.Module:
    """Downsampling from 35 x 35 to 17 x 17."""
    return Branches(
        branch3x3=convolution(inputs, 384, 3, stride=2, padding=0),
        branch3x3dbl=nn.Sequential(
            convolution(inputs, 64, 1), convolution(64, 96, 3), convolution(96, 96, 3, stride=2, padding=0)
        ),
        branch_pool=nn.MaxPool2d(3, stride=2),
    )


def block_6(inputs: int, width: int) -> nn.Module:
    """Pairs of 1x7 and 7x1 convolutions in place of 7x7, for maps of 17 x 17."""
    return Branches(
        branch1x1=convolution(inputs, 192, 1),
        branch7x7=nn.Sequential(
            convolution(inputs, width, 1), convolution(width, width, (1, 7)), convolution(width, 192, (7, 1))
        ),
        branch7x7dbl=nn.Sequential(
            convolution(inputs, width, 1),
            convolution(width, width, (7, 1)),
            convolution(width, width, (1, 7)),
            convolution(width, width, (7, 1)),
            convolution(width, 192, (1, 7)),
        ),
        branch_pool=nn.Sequential(average_pool(), convolution(inputs, 192, 1)),
    )


def reduction_7(inputs: int) -> nn.Module:
    """Downsampling from 17 x 17 to 8 x 8."""
    return Branches(
        branch3x3=nn.Sequential(convolution(inputs, 192, 1), convolution(192, 320, 3, stride=2, padding=0)),
        branch7x7x3=nn.Sequential(
            convolution(inputs, 192, 1),
            convolution(192, 192, (1, 7)),
            convolution(192, 192, (7, 1)),
            convolution(192, 192, 3, stride=2, padding=0),
        ),
        branch_pool=nn.MaxPool2d(3, stride=2),
    )


def block_7(inputs: int, pool: nn.Module) -> nn.Module:
    """Branches that end in two, for maps of 8 x 8."""
    return Branches(
        branch1x1=convolution(inputs, 320, 1),
        branch3x3=nn.Sequential(convolution(inputs, 384, 1), _cross(384)),
        branch3x3dbl=nn.Sequential(convolution(inputs, 448, 1), convolution(448, 384, 3), _cross(384)),
        branch_pool=nn.Sequential(pool, convolution(inputs, 192, 1)),
    )


def convolution(
    inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1, padding: int | None = None
) -> nn.Sequential:
    """Convolution, batch norm and ReLU; with the default padding, an odd kernel and stride 1 the size stays."""
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    around = (height // 2, width // 2) if padding is None else padding
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(inputs, outputs, kernel, stride, around, bias=False),
            bn=nn.BatchNorm2d(outputs, eps=1e-3),
            relu=nn.ReLU(),
        )
    )


def average_pool() -> nn.Module:
    """3x3 means that do not count the padding, as in TensorFlow."""
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)


def _cross(width: int) -> nn.Module:
    return Branches(a=convolution(width, width, (1, 3)), b=convolution(width, width, (3, 1)))
