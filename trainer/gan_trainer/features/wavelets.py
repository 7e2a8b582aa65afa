"""Fixed statistics of images: energies of oriented wavelets at four scales, their positions and their correlations.

These statistics are used in texture synthesis: Portilla and Simoncelli 2000, "A parametric texture model
based on joint statistics of complex wavelet coefficients", with second-order energies as in Bruna and Mallat 2013,
"Invariant scattering convolution networks". Nothing is learned.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, pad

ORIENTATIONS, LEVELS, CHANNELS = 6, 4, 3
PERIOD, REACH = 4.2, 4  # in pixels: wavelength, and radius of the filters
COLOURS = ((0.299, 0.587, 0.114), (0.5, -0.5, 0.0), (0.25, 0.25, -0.5))  # luma, red - green, yellow - blue
ENERGY_WEIGHT = 0.35  # weight relative to the other statistics
SMALL = 0.01  # floor of energies, which are about 0.1 to 1


class WaveletStatistics(nn.Module):
    """Images float [n, 3, side, side] in [-1, 1] -> statistics float [n, dim]; side is 64 or a multiple of it."""

    colours: Tensor
    waves: Tensor
    binomial: Tensor
    pairs: Tensor
    colour_pairs: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        self.register_buffer("colours", torch.tensor(COLOURS)[:, :, None, None])
        self.register_buffer("waves", gabor_filters())
        self.register_buffer("binomial", _binomial().expand(CHANNELS, 1, 5, 5).clone())
        self.register_buffer("pairs", _pairs(ORIENTATIONS))
        self.register_buffer("colour_pairs", _pairs(CHANNELS))
        with torch.no_grad():
            others, energies = self._parts(torch.zeros(1, CHANNELS, side, side))
        self.dim = others.shape[1] + energies.shape[1]
        self.energies = energies.shape[1]

    @property
    def weights(self) -> Tensor:
        """Weight of each statistic, [dim]; low for energies, so that slight blur counts less than a missing class."""
        return torch.cat([torch.ones(self.dim - self.energies), torch.full((self.energies,), ENERGY_WEIGHT)])

    def forward(self, images: Tensor) -> Tensor:
        """Reorder: statistics other than energies first."""
        return torch.cat(self._parts(images), 1)

    def _parts(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Moments, correlations and the coarse image; logarithms of energies, by orientation and by place."""
        image = conv2d(images, self.colours)
        others: list[Tensor] = []
        logs: list[Tensor] = []
        finer: Tensor | None = None  # energies of luma one level up, at the size of this one
        for level in range(LEVELS):
            side = self.side >> level
            energies = self._energies(
                image if level else image[:, :1], side
            )  # colour at the finest scale is expensive and contributes little
            luma = energies[:, :ORIENTATIONS]
            others += [*_moments(image), _correlations(luma, self.pairs), _correlations(image, self.colour_pairs)]
            logs += [_logarithm(_deviation(image)), _logarithm(energies.mean((2, 3))), _logarithm(_deviation(energies))]
            logs += [_logarithm(avg_pool2d(luma, side // 2).flatten(1))]
            logs += [_logarithm(avg_pool2d(luma.mean(1, keepdim=True), side // 4).flatten(1))]
            if finer is not None:
                others += [_correlation(luma, finer)]
                logs += [_logarithm(self._energies(finer, side).mean((2, 3)))]
            finer = avg_pool2d(luma, 2)
            image = self._halved(image)
        return torch.cat([*others, image.flatten(1)], 1), torch.cat(logs, 1)

    def _energies(self, images: Tensor, side: int) -> Tensor:
        """Amplitudes of the waves [n, channels * orientations, side, side] in images [n, channels, side, side]."""
        channels = images.shape[1]
        planes = pad(images, [REACH] * 4, "reflect").reshape(-1, 1, side + 2 * REACH, side + 2 * REACH)
        squares = conv2d(planes, self.waves).square()
        both = squares[:, :ORIENTATIONS] + squares[:, ORIENTATIONS:]
        energies: Tensor = (both + SMALL**2).sqrt()
        return energies.reshape(-1, channels * ORIENTATIONS, side, side)

    def _halved(self, images: Tensor) -> Tensor:
        return conv2d(pad(images, [2] * 4, "reflect"), self.binomial, stride=2, groups=CHANNELS)


def gabor_filters() -> Tensor:
    """Quadrature pairs, first all even ones, then all odd ones: [2 * ORIENTATIONS, 1, 9, 9].

    The response to a wave of the same period, orientation and phase is its amplitude; to a constant image, it is zero.
    """
    places = torch.arange(-REACH, REACH + 1).double()
    y, x = torch.meshgrid(places, places, indexing="ij")
    window = torch.exp(-(x * x + y * y) / (2 * (REACH / 2) ** 2))
    filters = []
    for phase in (torch.cos, torch.sin):
        for index in range(ORIENTATIONS):
            angle = math.pi * index / ORIENTATIONS
            wave = phase((x * math.cos(angle) + y * math.sin(angle)) * (2 * math.pi / PERIOD))
            filter_ = window * (wave - (window * wave).sum() / window.sum())
            filters.append(filter_ / (filter_ * wave).sum())
    return torch.stack(filters)[:, None].float()


def _binomial() -> Tensor:
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    return torch.outer(row, row)


def _pairs(count: int) -> Tensor:
    """Indices of the pairs i < j in a flattened matrix of `count` rows."""
    places = torch.arange(count * count).view(count, count)
    return places[torch.ones(count, count).triu(1) > 0]


def _moments(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, skewness and the root of kurtosis of each channel, [n, c] each."""
    mean = images.mean((2, 3), keepdim=True)
    unit = (images - mean) / _deviation(images)[:, :, None, None]
    cube = unit * unit * unit
    return mean[:, :, 0, 0], cube.mean((2, 3)), ((cube * unit).mean((2, 3)) + SMALL).sqrt()


def _deviation(images: Tensor) -> Tensor:
    off = images - images.mean((2, 3), keepdim=True)
    return (off.square().mean((2, 3)) + SMALL**2).sqrt()


def _logarithm(energies: Tensor) -> Tensor:
    return (energies + SMALL).log()


def _unit(images: Tensor) -> Tensor:
    """Rows [n, c, h w] minus their mean, scaled to length 1; constant rows become 0."""
    rows = images.flatten(2)
    off = rows - rows.mean(2, keepdim=True)
    return off / (off.square().sum(2, keepdim=True) + SMALL).sqrt()


def _correlations(images: Tensor, pairs: Tensor) -> Tensor:
    unit = _unit(images)
    return (unit @ unit.transpose(1, 2)).flatten(1)[:, pairs]


def _correlation(images: Tensor, others: Tensor) -> Tensor:
    return (_unit(images) * _unit(others)).sum(2)
