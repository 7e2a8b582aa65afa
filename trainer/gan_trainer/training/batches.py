"""The batches that a run is trained on."""

from typing import Protocol

import torch
from torch import Tensor

from gan_runtime.data import Dataset
from gan_runtime.data.domain_split import split_domains
from gan_runtime.data.domains import Domains
from gan_runtime.data.photos import Photos
from gan_runtime.data.split import split_by_content
from gan_trainer.data.batches import Batches
from gan_trainer.data.domains import DomainBatches
from gan_trainer.data.photos import PhotoBatches
from gan_trainer.training.config import Config


class Stream(Protocol):
    """An endless stream of batches without state."""

    def at(self, images_seen: int) -> dict[str, Tensor]:
        """The batch after `images_seen` images, by the names of the arguments of a system's step."""


def batches_of(config: Config, dataset: Dataset) -> Stream:
    """The batches of a run's data: `images` and `labels`, or `source` and `images` of two domains or of photos.

    Recipes for two domains may have the fields `flip` and `shift`, as `DomainBatches` takes them. Recipes for photos
    have the fields `scale`, `crop` and `degradation`, as `PhotoBatches` takes them.
    """
    recipe, device = config.recipe, torch.device(config.device)
    if isinstance(dataset, Photos):
        settings = {name: getattr(recipe, name) for name in ("scale", "crop", "degradation")}
        train = split_by_content(dataset, config.data.hold_out or 0.0).train
        return PhotoBatches(dataset, train, batch_size=recipe.batch_size, seed=config.seed, device=device, **settings)
    if not isinstance(dataset, Domains):
        return Batches(dataset, recipe.batch_size, config.seed, device, config.data.rows(dataset))
    changes = {name: getattr(recipe, name) for name in ("flip", "shift") if hasattr(recipe, name)}
    rows = split_domains(dataset, config.data.hold_out).train
    return DomainBatches(dataset, rows, recipe.batch_size, config.seed, device, **changes)
