"""Features of one's own images: the general features, trained on these alone, and how they judge distortions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gan_runtime.data import Dataset
from gan_runtime.data.split import Split, split_by_content
from gan_runtime.errors import InputError
from gan_runtime.evaluation.features import FeatureNetwork
from gan_trainer.features.classifier import MOST, ClassifiedFeatures
from gan_trainer.features.contrastive import Contrast, Source, train_general_features
from gan_trainer.features.distortions import FAMILIES, spoilt_sets
from gan_trainer.features.general import BATCH, DIMS, GeneralFeatures
from gan_trainer.features.judgement import REFERENCE, Verdict, judge

JUDGED = 500  # images of each set that is judged, at most
FEWEST_JUDGED = 1 + sum(DIMS)  # so many are needed for a Frechet distance
FEWEST = 200  # images
REFERENCES = 2000


@dataclass(frozen=True)
class OwnImages:
    """A data set whose training images train the features, and the images that judge them.

    Attributes:
        dataset: all images, with labels if it has classes.
        split: which of them are held out.
        mirror: whether a mirrored image is as good.
    """

    dataset: Dataset
    split: Split
    mirror: bool = True

    def source(self) -> Source:
        """The training images."""
        labels = self.dataset.labels[self.split.train] if self.dataset.classes else None
        return Source(self.dataset.images[self.split.train], labels, self.mirror)

    def judged(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of the reference, and rows of the images that are distorted: the held-out ones, and training images
        where these are too few for a Frechet distance.
        """
        rng = np.random.default_rng(0)
        held_out, train = rng.permutation(self.split.held_out), rng.permutation(self.split.train)
        missing = max(0, FEWEST_JUDGED - len(held_out))
        return train[missing:][:REFERENCES], np.concatenate([held_out, train[:missing]])[:JUDGED]


def own_images(dataset: Dataset, mirror: bool = True) -> OwnImages:
    """Hold out a part of the images, which depends on their content alone.

    Raises:
        InputError: there are too few.
    """
    if len(dataset.images) < FEWEST:
        raise InputError(
            f"{dataset.name}: {len(dataset.images):,} images are too few to train features; at least {FEWEST} are "
            "needed; gan-eval measures with the general network"
        )
    return OwnImages(dataset, split_by_content(dataset), mirror)


def train_own_features(
    images: OwnImages,
    recipe: Contrast,
    seed: int = 0,
    threads: int = 1,
    report: Callable[[int, dict[str, float]], None] = lambda step, losses: None,
) -> GeneralFeatures | ClassifiedFeatures:
    """Train on the CPU, as `train_general_features` does; a classifier if the images have classes."""
    source = images.source()
    general = train_general_features([source], recipe, seed, threads, report)
    if source.labels is None:
        return general
    network = ClassifiedFeatures(general, len(images.dataset.classes))
    rows = np.random.default_rng(seed).permutation(len(source.images))[:MOST]
    network.fit(_at_size(source.images[rows], general), source.labels[rows])
    return network.eval().requires_grad_(False)


def accuracy(network: nn.Module, images: OwnImages) -> float:
    """Share of the held-out images that a classifier gives their class."""
    rows, right = images.split.held_out, 0
    with torch.no_grad():
        for first in range(0, len(rows), BATCH):
            chosen = rows[first : first + BATCH]
            logits = network(torch.from_numpy(images.dataset.images[chosen]))[1]
            right += int((logits.argmax(1).numpy() == images.dataset.labels[chosen]).sum())
    return right / len(rows)


def judge_features(
    network: FeatureNetwork, images: OwnImages, report: Callable[[int], None] = lambda images: None
) -> Verdict:
    """Compare distorted and repeated images with real ones in the features of `network`.

    Args:
        network: takes images of the size of the data set.
        images: those that are not held out are the reference.
        report: called with the numbers of images that were measured since the last call.
    """
    reference, rows = images.judged()
    pixels = images.dataset.images

    def measured(some: NDArray[np.uint8]) -> NDArray[np.float32]:
        found = network.measure(iter(_blocks(some))).features
        report(len(some))
        return found

    sets = {REFERENCE: measured(pixels[reference])}
    for name, some in spoilt_sets(pixels[rows], np.random.default_rng(0)):
        sets[name] = measured(some)
    return judge(sets)


def measured_images(images: OwnImages) -> int:
    """How many images `judge_features` measures."""
    reference, rows = images.judged()
    return len(reference) + len(rows) * (2 + sum(len(strengths) for _, strengths in FAMILIES.values()))


def _blocks(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    return (np.ascontiguousarray(images[first : first + BATCH]) for first in range(0, len(images), BATCH))


@torch.no_grad()
def _at_size(images: NDArray[np.uint8], network: GeneralFeatures) -> NDArray[np.uint8]:
    """Images as the network sees them, uint8 [n, SIDE, SIDE, 3]."""
    resized = [network.resized(torch.from_numpy(block)) for block in _blocks(images)]
    return torch.cat(resized).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
