"""The generator of DCGAN in PyTorch's tutorial and examples: names `main.N`."""

from itertools import pairwise

from torch import Tensor, nn

from gan_runtime.errors import InputError
from gan_trainer.convert.architecture import (
    Architecture,
    Described,
    Weights,
    from_shapes,
    image_channels,
    kernels,
    numbers,
)

FIRST, EVERY = 4, 3  # pixels that a latent becomes; a layer is a convolution, its norm and a ReLU
LARGEST = 12  # layers


class TutorialGenerator(nn.Module):
    """Latents float [n, latent_dim, 1, 1] -> images float [n, c, s, s] in [-1, 1], s = 4 * 2^(layers - 1).

    Args:
        widths: channels of the latents, of each layer's output, and of the images.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        *hidden, channels = widths
        layers: list[nn.Module] = []
        for i, (inputs, outputs) in enumerate(pairwise(hidden)):
            layers += [_doubling(inputs, outputs, first=i == 0), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        self.main = nn.Sequential(*layers, _doubling(hidden[-1], channels, first=not layers), nn.Tanh())

    def forward(self, latents: Tensor) -> Tensor:
        """See the class."""
        images: Tensor = self.main(latents)
        return images


def dcgan(weights: Weights) -> Described:
    """Sizes from the shapes of the transposed convolutions."""
    layers = [number for number in numbers(weights, r"main\.(\d+)\.weight") if number % EVERY == 0]
    if layers != list(range(0, len(layers) * EVERY, EVERY)) or not 2 <= len(layers) <= LARGEST:
        raise InputError("its layers are not transposed convolutions with batch norms by turns")
    shapes = [kernels(weights, f"main.{number}.weight") for number in layers]
    widths = (shapes[0][0], *(outputs for _, outputs in shapes))
    image_channels(widths[-1], widths[-1])
    side = FIRST * 2 ** (len(layers) - 1)
    return Described(
        f"DCGAN of PyTorch's tutorial, {side} x {side} pixels, latents of {widths[0]}",
        "generate",
        lambda: TutorialGenerator(widths),
        dict(weights),
        (-1.0, 1.0),
        latent_dim=widths[0],
    )


def _doubling(inputs: int, outputs: int, *, first: bool) -> nn.ConvTranspose2d:
    """Twice the side, or from 1 x 1 to 4 x 4."""
    return nn.ConvTranspose2d(inputs, outputs, FIRST, *((1, 0) if first else (2, 1)), bias=False)


GENERATORS = (
    Architecture(
        "DCGAN (PyTorch's tutorial)",
        (r"main\.0\.weight", r"main\.1\.running_var", r"main\.3\.weight"),
        from_shapes(dcgan),
    ),
)
