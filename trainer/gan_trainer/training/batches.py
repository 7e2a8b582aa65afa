"""The batches that a run is trained on."""

from dataclasses import dataclass
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
from gan_trainer.training.distributed.processes import ALONE, Processes, share_of_batch


class Stream(Protocol):
    """An endless stream of batches without state."""

    def at(self, images_seen: int) -> dict[str, Tensor]:
        """The batch after `images_seen` images, by the names of the arguments of a system's step."""


@dataclass(frozen=True)
class Part:
    """The part of each batch that begins `offset` images after its first one."""

    stream: Stream
    offset: int

    def at(self, images_seen: int) -> dict[str, Tensor]:
        """That part of the batch after `images_seen` images."""
        return self.stream.at(images_seen + self.offset)


def batches_of(config: Config, dataset: Dataset, processes: Processes = ALONE) -> Stream:
    """The batches of a run's data: `images` and `labels`, or `source` and `images` of two domains or of photos.

    Recipes for two domains may have the fields `flip` and `shift`, as `DomainBatches` takes them. Recipes for photos
    have the fields `scale`, `crop` and `degradation`, as `PhotoBatches` takes them.

    In several processes, each has its part of the batches of the recipe's size: the first takes the first images.

    Raises:
        InputError: as `share_of_batch`.
    """
    size = share_of_batch(config.recipe, processes)
    return Part(_batches_of(config, dataset, size), processes.rank * size)


def _batches_of(config: Config, dataset: Dataset, size: int) -> Stream:
    recipe, device = config.recipe, torch.device(config.device)
    if isinstance(dataset, Photos):
        settings = {name: getattr(recipe, name) for name in ("scale", "crop", "degradation")}
        train = split_by_content(dataset, config.data.hold_out or 0.0).train
        return PhotoBatches(dataset, train, batch_size=size, seed=config.seed, device=device, **settings)
    if not isinstance(dataset, Domains):
        return Batches(dataset, size, config.seed, device, config.data.rows(dataset))
    changes = {name: getattr(recipe, name) for name in ("flip", "shift") if hasattr(recipe, name)}
    rows = split_domains(dataset, config.data.hold_out).train
    return DomainBatches(dataset, rows, size, config.seed, device, **changes)
