"""The task "upscale": images in, images `scale` times as large out, learnt from photos."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from gan_runtime.data import Dataset
from gan_runtime.data.split import split_by_content
from gan_runtime.errors import InputError
from gan_runtime.evaluation import upscaling
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.networks import ANY, find_features
from gan_runtime.evaluation.scores import TEST
from gan_runtime.evaluation.upscaling import BICUBIC, Pair, Picture
from gan_runtime.image_to_image.upscaler import Upscaler
from gan_runtime.images.choice import some_in_order
from gan_runtime.images.grids import grid
from gan_runtime.images.resample import enlarged
from gan_trainer.data.pixels import from_pixels, to_levels, to_pixels
from gan_trainer.data.source import DataSource
from gan_trainer.recipes.base import Recipe
from gan_trainer.recipes.checks import flag
from gan_trainer.recipes.upscaling import UpscalingRecipe
from gan_trainer.tasks.file_network import FileNetwork
from gan_trainer.tasks.task import Best, Comparison, Entry, Feeds, Files, Measured, Metric, Task
from gan_trainer.tasks.upscaling_judge import Judge, enlarge, held_out, open_judge, pairs_of, recipe_and_photos
from gan_trainer.training.config import Config
from gan_trainer.training.state import TrainState

PREVIEWED, SHOWN_SIDE = 6, 128  # squares of a preview, and their largest side
COMPARED = 8  # squares of each file in a comparison
TYPICAL, TYPICAL_SIDE = 24, 256  # squares that ranges are taken from, and their side in high resolution
CONSIDERED = 4  # times as many photos: small ones are not shown
LESS_GRID = "a higher --phase-weight or a lower --gan-weight avoids it"
PSNR, PATCHES = Best("psnr", "PSNR", higher=True), Best("patches", "FID of patches")


def check(recipe: Recipe, given: Mapping[str, Any], source: str) -> None:
    """Raise InputError for changes of a recipe that have no meaning for enlarging."""
    if given.get("stop_when_collapsed"):
        raise InputError("--stop-when-collapsed: follows precision and recall of generators; leave it out")


def preview(config: Config, state: TrainState, dataset: Dataset) -> Picture:
    """Squares of held-out photos in columns: enlarged by bicubic interpolation, by the network, and the truth.

    If nothing is held out, training photos take their place.
    """
    scale, network, shown = _scale(config), state.averaged("generator"), _shown(config, dataset, PREVIEWED)
    rows = [
        [enlarged(pair.low, scale) for pair in shown],
        [enlarge(network, pair.low, config) for pair in shown],
        [pair.truth for pair in shown],
    ]
    return grid(np.stack([picture for row in rows for picture in row]), len(shown))


def _shown(config: Config, dataset: Dataset, most: int) -> list[Pair]:
    """At most so many squares of equal size, of held-out photos, or of training photos if nothing is held out."""
    recipe, photos = recipe_and_photos(config, dataset)
    rows = held_out(config, photos)
    considered = (rows if len(rows) else np.arange(len(photos.images)))[: CONSIDERED * most]
    pairs = pairs_of(photos, considered, recipe, SHOWN_SIDE)
    if not pairs:
        raise InputError(f"{config.data.name}: its photos are too small to show")
    side = max(len(pair.truth) for pair in pairs)
    return [pair for pair in pairs if len(pair.truth) == side][:most]


def _scale(config: Config) -> int:
    assert isinstance(config.recipe, UpscalingRecipe)
    return config.recipe.scale


def problems(entry: Entry, floors: Mapping[str, Entry]) -> list[str]:
    """A grid in the enlarged pictures that photos do not have."""
    return [f"{problem}; {LESS_GRID}" for problem in upscaling.problems(entry, floors)]


def export(networks: dict[str, nn.Module], config: Config, output: Path, about: dict[str, Any]) -> Files:
    """The generator as a file that enlarges."""
    from gan_trainer.export.upscaler import upscaler_file  # noqa: PLC0415  (onnx)

    assert isinstance(config.recipe, UpscalingRecipe)
    recipe, data = config.recipe, config.data
    training = about["training"] | {"degradation": recipe.degradation}
    options = about | {"training": training, "pictures": data.pictures}
    file = upscaler_file(networks["generator"], output, channels=data.size.channels, scale=recipe.scale, **options)
    return {"generator": file}


def typical(config: Config, dataset: Dataset) -> dict[str, list[Feeds]]:
    """Squares in low resolution of training photos."""
    recipe, photos = recipe_and_photos(config, dataset)
    known = split_by_content(photos, config.data.hold_out or 0.0).train
    rows = known[some_in_order(len(known), TYPICAL)]
    return {"generator": [{"source": pair.low[None]} for pair in pairs_of(photos, rows, recipe, TYPICAL_SIDE)]}


def measured(judge: Judge, files: Files, config: Config, dataset: Dataset) -> dict[str, Measured]:
    """PSNR of enlarged held-out photos, on luma."""
    network = FileNetwork(files["generator"], lambda values: to_pixels(to_levels(values)), from_pixels)
    (scores,) = judge.scores({"generator": network}, config, judge.most)
    return {"generator": Measured("psnr", scores.psnr, judge.most)}


def difference(config: Config, other: Config) -> str:
    """How the networks of two runs differ; "" if they are of the same architecture."""
    ours, theirs = config.recipe, other.recipe
    for name in ("network", "width", "blocks", "scale"):
        if getattr(ours, name) != getattr(theirs, name):
            return f"{flag(name, getattr(theirs, name))}, and {flag(name, getattr(ours, name))} of the other run"
    channels = other.data.size.channels, config.data.size.channels
    return "" if channels[0] == channels[1] else f"{channels[0]} channels, and {channels[1]} of the other run"


def subject(config: Config) -> str:
    """How many photos, and the factor."""
    assert isinstance(config.recipe, UpscalingRecipe)
    data, recipe = config.data, config.recipe
    colour = "colour" if data.size.channels == 3 else "grey"
    return f"{data.name}: {data.images:,} photos, {colour}, x{recipe.scale}, {recipe.degradation}"


def tiles(entry: Entry, config: Config) -> list[tuple[str, str, str]]:
    """PSNR and SSIM, and how sharp the pictures are."""
    if "psnr" not in entry:
        return []
    sharp = "" if entry.get("gradient") is None else f" · gradient {entry['gradient']:.2f}"
    found = [("SSIM", f"{entry['ssim']:.4f}", f"grid {entry['grid']:.2f} levels{sharp}")]
    recipe = config.recipe
    led = isinstance(recipe, UpscalingRecipe) and recipe.adversarial
    return [("PSNR", f"{entry['psnr']:.2f} dB", "of the same generator"), *found] if led else found


def samples(file: Path, dataset: Dataset, config: Config) -> Picture:
    """Squares of held-out photos, enlarged by a file, in one row."""
    with Upscaler.load(file, "cpu") as upscaler:
        return _row([upscaler.upscale(pair.low) for pair in _shown(config, dataset, COMPARED)])


def beside(dataset: Dataset, config: Config) -> dict[str, Picture]:
    """The same squares by bicubic interpolation, and of the photos."""
    shown, scale = _shown(config, dataset, COMPARED), _scale(config)
    return {BICUBIC: _row([enlarged(pair.low, scale) for pair in shown]), "photo": _row([pair.truth for pair in shown])}


def _row(pictures: list[Picture]) -> Picture:
    return grid(np.stack(pictures), len(pictures))


def features_for(data: DataSource, named: str | None, n: int) -> str:
    """SHA-256 of the feature network in which parts of photos are compared. Raises ModelError where there is none."""
    return FeatureNetwork.load(find_features(data.source, named or ANY), "cpu", 1).model.sha256


def _of_recipe(recipe: Recipe) -> Task:
    """A discriminator asks for detail at the cost of PSNR: the network is then chosen by how photos look in features.

    Pictures with a grid have no such distance, and are not chosen.
    """
    return replace(TASK, best=PATCHES) if isinstance(recipe, UpscalingRecipe) and recipe.adversarial else TASK


TASK = Task(
    name="upscale",
    export=export,
    preview=preview,
    subject=subject,
    check=check,
    cannot_judge=lambda source: "",
    open_judge=open_judge,
    metrics=(
        Metric("psnr", "PSNR", "on luma, in dB; more is better", BICUBIC),
        Metric("patches", "FID of patches", "distance of parts of the pictures to the photos; 0 is best", BICUBIC),
        Metric("ssim", "SSIM", "structural similarity on luma; 1 is best", BICUBIC, "distances"),
        Metric("grid", "Grid", "of the pitch of the enlargement, in levels; that of photos is best", TEST, "distances"),
        Metric("gradient", "Gradient", "of luma, as a share of that of the photos; 1 is best", BICUBIC, "distances"),
    ),
    problems=problems,
    evaluated_from=1_000,
    best=PSNR,
    floors=(BICUBIC, TEST),
    comparison=Comparison(("psnr", "ssim", "grid", "gradient", "patches"), samples, features_for, beside),
    tiles=tiles,
    check_blend=difference,
    measured=measured,
    typical=typical,
    of_recipe=_of_recipe,
)
