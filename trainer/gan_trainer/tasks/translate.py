"""The task "translate": images in, images of the same size out, learnt from pairs or from two unpaired domains."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gan_runtime.data import Dataset
from gan_runtime.data.domain_split import split_domains
from gan_runtime.data.domains import Domains
from gan_runtime.errors import GanEdgeError, InputError
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.networks import find_features
from gan_runtime.evaluation.reference import measure_split
from gan_runtime.evaluation.scores import TEST
from gan_runtime.evaluation.table import METRICS
from gan_runtime.evaluation.translation import (
    NOTHING,
    Target,
    TranslationScores,
    problems,
    score_translation,
    translation_floors,
    with_channels,
)
from gan_runtime.images.grids import grid
from gan_runtime.manifest import ImageSize
from gan_runtime.terminal.text import note
from gan_runtime.translator import Translator
from gan_trainer.data.source import DataSource
from gan_trainer.recipes.base import Recipe
from gan_trainer.tasks.features import open_features
from gan_trainer.tasks.task import Best, Comparison, Entry, Files, Metric, Task
from gan_trainer.tasks.translating import Unseen, translate, unseen
from gan_trainer.training.config import Config
from gan_trainer.training.state import TrainState

SAID = ("fid", "kid", "l1", "psnr", "ssim", "cycle")  # on stderr during a run
PREVIEWED = 10  # pictures of each domain
MOST, MOST_UNPAIRED = 500, 200  # pictures of an evaluation; with the recipes' intervals, it takes 5 % of a training
RETURNED = 50  # of them are translated back for the cycle error
COMPARED = 20  # pictures of each file in a comparison
SHORTEST = 1_000  # images of a run that is evaluated by default
FID, KID = Best("fid", "FID"), Best("kid", "KID")
OF_DOMAIN = (
    Metric("fid", "FID", "distance to the target domain; 0 is best", TEST, log=True),
    Metric("kid", "KID", "kernel distance to the target domain; 0 is best", TEST, "distances"),
)
OF_PAIRS = (
    Metric("l1", "L1", "difference to the truth in grey levels; 0 is best", NOTHING),
    Metric("psnr", "PSNR", "closeness to the truth in dB; more is better", NOTHING, "distances"),
    Metric("ssim", "SSIM", "structural similarity to the truth; 1 is best", NOTHING, "distances"),
)
OF_CYCLES = (Metric("cycle", "Cycle error", "there and back, in grey levels; 0 is best", "", "distances"),)
OF_ANY = (
    Metric("identity", "Identity", "share of outputs that copy the input", TEST, "neighbours"),
    Metric("variety", "Variety", "of the outputs, as a share of that of real images", TEST, "neighbours"),
)


def check(recipe: Recipe, given: Mapping[str, Any], source: str) -> None:
    """Raise InputError for changes of a recipe that have no meaning for translation."""
    if given.get("stop_when_collapsed"):
        raise InputError(
            "--stop-when-collapsed: follows precision and recall of generators; leave it out: a run warns of outputs "
            "that are all equal"
        )


def preview(config: Config, state: TrainState, dataset: Dataset) -> NDArray[np.uint8]:
    """Held-out pictures in columns: input, output, and truth; there and back from both domains where there is no truth.

    If nothing is held out, training pictures take their place.
    """
    assert isinstance(dataset, Domains)
    shown = _shown(dataset, config, PREVIEWED)
    there = translate(state.averaged("generator"), shown.inputs, config)
    if dataset.paired:
        return _rows(shown.inputs, there, shown.targets)
    back = translate(state.averaged("inverse"), there, config)
    inverse = translate(state.averaged("inverse"), shown.targets, config)
    again = translate(state.averaged("generator"), inverse, config)
    return _rows(shown.inputs, there, back, shown.targets, inverse, again)


def _shown(dataset: Dataset, config: Config, most: int) -> Unseen:
    """At most so many held-out pictures of each domain; training pictures if nothing is held out."""
    assert isinstance(dataset, Domains)
    return unseen(dataset, config, most) or Unseen(dataset.source.images[:most], dataset.images[:most])


def _rows(*rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grid with a row for each array [n, h, w, c]; they are as long as the shortest one."""
    channels, columns = max(row.shape[3] for row in rows), min(map(len, rows))
    return grid(np.concatenate([with_channels(row[:columns], channels) for row in rows]), columns)


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


def open_judge(
    config: Config,
    dataset: Dataset,
    data_dir: Path | None,
    *,
    offline: bool,
    quiet: bool,
    warn: Callable[[str], None] = note,
    before: Mapping[str, Any] | None = None,
) -> Judge | None:
    """The judge of a run; None if the run is not evaluated, or cannot be, of which `warn` is told.

    Raises:
        GanEdgeError: it cannot be, and was asked for.
    """
    if not config.recipe.eval_every:
        return None
    try:
        return _judge(config, dataset, before, quiet)
    except GanEdgeError as error:
        if config.features or config.asked.get("eval_every") or config.recipe.patience:
            raise
        warn(f"not evaluated: {error}")
        return None


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


def export(networks: dict[str, nn.Module], config: Config, output: Path, about: dict[str, Any]) -> Files:
    """The generator, and where the system has one the generator of the opposite direction, which name each other."""
    from gan_trainer.export.translator import translator_file, translator_pair  # noqa: PLC0415  (onnx)

    data, pairs = config.data, config.data.pairs
    assert data.source_size is not None
    found = {"learns_from": config.recipe.learns_from, "direction": pairs.direction if pairs else "AtoB"}
    about = about | {"training": about["training"] | found, "pictures": data.pictures}
    sizes: dict[str, Any] = {"source": data.source_size, "images": data.size}
    if "inverse" in networks:
        return translator_pair(networks, output, **sizes, **about)
    prepared = pairs.input if pairs else ""
    return {"generator": translator_file(networks["generator"], output, **sizes, prepared=prepared, **about)}


def subject(config: Config) -> str:
    """How many pictures, of which size, and what becomes of what."""
    data = config.data
    made = data.pairs.input if data.pairs else ""
    kind = "pairs" if config.recipe.learns_from == "pairs" else "images per domain, unpaired"
    assert data.source_size is not None
    between = f"{made or _colour(data.source_size)} to {_colour(data.size)}"
    return f"{data.name}: {data.images:,} {kind}, {data.size.width}x{data.size.height}, {between}"


def _colour(size: ImageSize) -> str:
    return "colour" if size.channels == 3 else "grey"


def tiles(entry: Entry, config: Config) -> list[tuple[str, str, str]]:
    """Closeness to the truth, if it is known."""
    if "psnr" not in entry or entry["psnr"] is None:
        return []
    ssim = "" if entry.get("ssim") is None else f" · SSIM {entry['ssim']:.3f}"
    return [("PSNR", f"{entry['psnr']:.2f} dB", f"L1 {entry['l1']:.1f}{ssim}")]


def samples(file: Path, dataset: Dataset, config: Config) -> NDArray[np.uint8]:
    """The translations of held-out pictures in one row."""
    with Translator.load(file, "cpu") as translator:
        return _row(translator(_shown(dataset, config, COMPARED).inputs))


def beside(dataset: Dataset, config: Config) -> dict[str, NDArray[np.uint8]]:
    """The inputs of these, and their truth if it is known."""
    assert isinstance(dataset, Domains)
    shown = _shown(dataset, config, COMPARED)
    return {"input": _row(shown.inputs)} | ({"truth": _row(shown.targets)} if dataset.paired else {})


def _row(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return grid(pictures, len(pictures))


def features_for(data: DataSource, named: str | None, n: int) -> str:
    """SHA-256 of the feature network in which translations are measured. Raises ModelError where there is none."""
    return FeatureNetwork.load(find_features(data.source, named, quiet=True), "cpu", 1).model.sha256


def _task(**about: Any) -> Task:
    """A task with its variant for few pictures, of which KID leads: FID depends on their number."""
    columns = ("fid", "kid", "l1", "psnr", "ssim", "cycle", "identity", "variety")

    def led_by(best: Best) -> Task:
        ordered = tuple(dict.fromkeys((best.key, *columns)))
        return Task(best=best, comparison=Comparison(ordered, samples, features_for, beside), **about)

    return replace(led_by(FID), of_few=led_by(KID))


SHARED: dict[str, Any] = {
    "name": "translate",
    "export": export,
    "preview": preview,
    "subject": subject,
    "check": check,
    "cannot_judge": lambda source: "",
    "open_judge": open_judge,
    "problems": problems,
    "evaluated_from": SHORTEST,
    "floors": (TEST, NOTHING),
    "tiles": tiles,
}
PAIRED = _task(metrics=(*OF_DOMAIN, *OF_PAIRS, *OF_ANY), **SHARED)
UNPAIRED = _task(metrics=(*OF_DOMAIN, *OF_CYCLES, *OF_ANY), networks=("generator", "inverse"), **SHARED)
