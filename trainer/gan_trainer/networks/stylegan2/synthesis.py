"""The synthesis network of StyleGAN2 with skip connections (Karras et al. 2020, sections 2.2 and 4)."""

from collections.abc import Iterator, Mapping
from itertools import pairwise, repeat

import torch
from torch import Tensor, nn

from gan_runtime.manifest import ImageSize
from gan_trainer.networks.stylegan2.canvas import COARSEST, canvas_side, centre, grids
from gan_trainer.networks.stylegan2.modulated import ModulatedConv, ToImage
from gan_trainer.networks.stylegan2.resample import double


class Synthesis(nn.Module):
    """Styles -> images: a learned grid of 4x4 is convolved and doubled, and each grid adds its part to the image.

    Args:
        size: of the images, the centre of a canvas (`canvas.py`).
        style_dim: values per style.
        channels: of each grid, by its side: 4, 8, … to that of the canvas.
        noisy: add noise to the output of each convolution.
        clamp: the largest magnitude of features; 0 for no limit.
    """

    constant_noise: Tensor

    def __init__(
        self,
        size: ImageSize,
        style_dim: int,
        channels: Mapping[int, int],
        *,
        noisy: bool = True,
        clamp: float = 0.0,
    ) -> None:
        super().__init__()
        self.size = size
        sides = grids(canvas_side(size))
        widths = [channels[side] for side in sides]
        self.const = nn.Parameter(torch.randn(widths[0], COARSEST, COARSEST))
        self.ups = nn.ModuleList(
            ModulatedConv(fewer, more, style_dim, doubling=True, noisy=noisy, clamp=clamp)
            for fewer, more in pairwise(widths)
        )
        self.convs = nn.ModuleList(ModulatedConv(width, width, style_dim, noisy=noisy, clamp=clamp) for width in widths)
        self.to_images = nn.ModuleList(ToImage(width, size.channels, style_dim, clamp=clamp) for width in widths)
        self.noisy = noisy
        self.noise_sides = [sides[0], *(side for side in sides[1:] for _ in range(2))]
        self.register_buffer("constant_noise", torch.randn(self.noise_dim))

    @property
    def layers(self) -> int:
        """The number of styles of an image: one for each convolution, and one for the last `ToImage`.

        The other ones share the style of the convolution that follows.
        """
        return len(self.noise_sides) + 1

    @property
    def noise_dim(self) -> int:
        """Values of noise of an image: one for each position of each convolution's output; 0 without noise."""
        return sum(side**2 for side in self.noise_sides) if self.noisy else 0

    def forward(self, styles: Tensor, noise: Tensor | None = None) -> Tensor:
        """The images of styles.

        Args:
            styles: float [n, layers, style_dim].
            noise: N(0, 1) for all convolutions in their order, row by row, float [n or 1, noise_dim]. None draws new
                noise in training mode, and is the constant noise in evaluation mode.

        Returns:
            float [n, c, h, w], around [-1, 1].
        """
        maps = self._maps(self._usual_noise(styles.shape[0]) if noise is None else noise)
        x = self.convs[0](self.const, styles[:, 0], next(maps))
        images: Tensor = self.to_images[0](x, styles[:, 1])
        for i, (up, conv, to_image) in enumerate(zip(self.ups, self.convs[1:], self.to_images[1:], strict=True)):
            x = up(x, styles[:, 2 * i + 1], next(maps))
            x = conv(x, styles[:, 2 * i + 2], next(maps))
            images = double(images) + to_image(x, styles[:, 2 * i + 3])
        return centre(images, self.size)

    def _usual_noise(self, n: int) -> Tensor:
        if self.training:
            return torch.randn(n, self.noise_dim, device=self.constant_noise.device)
        return self.constant_noise[None]

    def _maps(self, noise: Tensor) -> Iterator[Tensor | None]:
        """The noise of each convolution, float [n or 1, 1, side, side]."""
        if not self.noisy:
            return repeat(None, len(self.noise_sides))
        pieces = torch.split(noise, [side**2 for side in self.noise_sides], 1)
        return (piece.reshape(-1, 1, side, side) for piece, side in zip(pieces, self.noise_sides, strict=True))
