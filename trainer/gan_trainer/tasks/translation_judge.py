"""What the networks of a translation run are measured with: held-out pictures, and the domain they become part of."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gan_runtime.data import Dataset
from gan_runtime.data.domain_split import split_domains
from gan_runtime.data.domains import Domains
from gan_runtime.errors import InputError
from gan_runtime.evaluation.reference import measure_split
from gan_runtime.evaluation.table import METRICS
from gan_runtime.evaluation.translation import Target, TranslationScores, score_translation, translation_floors
from gan_trainer.tasks.features import open_features, opener
from gan_trainer.tasks.translating import translate, unseen
from gan_trainer.training.config import Config

SAID = ("fid", "kid", "l1", "psnr", "ssim", "cycle")  # on stderr during a run
MOST, MOST_UNPAIRED = 500, 200  # pictures of an evaluation; with the recipes' intervals, it takes 5 % of a training
RETURNED = 50  # of them are translated back for the cycle error


@dataclass(frozen=True, eq=False)
class Judge:
    """Held-out pictures of a run, and the target domain in the features of a network.

    Args:
        target: what the outputs are compared with.
        inputs: uint8 [n, h, w, c].
        truth: what each of them should become, uint8 [n, h, w, c']; None where nobody knows.
        facts: the content of floors.json besides the scores.
    """

    target: Target
    inputs: NDArray[np.uint8]
    truth: NDArray[np.uint8] | None
    facts: dict[str, Any]

    @property
    def most(self) -> int:
        """The number of held-out inputs."""
        return len(self.inputs)

    def scores(self, networks: Mapping[str, nn.Module], config: Config, *counts: int) -> list[TranslationScores]:
        """Scores of the translations of all held-out inputs, once for each of `counts`, which are no smaller."""
        outputs, returned = translate(networks["generator"], self.inputs, config), None
        if "inverse" in networks:
            returned = translate(networks["inverse"], outputs[:RETURNED], config)
        return [score_translation(outputs, self.inputs, self.target, self.truth, returned)] * len(counts)

    def words(self, scores: TranslationScores, n: int) -> str:
        """Scores for people, beside those of doing nothing and of real images."""
        return "  ".join(
            f"{shown.title} {shown.text(value)}{self._beside(key)}"
            for key, shown in METRICS.items()
            if key in SAID and (value := getattr(scores, key)) is not None
        )

    def _beside(self, key: str) -> str:
        known = {name: floor[key] for name, floor in self._floors.items() if key in floor}
        shown = [f"{name} {METRICS[key].text(value)}" for name, value in known.items()]
        return f" ({', '.join(shown)})" if shown else ""

    def floors(self, *counts: int) -> dict[str, Any]:
        """The content of floors.json: scores of doing nothing and of real images, and what was measured with."""
        return self.facts | {"floors": {str(n): self._floors for n in counts}}

    @cached_property
    def _floors(self) -> dict[str, dict[str, Any]]:
        return translation_floors(self.inputs, self.target, self.truth)


def _judge(config: Config, dataset: Dataset, before: Mapping[str, Any] | None, quiet: bool) -> Judge:
    assert isinstance(dataset, Domains)
    data = config.data
    shown = unseen(dataset, config, MOST if dataset.paired else MOST_UNPAIRED)
    if shown is None:
        raise InputError(f"{data.name}: no pictures are held out to measure with; give --hold-out 0.1")
    network = open_features(config, before, quiet)
    network.check_size(data.size, data.name)
    rows = split_domains(dataset, data.hold_out).train.images
    target = Target(network, measure_split(dataset.target, network, quiet).features[rows], shown.targets)
    facts = {
        "data": {"name": data.name, "digest": data.digest, "train": len(rows), "test": len(shown.inputs)},
        "features": {"name": network.name, "sha256": network.model.sha256},
    }
    return Judge(target, shown.inputs, shown.targets if dataset.paired else None, facts)


open_judge = opener(_judge)
