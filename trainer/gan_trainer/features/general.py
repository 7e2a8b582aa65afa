"""The feature network for images of any kind: wavelet statistics and statistics of learned convolutions."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gan_trainer.features.convolutions import ConvolutionStatistics
from gan_trainer.features.wavelets import WaveletStatistics
from gan_trainer.networks.resize import Resize, antialiased_bilinear

SIDE = 64  # images are resized to this side
DIMS = 48, 32  # features of the two parts
VARIANCES = 1.0, 0.5  # mean variance of the features of each part
CONSTANT, STEADY = 1e-4, 1e-2  # deviations of statistics, which are about 0.1 to 1
BATCH = 128


class GeneralFeatures(nn.Module):
    """Images uint8 [n, h, w, c], of any size, c = 1 or 3 -> features float [n, 80].

    The first 48 are a linear projection of `WaveletStatistics`, the others one of `ConvolutionStatistics`; `fit` sets
    both.
    """

    def __init__(self, dims: tuple[int, int] = DIMS) -> None:
        super().__init__()
        self.resize = Resize(SIDE, antialiased_bilinear)
        self.wavelets = WaveletStatistics(SIDE)
        self.convolutions = ConvolutionStatistics(SIDE)
        self.wavelet_projection = nn.Linear(self.wavelets.dim, dims[0])
        self.convolution_projection = nn.Linear(self.convolutions.dim, dims[1])

    def forward(self, images: Tensor) -> Tensor:
        """Features of pixel values; grey images are treated as RGB images without colour."""
        return self.measure(self.resized(images) / 127.5 - 1.0)

    def measure(self, images: Tensor) -> Tensor:
        """The same for float [n, 3, SIDE, SIDE] in [-1, 1]."""
        return self.project(self.wavelets(images), self.convolutions(images))

    def project(self, wavelets: Tensor, convolutions: Tensor) -> Tensor:
        """The features of statistics of both kinds."""
        return torch.cat([self.wavelet_projection(wavelets), self.convolution_projection(convolutions)], 1)

    def resized(self, images: Tensor) -> Tensor:
        """uint8 [n, h, w, c] -> float [n, 3, SIDE, SIDE] in [0, 255]."""
        resized: Tensor = self.resize(images.permute(0, 3, 1, 2).float())
        return resized.expand(-1, 3, -1, -1)

    @torch.no_grad()
    def fit(self, images: NDArray[np.uint8]) -> None:
        """Set both projections from the statistics of `images`, uint8 [n, SIDE, SIDE, 3], all with the same weight."""
        for part, projection, variance, weights in (
            (self.wavelets, self.wavelet_projection, VARIANCES[0], self.wavelets.weights),
            (self.convolutions, self.convolution_projection, VARIANCES[1], torch.ones(self.convolutions.dim)),
        ):
            found = principal_projection(statistics(part, images), projection.out_features, variance, weights)
            projection.weight.copy_(found[0])
            projection.bias.copy_(found[1])


@torch.no_grad()
def statistics(part: nn.Module, images: NDArray[np.uint8]) -> Tensor:
    """The output of `part` for images uint8 [n, SIDE, SIDE, 3]: float [n, dim]."""
    pieces: Sequence[Tensor] = [part(as_floats(images[i : i + BATCH])) for i in range(0, len(images), BATCH)]
    return torch.cat(list(pieces))


def as_floats(images: NDArray[np.uint8]) -> Tensor:
    """uint8 [n, h, w, c] -> float [n, c, h, w] in [-1, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def principal_projection(
    values: Tensor, dim: int, variance: float = 1.0, weights: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Weight [dim, d] and bias [dim] of the first principal components of standardised `values` [n, d].

    The components keep their relative variances, scaled to the mean `variance`: with whitening, the noise of the last
    components would dominate. The standardised values are first multiplied by `weights` [d]. Values that hardly vary
    count less: divided by their deviation, they would show rounding errors, and be huge for any other images.
    """
    values = values.double()
    mean, deviation = values.mean(0), values.std(0)
    scale = torch.where(deviation > CONSTANT, 1.0 / deviation.clamp(min=STEADY), 0.0)
    scale = scale if weights is None else scale * weights.double()
    standard = (values - mean) * scale
    variances, directions = torch.linalg.eigh(standard.T @ standard / (len(values) - 1))
    weight = directions[:, -dim:].flip(1).T * (variance * dim / variances[-dim:].sum()).sqrt() * scale
    return weight.float(), (-weight @ mean).float()
