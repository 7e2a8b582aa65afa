"""Which network the weights in a file of others belong to, by their names and shapes alone."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gan_runtime.errors import InputError
from gan_trainer.convert.architecture import Architecture, Described, Weights
from gan_trainer.convert.checkpoint import Checkpoint, Part
from gan_trainer.convert.dcgan import GENERATORS
from gan_trainer.convert.rosinality import ROSINALITY
from gan_trainer.convert.stylegan2 import AUTHORS, UNSUPPORTED
from gan_trainer.convert.translators import TRANSLATORS
from gan_trainer.convert.upscalers import UPSCALERS
from gan_trainer.networks.weights import check_fit

ARCHITECTURES: tuple[Architecture, ...] = (*UPSCALERS, *TRANSLATORS, *GENERATORS, *AUTHORS, *ROSINALITY)
SHOWN = 4  # names in the description of weights that are not recognised


@dataclass(frozen=True)
class Recognised:
    """A network with the weights of a file.

    Attributes:
        network: in evaluation mode.
        described: what is known of it.
        origin: where it comes from, for the manifest of the exported file.
    """

    network: nn.Module
    described: Described
    origin: dict[str, Any]


def recognise(checkpoint: Checkpoint) -> Recognised:
    """The network of the first part of a checkpoint that is of a known architecture.

    Raises:
        InputError: there is none, or its weights do not fit; the message describes them.
    """
    for part in checkpoint.parts:
        for architecture in (*ARCHITECTURES, *UNSUPPORTED):
            if architecture.fits(part.weights):
                return _built(checkpoint, part, architecture)
    seen = "; ".join(_words(part) for part in checkpoint.parts[:2])
    known = ", ".join(architecture.name for architecture in ARCHITECTURES)
    raise InputError(
        f"{checkpoint.path}: weights of an unknown architecture: {seen}. Known are {known}. Others: build the network "
        "in Python, load the weights, and call gan_trainer.export"
    )


def _built(checkpoint: Checkpoint, part: Part, architecture: Architecture) -> Recognised:
    path = checkpoint.path
    try:
        described = architecture.describe(part.weights, part.beside)
        with torch.device("meta"):  # nothing is allocated before the shapes are known to fit
            check_fit(described.make(), described.weights, path)
    except InputError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise InputError(f"{path}: looks like {architecture.name}, but {reason}") from None
    network = described.make()
    network.load_state_dict(described.weights, strict=False)
    described.complete(network)
    origin = {"architecture": described.description, "weights": {"name": path.name, "sha256": checkpoint.sha256}}
    return Recognised(network.eval(), described, origin | ({"part": part.place} if part.place else {}))


def _words(part: Part) -> str:
    names = list(part.weights)
    some = ", ".join(f"{name} {_shape(part.weights, name)}" for name in names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{part.place}: {some}{more}" if part.place else f"{some}{more}"


def _shape(weights: Weights, name: str) -> str:
    return f"[{', '.join(map(str, weights[name].shape))}]"
