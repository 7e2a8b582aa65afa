"""What is known of an architecture of others: how to tell its weights, and the network that they belong to."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from gan_runtime.errors import InputError

DIGITS = 9  # of the number of a layer; longer ones are refused as names
Weights = Mapping[str, Tensor]
Beside = Mapping[str, Any]
"""What a file says beside the weights: settings of modules by their names, or tensors beside the dictionary."""


@dataclass(frozen=True)
class Described:
    """A network, as its weights describe it.

    Args:
        description: for people: architecture and sizes.
        task: what it is deployed for: "upscale", "translate" or "generate".
        make: builds the network with random weights.
        weights: by the names of that network.
        range: the values of black and white in its images.
        channels: of the images that it takes, and of those that it gives.
        latent_dim: values per latent, where it takes latents.
        remarks: what the weights do not say and is assumed.
        complete: computes what the weights lack, once the network has them.
    """

    description: str
    task: str
    make: Callable[[], nn.Module]
    weights: dict[str, Tensor]
    range: tuple[float, float]
    channels: tuple[int, int] = (0, 0)
    latent_dim: int = 0
    remarks: tuple[str, ...] = ()
    complete: Callable[[nn.Module], None] = lambda network: None


@dataclass(frozen=True)
class Architecture:
    """How to recognise weights and to read sizes from their shapes.

    Args:
        name: for people.
        marks: regular expressions; each fully matches the name of at least one weight.
        describe: weights, and what is known beside them -> the network. Raises InputError if they contradict each
            other.
    """

    name: str
    marks: tuple[str, ...]
    describe: Callable[[Weights, Beside], Described]

    def fits(self, weights: Weights) -> bool:
        """Whether the names of the weights are those of this architecture."""
        return all(any(re.fullmatch(mark, name) for name in weights) for mark in self.marks)


def from_shapes(describe: Callable[[Weights], Described]) -> Callable[[Weights, Beside], Described]:
    """`describe` of an architecture whose weights say everything."""
    return lambda weights, _: describe(weights)


def renamed(weights: Weights, *rules: tuple[str, str]) -> dict[str, Tensor]:
    """`weights` with the first of the rules (regular expression, replacement) that matches a whole name applied."""
    return {_renamed(name, rules): value for name, value in weights.items()}


def kernels(weights: Weights, name: str) -> tuple[int, int]:
    """The two numbers of channels of a convolution's weights [a, b, h, w]. Raises InputError where it is none."""
    shape = weights[name].shape if name in weights else ()
    if len(shape) != 4 or 0 in shape:
        raise InputError(f"{name} is {list(shape)}, not the weights of a convolution" if shape else f"it lacks {name}")
    return shape[0], shape[1]


def numbers(weights: Weights, pattern: str) -> list[int]:
    """The distinct numbers that the group of a regular expression matches in the names, sorted."""
    found = (re.match(pattern, name) for name in weights)
    return sorted({int(match[1]) for match in found if match and len(match[1]) <= DIGITS})


def image_channels(inputs: int, outputs: int) -> int:
    """The channels of the images. Raises InputError unless the network is one from grey to grey or RGB to RGB."""
    if inputs != outputs or outputs not in (1, 3):
        both = f"{outputs} channels" if inputs == outputs else f"{inputs} channels at the input and {outputs} behind"
        raise InputError(f"its images have {both}; supported are 1 and 3")
    return outputs


def _renamed(name: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, new in rules:
        if match := re.fullmatch(pattern, name):
            return match.expand(new)
    return name
