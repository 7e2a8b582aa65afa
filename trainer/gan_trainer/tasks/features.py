"""The feature network that a run is measured with, and what happens if there is none."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from gan_runtime.data import Dataset
from gan_runtime.errors import GanEdgeError
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.networks import ANY, find_again, find_features
from gan_runtime.manifest import ImageSize
from gan_runtime.terminal.text import note
from gan_trainer.training.config import Config

J = TypeVar("J")


def open_features(
    config: Config, before: Mapping[str, Any] | None, quiet: bool, size: ImageSize | None = None
) -> FeatureNetwork:
    """The feature network for the images of a run, or for images of `size`.

    A resumed run is measured with the one in `before`, its floors.json, unless it is gone; `before` is None for a new
    run. It runs on the device that ONNX Runtime can use, which need not be torch's: torch with CUDA beside ONNX Runtime
    without it is what training hosts have.

    Raises:
        GanEdgeError: there is no such network, or it cannot be opened.
    """
    device = "cpu" if config.device == "cpu" else "auto"
    return FeatureNetwork.load(_path(config, before, quiet), device, config.threads).at(size or config.data.size)


def judge_unless_impossible(config: Config, make: Callable[[], J], warn: Callable[[str], None]) -> J | None:
    """What `make` gives; None if the run is not evaluated, or cannot be, of which `warn` is told.

    Raises:
        GanEdgeError: it cannot be, and was asked for.
    """
    if not config.recipe.eval_every:
        return None
    try:
        return make()
    except GanEdgeError as error:
        recipe = config.recipe
        if config.features or config.asked.get("eval_every") or recipe.patience or recipe.stop_when_collapsed:
            raise  # the user asked for evaluations
        warn(f"not evaluated: {error}")
        return None


def opener(
    judge: Callable[[Config, Dataset, Mapping[str, Any] | None, bool], J],
) -> Callable[..., J | None]:
    """`Task.open_judge` for a `judge` that is made of the run's own data: configuration, data, before, quiet."""

    def open_judge(
        config: Config,
        dataset: Dataset,
        data_dir: Path | None,
        *,
        offline: bool,
        quiet: bool,
        warn: Callable[[str], None] = note,
        before: Mapping[str, Any] | None = None,
    ) -> J | None:
        return judge_unless_impossible(config, lambda: judge(config, dataset, before, quiet), warn)

    return open_judge


def _path(config: Config, before: Mapping[str, Any] | None, quiet: bool) -> Path:
    recorded = before.get("features") if before else None
    source, named = config.data.source, config.features
    if not recorded:
        return find_features(source, named, quiet=quiet)
    if named not in (None, ANY) and not Path(named).is_file():
        named = None
    path = find_again(recorded["sha256"], find_features(source, named, quiet=True))
    if config.data.pictures and not quiet:
        note(f"features: {path}")
    return path
