"""A generator with styles and its two parts, as modules whose inputs have the names of those of an exported file."""

from collections.abc import Mapping
from typing import ClassVar, TypeAlias

from torch import Tensor, nn

from gan_trainer.data.pixels import denormalise, to_pixels
from gan_trainer.export.inputs import LABELS, LATENTS
from gan_trainer.export.probe import IMAGES
from gan_trainer.networks.stylegan2 import StyleGenerator

TRUNCATION, NOISE, STYLES = "truncation", "noise", "styles"
Given: TypeAlias = Mapping[str, Tensor]


class Part(nn.Module):
    """What an exported file computes, with images in floats.

    Args:
        network: in evaluation mode.
        noise: whether noise is an input. Otherwise it is the network's constant noise.
    """

    outputs: ClassVar[tuple[str, ...]]

    def __init__(self, network: StyleGenerator, noise: bool = False) -> None:
        super().__init__()
        self.network = network
        self.names = self.inputs(bool(network.classes), noise)
        self.eval()  # the exporter restores the mode of this module, and would set `network` to training mode

    @staticmethod
    def inputs(labels: bool, noise: bool) -> tuple[str, ...]:
        """The names of the inputs."""
        raise NotImplementedError

    def compute(self, given: Given) -> tuple[Tensor, ...]:
        """The outputs for inputs by name."""
        raise NotImplementedError

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs for inputs in the order of `names`, with images as uint8 [n, h, w, c].

        -1 is black and 1 is white. Values beyond them, which a network without tanh has, are clipped.
        """
        found = self.compute(dict(zip(self.names, inputs, strict=True)))
        return tuple(
            to_pixels(denormalise(x)) if name == IMAGES else x for name, x in zip(self.outputs, found, strict=True)
        )


class Mapped(Part):
    """Latents to styles float [n, layers, w_dim]."""

    outputs = (STYLES,)

    @staticmethod
    def inputs(labels: bool, noise: bool) -> tuple[str, ...]:
        """See `Part`."""
        return (LATENTS, LABELS, TRUNCATION) if labels else (LATENTS, TRUNCATION)

    def compute(self, given: Given) -> tuple[Tensor, ...]:
        """See `Part`."""
        return (self.network.styles(given[LATENTS], given.get(LABELS), given[TRUNCATION]),)


class Synthesised(Part):
    """Styles to images float [n, c, h, w]."""

    outputs = (IMAGES,)

    @staticmethod
    def inputs(labels: bool, noise: bool) -> tuple[str, ...]:
        """See `Part`."""
        return (STYLES, NOISE) if noise else (STYLES,)

    def compute(self, given: Given) -> tuple[Tensor, ...]:
        """See `Part`."""
        return (self.network.synthesis(given[STYLES], given.get(NOISE)),)


class Drawn(Part):
    """Latents to images float [n, c, h, w] and styles float [n, layers, w_dim]."""

    outputs = (IMAGES, STYLES)

    @staticmethod
    def inputs(labels: bool, noise: bool) -> tuple[str, ...]:
        """See `Part`."""
        return (*Mapped.inputs(labels, noise), NOISE) if noise else Mapped.inputs(labels, noise)

    def compute(self, given: Given) -> tuple[Tensor, ...]:
        """See `Part`."""
        styles = self.network.styles(given[LATENTS], given.get(LABELS), given[TRUNCATION])
        return self.network.synthesis(styles, given.get(NOISE)), styles
