"""The task "translate": images in, images of the same size out, learnt from pairs or from two unpaired domains."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from gan_runtime.data import Dataset
from gan_runtime.data.domain_split import split_domains
from gan_runtime.data.domains import DIRECTIONS, Domains
from gan_runtime.errors import InputError
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.networks import find_features
from gan_runtime.evaluation.scores import TEST
from gan_runtime.evaluation.translation import (
    NOTHING,
    problems,
    with_channels,
)
from gan_runtime.image_to_image.translator import Translator
from gan_runtime.images.choice import some_in_order
from gan_runtime.images.grids import grid
from gan_runtime.manifest import ImageSize
from gan_trainer.data.pixels import denormalise, to_pixels
from gan_trainer.data.source import DataSource
from gan_trainer.recipes.base import Recipe
from gan_trainer.tasks.file_network import FileNetwork, in_batches
from gan_trainer.tasks.task import Best, Comparison, Entry, Feeds, Files, Measured, Metric, Task
from gan_trainer.tasks.translating import Unseen, translate, unseen
from gan_trainer.tasks.translation_judge import RETURNED, Judge, open_judge
from gan_trainer.training.config import Config
from gan_trainer.training.state import TrainState

PREVIEWED = 10  # pictures of each domain
TYPICAL = 64  # pictures that ranges are taken from
COMPARED = 20  # pictures of each file in a comparison
SHORTEST = 1_000  # images of a run that is evaluated by default
FID, KID = Best("fid", "FID"), Best("kid", "KID")
OF_DOMAIN = (
    Metric("fid", "FID", "distance to the target domain; 0 is best", TEST, log=True),
    Metric("kid", "KID x 1000", "kernel distance to the target domain; 0 is best", TEST, "distances", scale=1000),
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


def export(networks: dict[str, nn.Module], config: Config, output: Path, about: dict[str, Any]) -> Files:
    """The generator, and where the system has one the generator of the opposite direction, which name each other."""
    from gan_trainer.export.translator import translator_file, translator_pair  # noqa: PLC0415  (onnx)

    data, pairs = config.data, config.data.pairs
    assert data.source_size is not None
    direction, opposite = DIRECTIONS if pairs is None or pairs.direction == DIRECTIONS[0] else DIRECTIONS[::-1]
    training = about["training"] | {"learns_from": config.recipe.learns_from, "direction": direction}
    about = about | {"training": training, "pictures": data.pictures}
    sizes: dict[str, Any] = {"source": data.source_size, "images": data.size}
    if "inverse" in networks:
        of_inverse = {"training": training | {"direction": opposite}, "quality": []}  # which the run did not measure
        return translator_pair(networks, output, **sizes, of_inverse=of_inverse, **about)
    prepared = pairs.input if pairs else ""
    return {"generator": translator_file(networks["generator"], output, **sizes, prepared=prepared, **about)}


def typical(config: Config, dataset: Dataset) -> dict[str, list[Feeds]]:
    """Pictures of the training: of the input domain, and of the target domain for the opposite direction."""
    assert isinstance(dataset, Domains)
    rows = split_domains(dataset, config.data.hold_out).train
    domains = {"generator": (dataset.source.images, rows.source), "inverse": (dataset.images, rows.images)}
    return {
        name: in_batches({"source": np.asarray(images[known[some_in_order(len(known), TYPICAL)]])})
        for name, (images, known) in domains.items()
    }


def measured(judge: Judge, files: Files, config: Config, dataset: Dataset) -> dict[str, Measured]:
    """PSNR of translated held-out pictures; the distance to the target domain, and the cycle error, without a truth."""
    networks = {name: FileNetwork(file, _pixels) for name, file in files.items()}
    (scores,) = judge.scores(networks, config, judge.most)
    if scores.psnr is not None:
        return {"generator": Measured("psnr", scores.psnr, judge.most)}
    key = "kid" if scores.fid is None else "fid"
    real = judge.floors(judge.most)["floors"][str(judge.most)][TEST][key]
    found = {"generator": Measured(key, getattr(scores, key), judge.most, real or 0.0)}
    assert scores.cycle is not None
    return found | {"inverse": Measured("cycle", scores.cycle, min(RETURNED, judge.most))}


def _pixels(values: Tensor) -> Tensor:
    return to_pixels(denormalise(values))


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
    "measured": measured,
    "typical": typical,
}
PAIRED = _task(metrics=(*OF_DOMAIN, *OF_PAIRS, *OF_ANY), **SHARED)
UNPAIRED = _task(metrics=(*OF_DOMAIN, *OF_CYCLES, *OF_ANY), networks=("generator", "inverse"), **SHARED)
