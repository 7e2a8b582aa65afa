"""Statistics of the feature maps of a small trained convolutional network without normalisation."""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from gan_trainer.networks.perceptual import STAGES, new_stages

PLACED = 2  # the stage with means over four quarters
GAIN = 2.0**0.5  # of ReLU


class ConvolutionStatistics(nn.Module):
    """Images float [n, 3, side, side] in [-1, 1] -> statistics float [n, 1472]; side is a multiple of 16.

    The statistics are mean and deviation of every channel of the four stages (`networks.perceptual.new_stages`), and
    the means of the third one over the four quarters.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.stages = new_stages()
        self.quarter = side >> PLACED + 2
        self.dim = 2 * sum(STAGES) + 4 * STAGES[PLACED]

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        values = []
        for index, stage in enumerate(self.stages):
            images = stage(images)
            mean = images.mean((2, 3), keepdim=True)
            variance = (images - mean).square().mean((2, 3))
            values += [mean.flatten(1), (variance + 1e-4).sqrt()]
            if index == PLACED:
                values.append(avg_pool2d(images, self.quarter).flatten(1))
        return torch.cat(values, 1)

    @torch.no_grad()
    def initialise(self, images: Tensor) -> None:
        """Orthogonal weights, scaled so that each convolution gives `images` mean 0 and variance 1 per channel.

        Mishkin and Matas 2016, "All you need is a good init". Random numbers come from torch's generator.
        """
        for stage in self.stages:
            assert isinstance(stage, nn.Sequential)
            for layer in stage:
                if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                    nn.init.orthogonal_(layer.weight, GAIN)
                    nn.init.zeros_(layer.bias)
                    found = layer(images)
                    scale = found.std((0, 2, 3)) + 1e-3
                    layer.weight /= scale[:, None, None, None]
                    layer.bias -= found.mean((0, 2, 3)) / scale
                images = layer(images)
