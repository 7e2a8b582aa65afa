"""Metrics of the averaged generator during training: those of gan-eval, in the same features."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from gan_runtime.errors import GanEdgeError
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.reference import Reference, load_reference
from gan_runtime.evaluation.scores import TEST, Scores, floors, score
from gan_runtime.laboratory.evaluation import point_floors, score_points
from gan_runtime.laboratory.metrics import CEILING, PointScores
from gan_runtime.laboratory.points import POINTS
from gan_runtime.models import shipped_features
from gan_runtime.terminal.text import note
from gan_trainer.evaluation.run import Judge as AnyJudge
from gan_trainer.tasks.drawing import draw_images
from gan_trainer.training.config import Config


@dataclass(frozen=True)
class Judge:
    """A data set in the features that ship for it."""

    network: FeatureNetwork
    reference: Reference
    train_images: int

    def scores(self, generator: nn.Module, config: Config, *counts: int) -> list[Scores]:
        """Scores of the first images of seed 0, for each of `counts`; the largest number of images is drawn once."""
        measured = self.network.measure(draw_images(generator, config, max(counts)))
        labels = np.arange(max(counts)) % len(config.conditions) if config.conditions else None
        return [score(measured.at(slice(n)), self.reference, None if labels is None else labels[:n]) for n in counts]

    def words(self, scores: Scores, n: int) -> str:
        """Scores of n images for people, the FID beside that of n test images."""
        floor = float(floors(self.reference, n)[TEST]["fid"])
        return (
            f"FID {scores.fid:.3f} (test images {floor:.3f})  precision {scores.precision:.2f}  "
            f"recall {scores.recall:.2f}  coverage {scores.coverage:.2f}"
        )

    def floors(self, *counts: int) -> dict[str, Any]:
        """What real images score, for each of `counts`, and what was measured with: the content of floors.json."""
        return {
            "data": {"name": self.reference.name, "digest": self.reference.digest, "train": self.train_images},
            "features": {"name": self.network.name, "sha256": self.network.model.sha256},
            "floors": {str(n): floors(self.reference, n) for n in counts},
        }


@dataclass(frozen=True)
class PointJudge:
    """A data set of points of which the modes are known: a key of `POINTS`."""

    data: str

    def scores(self, generator: nn.Module, config: Config, *counts: int) -> list[PointScores]:
        """Scores of the first points of seed 0, for each of `counts`."""
        points = np.concatenate(list(draw_images(generator, config, max(counts))))
        return [score_points(points[:n], self.data) for n in counts]

    def words(self, scores: PointScores, n: int) -> str:
        """Scores of n points for people."""
        kl = "no KL" if scores.kl is None else f"KL {scores.kl:.3f}"
        best = f"{scores.high_quality:.2%} of high quality (a perfect sampler: {CEILING:.2%})"
        return f"{scores.modes} of {len(POINTS[self.data].modes)} modes  {best}  {kl}"

    def floors(self, *counts: int) -> dict[str, Any]:
        """What real points and a perfect sampler score, for each of `counts`: the content of floors.json."""
        return {"data": {"name": self.data}, "floors": {str(n): point_floors(self.data, n) for n in counts}}


def open_judge(config: Config, data_dir: Path | None, *, offline: bool, quiet: bool) -> AnyJudge | None:
    """The judge of a run; None if the run is not evaluated, or cannot be (which is reported).

    The features are computed on the device that ONNX Runtime can use, which need not be torch's: torch with CUDA beside
    ONNX Runtime without it is what training hosts have.

    Raises:
        GanEdgeError: it cannot be, and was asked for.
    """
    if config.data.points and config.recipe.eval_every:
        return PointJudge(config.data.source)
    path = shipped_features(config.data.source)
    if not config.recipe.eval_every or path is None:
        return None
    device = "cpu" if config.device == "cpu" else "auto"
    folder = data_dir or (Path(config.data.folder) if config.data.folder else None)
    try:
        network = FeatureNetwork.load(path, device, config.threads)
        reference, train = load_reference(config.data.source, network, folder, offline=offline, quiet=quiet)
    except GanEdgeError as error:
        if config.asked.get("eval_every") or config.recipe.patience or config.recipe.stop_when_collapsed:
            raise  # the user asked for evaluations
        note(f"not evaluated: {error}")
        return None
    return Judge(network, reference, len(train.images))
