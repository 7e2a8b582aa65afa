"""Pictures translated by a network in training, as its exported file will translate them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gan_runtime.data import Dataset
from gan_runtime.data.domain_split import split_domains
from gan_runtime.data.domains import Domains
from gan_runtime.images.choice import some_in_order
from gan_trainer.data.pixels import denormalise, normalise, to_pixels
from gan_trainer.training.config import Config

PIXELS = 2**18  # per batch

Pictures = NDArray[np.uint8]  # [n, h, w, c]


@dataclass(frozen=True)
class Unseen:
    """Pictures that a run is not trained on: uint8 [n, h, w, c] of the input domain, and of the target domain.

    If the data has pairs, picture i of `targets` is the truth of picture i of `inputs`.
    """

    inputs: Pictures
    targets: Pictures


def translate(network: nn.Module, pictures: Pictures, config: Config) -> Pictures:
    """What the network makes of pictures [n, h, w, c]: uint8 [n, h, w, c']. It computes in float32."""
    training = network.training
    network.eval()
    try:
        return np.concatenate(list(_translated(network, pictures, torch.device(config.device))))
    finally:
        network.train(training)


@torch.no_grad()
def _translated(network: nn.Module, pictures: Pictures, device: torch.device) -> Iterator[Pictures]:
    rows = max(1, PIXELS // (pictures.shape[1] * pictures.shape[2]))
    for first in range(0, len(pictures), rows):
        batch = normalise(torch.tensor(pictures[first : first + rows], device=device))
        yield to_pixels(denormalise(network(batch).float())).cpu().numpy()


def unseen(dataset: Dataset, config: Config, most: int) -> Unseen | None:
    """At most so many held-out pictures of each domain, chosen at random; None if there are none."""
    assert isinstance(dataset, Domains)
    parts = split_domains(dataset, config.data.hold_out)
    if not len(parts.held_out.source) or not len(parts.held_out.images):
        return None
    inputs, targets = (rows[some_in_order(len(rows), most)] for rows in (parts.held_out.source, parts.held_out.images))
    return Unseen(np.asarray(parts.unseen.source.images[inputs]), np.asarray(parts.unseen.images[targets]))
