"""Contrastive training of the general features: match views of an image, and recognise distortions of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, normalize

from gan_runtime.errors import InputError
from gan_trainer.features.convolutions import ConvolutionStatistics
from gan_trainer.features.general import BATCH, SIDE, GeneralFeatures, as_floats
from gan_trainer.features.views import DISTORTIONS, distorted, random_views
from gan_trainer.training.config import choose_precision

FEWEST = 32  # smallest number of images of a source


@dataclass(frozen=True)
class Source:
    """A set of training images.

    Attributes:
        images: uint8 [n, h, w, c], c = 1 or 3; n is at least FEWEST.
        labels: classes, int64 [n], starting at 0; None if there are none.
        mirror: whether images may be mirrored; false for digits and letters.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None = None
    mirror: bool = True


@dataclass(frozen=True)
class Contrast:
    """How the convolutions are trained. The defaults are what ships; `distortions` 0 is plain SimCLR."""

    steps: int = 600
    batch_size: int = 64  # images; each has two views and a distorted copy
    sources: int = 2  # in a batch
    lr: float = 1e-3
    weight_decay: float = 0.02
    temperature: float = 0.2
    distortions: float = 1.0  # weight of the losses on kind and strength of the distortion
    origins: float = 0.5  # weight of the loss on source and class
    fitted: int = 1500  # images per source to fit the projections


class _Heads(nn.Module):
    """The heads of the losses, which are discarded after training."""

    def __init__(self, dim: int, origins: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim, affine=False)
        self.projector = nn.Sequential(nn.Linear(dim, 256), nn.ReLU(), nn.Linear(256, 64))
        self.kind = nn.Linear(dim, len(DISTORTIONS))
        self.strength = nn.Linear(dim, len(DISTORTIONS))
        self.origin = nn.Linear(dim, origins)


def train_general_features(
    sources: Sequence[Source],
    recipe: Contrast | None = None,
    seed: int = 0,
    threads: int = 1,
    report: Callable[[int, dict[str, float]], None] = lambda step, losses: None,
) -> GeneralFeatures:
    """Train the convolutions of `GeneralFeatures` on the CPU, and fit its projections.

    The loss is NT-Xent of two views of each image (Chen et al. 2020, "A simple framework for contrastive learning of
    visual representations", equation 1), plus, for a third, distorted copy, the cross-entropy of the kind of
    distortion and the squared error of its strength, plus the cross-entropy of source and class.

    Args:
        sources: at least one; all have the same share of each batch.
        recipe: length, rates and weights of the losses.
        seed: of all random numbers.
        threads: number per operator.
        report: called after each step with the number of steps done and the losses by name.

    Returns:
        The network in eval mode, ready for export.

    Raises:
        InputError: a source has too few images.
    """
    recipe = recipe or Contrast()
    for source in sources:
        if len(source.images) < FEWEST:
            raise InputError(f"{len(source.images)} images: at least {FEWEST} are needed to train features")
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    network = GeneralFeatures()
    pool = _Pool(sources, network)
    network.convolutions.initialise(as_floats(pool.some(4 * 64)))
    _train(network.convolutions, pool, recipe, report)
    network.fit(pool.some(recipe.fitted * len(sources)))
    return network.eval().requires_grad_(False)


class _Pool:
    """The images of all sources at the size of the network, uint8 [n, SIDE, SIDE, 3], and their sources."""

    def __init__(self, sources: Sequence[Source], network: GeneralFeatures) -> None:
        self.images = [_at_size(source.images, network) for source in sources]
        self.mirror = [source.mirror for source in sources]
        self.origins, self.count = [], 0
        for source in sources:
            labels = np.zeros(len(source.images), np.int64) if source.labels is None else source.labels
            self.origins.append(torch.from_numpy(labels + self.count))
            self.count += int(labels.max()) + 1

    def draw(self, n: int, sources: int) -> tuple[Tensor, Tensor, Tensor]:
        """A batch of n images, float [n, 3, SIDE, SIDE]; whether they may be mirrored; their sources and classes."""
        sources = min(sources, len(self.images))
        parts = []
        for index in torch.randperm(len(self.images))[:sources].tolist():
            rows = torch.randint(len(self.images[index]), (n // sources,))
            mirror = torch.full((len(rows),), self.mirror[index])
            parts.append((as_floats(self.images[index][rows.numpy()]), mirror, self.origins[index][rows]))
        images, mirrors, origins = (torch.cat(part) for part in zip(*parts, strict=True))
        return images, mirrors, origins

    def some(self, n: int) -> NDArray[np.uint8]:
        """About n images, equally many from each source, without repetition if there are enough."""
        share, parts = -(-n // len(self.images)), []
        for images in self.images:
            parts.append(images[torch.randperm(len(images))[:share].numpy()])
        return np.concatenate(parts)


@torch.no_grad()
def _at_size(images: NDArray[np.uint8], network: GeneralFeatures) -> NDArray[np.uint8]:
    kept = np.empty((len(images), SIDE, SIDE, 3), np.uint8)
    for first in range(0, len(images), BATCH):
        part = network.resized(torch.from_numpy(np.ascontiguousarray(images[first : first + BATCH])))
        kept[first : first + BATCH] = part.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    return kept


def _train(
    convolutions: ConvolutionStatistics,
    pool: _Pool,
    recipe: Contrast,
    report: Callable[[int, dict[str, float]], None],
) -> None:
    heads = _Heads(convolutions.dim, pool.count)
    parameters = [*convolutions.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, recipe.lr, betas=(0.9, 0.98), weight_decay=recipe.weight_decay, fused=True
    )
    for step in range(recipe.steps):
        optimizer.param_groups[0]["lr"] = recipe.lr * _rate(step / recipe.steps)
        losses = _losses(convolutions, heads, pool.draw(recipe.batch_size, recipe.sources), recipe)
        optimizer.zero_grad()
        sum(losses.values(), torch.zeros(())).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 2.0)
        optimizer.step()
        report(step + 1, {name: loss.item() for name, loss in losses.items()})


def _losses(
    convolutions: ConvolutionStatistics, heads: _Heads, batch: tuple[Tensor, Tensor, Tensor], recipe: Contrast
) -> dict[str, Tensor]:
    images, mirror, origins = batch
    n = len(images)
    shown = [random_views(images, mirror), random_views(images, mirror)]
    changed, kinds, strengths = distorted(images)
    with torch.autocast("cpu", torch.bfloat16, enabled=choose_precision("auto", "cpu") == "bf16"):
        values = convolutions(torch.cat([*shown, changed] if recipe.distortions else shown))
    values = heads.norm(values.float())
    views, rest = values[: 2 * n], values[2 * n :]
    losses = {"views": nt_xent(heads.projector(views), recipe.temperature)}
    if recipe.distortions:
        told = kinds > 0
        strength = heads.strength(rest).gather(1, kinds[:, None])[:, 0]
        losses["kind"] = recipe.distortions * cross_entropy(heads.kind(rest), kinds)
        losses["strength"] = recipe.distortions * 3.0 * mse_loss(strength[told], strengths[told])
        losses["origin"] = recipe.origins * cross_entropy(heads.origin(rest), origins)
    return losses


def nt_xent(projected: Tensor, temperature: float) -> Tensor:
    """NT-Xent of [2 n, d], where rows i and n + i are views of one image: equation 1 of Chen et al. 2020."""
    unit = normalize(projected, dim=1)
    similar = unit @ unit.T / temperature
    similar.fill_diagonal_(-math.inf)
    partners = torch.arange(len(unit)).roll(len(unit) // 2)
    return cross_entropy(similar, partners)


def _rate(progress: float) -> float:
    """Learning rate factor: a short linear warm-up, then a cosine decay to zero."""
    return min(1.0, progress / 0.05) * 0.5 * (1.0 + math.cos(math.pi * progress))
