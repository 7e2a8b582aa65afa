"""The candidates for general features, each trained without one source, and their features of sets of images."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from any_sources import NAMES, for_training
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from gan_trainer.features.contrastive import Contrast, Source, train_general_features
from gan_trainer.features.general import GeneralFeatures, principal_projection, statistics

STEPS = 500
TRAINED = {
    "random": Contrast(steps=0),
    "simclr": Contrast(steps=STEPS, distortions=0.0),
    "both": Contrast(steps=STEPS),
}
PARTS = ("pixels", "wavelets", *TRAINED)
FITTED = 1500  # images of each source that the components are taken from
MOST = 128  # principal components that are kept of each part
CANDIDATES = {
    "pixels": {"pixels": (80, 1.0)},
    "random convolutions": {"random": (80, 1.0)},
    "wavelets": {"wavelets": (80, 1.0)},
    "SimCLR": {"simclr": (80, 1.0)},
    "both losses": {"both": (80, 1.0)},
    "wavelets + random convolutions": {"wavelets": (48, 1.0), "random": (32, 0.5)},
    "wavelets + SimCLR": {"wavelets": (48, 1.0), "simclr": (32, 0.5)},
    "wavelets + both losses": {"wavelets": (48, 1.0), "both": (32, 0.5)},
}
"""The parts of each candidate: how many components, and their variance on average."""
Dims = dict[str, tuple[int, float]]
Images = NDArray[np.uint8]
Features = NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """Statistics of a kind, and their principal components on the training pictures."""

    network: GeneralFeatures
    statistics: nn.Module
    weight: Tensor
    bias: Tensor
    variances: NDArray[np.float64]

    def __call__(self, images: Images) -> Features:
        """The components [n, MOST] of images uint8 [n, h, w, c]."""
        found = statistics(self.statistics, at_size(images, self.network))
        return (found @ self.weight.T + self.bias).numpy()


def make_part(name: str, held_out: str, data: Path, work: Path, seed: int, say: Callable[[str], None]) -> Part:
    """The part `name` of `PARTS`, for which nothing of the source `held_out` was used; "" holds out none.

    A trained network is kept in the folder `work`, and taken from there the next time.
    """
    sources = [for_training(source, data, seed) for source in NAMES if source != held_out]
    network = GeneralFeatures()
    if name in TRAINED:
        network = trained(name, held_out, sources, work, seed, say)
    chosen = {"pixels": _Pixels(), "wavelets": network.wavelets}.get(name, network.convolutions)
    found = statistics(chosen, pool(sources, network, seed))
    weights = network.wavelets.weights if name == "wavelets" else None
    weight, bias = principal_projection(found, MOST, weights=weights)
    return Part(network, chosen, weight, bias, (found @ weight.T + bias).double().var(0).numpy())


class _Pixels(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return adaptive_avg_pool2d(images, 16).flatten(1)


@torch.no_grad()
def at_size(images: Images, network: GeneralFeatures) -> Images:
    """Images of any size as the network sees them, uint8 [n, SIDE, SIDE, 3]."""
    pieces = []
    for first in range(0, len(images), 128):
        resized = network.resized(torch.from_numpy(np.ascontiguousarray(images[first : first + 128])))
        pieces.append(resized.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy())
    return np.concatenate(pieces)


def trained(
    name: str, held_out: str, sources: list[Source], work: Path, seed: int, say: Callable[[str], None]
) -> GeneralFeatures:
    """The network `name` of `TRAINED`, trained on `sources`: all but `held_out`; its projections are not set.

    Its convolutions are kept in the folder `work`.
    """
    path = work / f"{name}-{held_out or 'all'}-{seed}.pt"
    if not path.exists():

        def report(step: int, losses: dict[str, float]) -> None:
            if step % 50 == 0:
                say(f"{name} without {held_out}: {step} {' '.join(f'{k} {v:.3f}' for k, v in losses.items())}")

        network = train_general_features(sources, TRAINED[name], seed, 1, report)
        torch.save(network.convolutions.state_dict(), path)
    network = GeneralFeatures()
    network.convolutions.load_state_dict(torch.load(path, weights_only=True))
    return network.eval().requires_grad_(False)


def pool(sources: list[Source], network: GeneralFeatures, seed: int) -> Images:
    """What projections are fitted to: as many images from each source, uint8 [n, SIDE, SIDE, 3]."""
    rng = np.random.default_rng(seed)
    return np.concatenate([at_size(rng.permutation(source.images)[:FITTED], network) for source in sources])


def join(components: dict[str, Features], variances: dict[str, NDArray[np.float64]], dims: Dims) -> Features:
    """The features of a candidate: the first components of its parts, scaled to their variance."""
    parts = []
    for part, (dim, variance) in dims.items():
        parts.append(components[part][:, :dim] * np.sqrt(variance * dim / variances[part][:dim].sum()))
    return np.concatenate(parts, 1).astype(np.float32)
