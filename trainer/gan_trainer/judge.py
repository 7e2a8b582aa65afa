"""The averaged generator beside real images while it trains: by the measures of gan-eval, in the same features."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from gan_runtime.commandline import note
from gan_runtime.errors import GanEdgeError
from gan_runtime.evaluation import TEST, Scores, floors, score
from gan_runtime.features import FeatureNetwork
from gan_runtime.models import shipped_features
from gan_runtime.reference import Reference, load_reference
from gan_trainer.config import Config
from gan_trainer.drawing import draw_images


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

    def floor(self, n: int) -> float:
        """FID of n test images."""
        return float(floors(self.reference, n)[TEST]["fid"])

    def floors(self, *counts: int) -> dict[str, Any]:
        """What real images score, for each of `counts`, and what was measured with: the content of floors.json."""
        return {
            "data": {"name": self.reference.name, "digest": self.reference.digest, "train": self.train_images},
            "features": {"name": self.network.name, "sha256": self.network.model.sha256},
            "floors": {str(n): floors(self.reference, n) for n in counts},
        }


def open_judge(config: Config, data_dir: Path | None, *, offline: bool, quiet: bool) -> Judge | None:
    """What the generator is measured with; None where the run is not evaluated, or cannot be (and says why).

    Raises:
        GanEdgeError: it cannot be, and was asked for.
    """
    path = shipped_features(config.data.source)
    if not config.recipe.eval_every or path is None:
        return None
    folder = data_dir or (Path(config.data.folder) if config.data.folder else None)
    try:
        network = FeatureNetwork.load(path, config.device, config.threads)
        reference, train = load_reference(config.data.source, network, folder, offline=offline, quiet=quiet)
    except GanEdgeError as error:
        if not config.recipe.eval_share or config.recipe.patience or config.recipe.stop_when_collapsed:
            raise  # evaluations were asked for
        note(f"not evaluated: {error}")
        return None
    return Judge(network, reference, len(train.images))
