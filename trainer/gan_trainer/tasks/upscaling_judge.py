"""What the networks of a run that enlarge are measured with: squares of held-out photos."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gan_runtime.data import Dataset
from gan_runtime.data.photos import Photos
from gan_runtime.data.split import split_by_content
from gan_runtime.errors import InputError
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.metrics.luminance import PROTOCOL
from gan_runtime.evaluation.metrics.pixels import LEAST_SIDE
from gan_runtime.evaluation.scores import TEST
from gan_runtime.evaluation.table import METRICS
from gan_runtime.evaluation.upscaling import (
    BICUBIC,
    PATCH,
    Looks,
    Pair,
    Picture,
    UpscalingScores,
    looks_of,
    mean_scores,
    measure,
    pair_of,
    real_scores,
)
from gan_runtime.images.choice import some_in_order
from gan_runtime.images.resample import enlarged
from gan_trainer.data.pixels import from_pixels, to_levels, to_pixels
from gan_trainer.recipes.upscaling import UpscalingRecipe
from gan_trainer.tasks.features import open_features, opener
from gan_trainer.training.config import Config

MOST = 20  # photos of an evaluation
SIDE = 384  # pixels; the largest side of the square in the middle of each that is measured


@dataclass(frozen=True, eq=False)
class Judge:
    """Squares of held-out photos.

    Args:
        pairs: the squares.
        scale: factor between the resolutions.
        network: gives features of their parts.
        facts: the content of floors.json besides the scores.
    """

    pairs: tuple[Pair, ...]
    scale: int
    network: FeatureNetwork
    facts: dict[str, Any]

    @property
    def most(self) -> int:
        """The number of photos."""
        return len(self.pairs)

    def scores(self, networks: Mapping[str, nn.Module], config: Config, *counts: int) -> list[UpscalingScores]:
        """Scores of the enlarged squares, once for each of `counts`, which are no smaller."""
        return [self._mean([enlarge(networks["generator"], pair.low, config) for pair in self.pairs])] * len(counts)

    def words(self, scores: UpscalingScores, n: int) -> str:
        """Scores for people, beside those of bicubic interpolation."""
        bicubic = self._floors[BICUBIC]
        return "  ".join(
            f"{METRICS[key].title} {METRICS[key].text(value)} ({BICUBIC} {METRICS[key].text(bicubic[key])})"
            for key, value in scores.to_dict().items()
        )

    def floors(self, *counts: int) -> dict[str, Any]:
        """The content of floors.json: scores of bicubic interpolation, and of the photos themselves."""
        return self.facts | {"floors": {str(n): self._floors for n in counts}}

    @cached_property
    def _truths(self) -> list[Looks]:
        return [looks_of(pair.truth, self.scale, self.network) for pair in self.pairs]

    @cached_property
    def _floors(self) -> dict[str, dict[str, float]]:
        bicubic = self._mean([enlarged(pair.low, self.scale) for pair in self.pairs])
        return {BICUBIC: bicubic.to_dict(), TEST: real_scores(self._truths)}

    def _mean(self, pictures: list[Picture]) -> UpscalingScores:
        pairs = zip(pictures, self.pairs, strict=True)
        return mean_scores([measure(one, pair.truth, self.scale, self.network) for one, pair in pairs], self._truths)


def pairs_of(photos: Photos, rows: NDArray[np.int64], recipe: UpscalingRecipe, side: int) -> list[Pair]:
    """The squares in the middle of photos, of at most `side` pixels, in both resolutions; small photos are left out."""
    least, found = LEAST_SIDE + 2 * recipe.scale, []
    for index in rows:
        photo = photos.images[index]
        used = min(side, *photo.shape[:2]) // recipe.scale * recipe.scale
        if used < least:
            continue
        down, across = ((length - used) // 2 for length in photo.shape[:2])
        square = np.ascontiguousarray(photo[down : down + used, across : across + used])
        found.append(pair_of(square, recipe.scale, recipe.degradation))
    return found


def enlarge(network: nn.Module, picture: Picture, config: Config) -> Picture:
    """What the network makes of a picture uint8 [h, w, c] in float32: uint8 [scale h, scale w, c]."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            values = network(from_pixels(torch.tensor(picture, device=config.device)[None])).float()
            return np.asarray(to_pixels(to_levels(values))[0].cpu())
    finally:
        network.train(training)


def _judge(config: Config, dataset: Dataset, before: Mapping[str, Any] | None, quiet: bool) -> Judge:
    recipe, photos = recipe_and_photos(config, dataset)
    rows = held_out(config, photos)
    pairs = pairs_of(photos, rows[some_in_order(len(rows), MOST)], recipe, SIDE)
    if not pairs:
        raise InputError(f"{config.data.name}: no photos are held out to measure with; give --hold-out 0.1")
    data, network = config.data, open_features(config, before, quiet, PATCH)
    network.check_size(PATCH, "patches of photos")
    about = {"name": data.name, "digest": data.digest, "train": data.images, "test": len(pairs)}
    features = {"name": network.name, "sha256": network.model.sha256}
    return Judge(tuple(pairs), recipe.scale, network, {"data": about, "features": features, "protocol": PROTOCOL})


open_judge = opener(_judge)


def held_out(config: Config, photos: Photos) -> NDArray[np.int64]:
    """Indices of the photos that the run is not trained on."""
    return split_by_content(photos, config.data.hold_out or 0.0).held_out


def recipe_and_photos(config: Config, dataset: Dataset) -> tuple[UpscalingRecipe, Photos]:
    """The recipe and the data of a run, as this task has them."""
    assert isinstance(config.recipe, UpscalingRecipe)
    assert isinstance(dataset, Photos)
    return config.recipe, dataset
