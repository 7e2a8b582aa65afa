"""The task "upscale": images in, images `scale` times as large out, learnt from photos."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gan_runtime.data import Dataset
from gan_runtime.data.photos import Photos
from gan_runtime.data.split import split_by_content
from gan_runtime.errors import GanEdgeError, InputError
from gan_runtime.evaluation.metrics.luminance import PROTOCOL, grid_deviation, on_luma
from gan_runtime.evaluation.metrics.pixels import LEAST_SIDE
from gan_runtime.evaluation.scores import TEST
from gan_runtime.evaluation.table import METRICS
from gan_runtime.images.choice import some_in_order
from gan_runtime.images.grids import grid
from gan_runtime.images.resample import enlarged, reduced
from gan_runtime.terminal.text import note
from gan_trainer.data.degradations import degrade
from gan_trainer.recipes.base import Recipe
from gan_trainer.recipes.upscaling import UpscalingRecipe
from gan_trainer.tasks.task import Best, Entry, Files, Metric, Task
from gan_trainer.training.config import Config
from gan_trainer.training.state import TrainState

MOST = 20  # photos of an evaluation
SIDE = 384  # pixels; the largest side of the square in the middle of each that is measured
PREVIEWED, SHOWN_SIDE = 6, 128  # squares of a preview, and their largest side
BICUBIC = "bicubic"  # the floor: the scores of bicubic interpolation
GRIDDED = 3.0  # times the grid of real photos, from which a run is warned

Picture = NDArray[np.uint8]  # [h, w, c]


@dataclass(frozen=True)
class UpscalingScores:
    """Means over photos: PSNR in dB and SSIM on luma (`luminance.PROTOCOL`), and `luminance.grid_deviation`."""

    psnr: float
    ssim: float
    grid: float


@dataclass(frozen=True)
class Pair:
    """A square of a photo, uint8 [s, s, c], and the same in low resolution, uint8 [s / scale, s / scale, c]."""

    low: Picture
    truth: Picture


@dataclass(frozen=True, eq=False)
class Judge:
    """Squares of held-out photos. `facts` is the content of floors.json besides the scores."""

    pairs: tuple[Pair, ...]
    scale: int
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
            for key, value in asdict(scores).items()
        )

    def floors(self, *counts: int) -> dict[str, Any]:
        """The content of floors.json: scores of bicubic interpolation, and the grid of real photos."""
        return self.facts | {"floors": {str(n): self._floors for n in counts}}

    @cached_property
    def _floors(self) -> dict[str, dict[str, float]]:
        real = float(np.mean([grid_deviation(pair.truth, self.scale) for pair in self.pairs]))
        bicubic = self._mean([enlarged(pair.low, self.scale) for pair in self.pairs])
        return {BICUBIC: asdict(bicubic), TEST: {"grid": real}}

    def _mean(self, pictures: list[Picture]) -> UpscalingScores:
        pairs = zip(pictures, self.pairs, strict=True)
        found = [(*on_luma(one, pair.truth, self.scale), grid_deviation(one, self.scale)) for one, pair in pairs]
        return UpscalingScores(*map(float, np.mean(found, axis=0)))


def check(recipe: Recipe, given: Mapping[str, Any], source: str) -> None:
    """Raise InputError for changes of a recipe that have no meaning for enlarging."""
    if given.get("stop_when_collapsed"):
        raise InputError("--stop-when-collapsed: follows precision and recall of generators; leave it out")


def pairs_of(photos: Photos, rows: NDArray[np.int64], recipe: UpscalingRecipe, side: int) -> list[Pair]:
    """The squares in the middle of photos, of at most `side` pixels, in both resolutions; small photos are left out."""
    least, found = LEAST_SIDE + 2 * recipe.scale, []
    for index in rows:
        photo = photos.images[index]
        used = min(side, *photo.shape[:2]) // recipe.scale * recipe.scale
        if used < least:
            continue
        down, across = ((length - used) // 2 for length in photo.shape[:2])
        truth = np.ascontiguousarray(photo[down : down + used, across : across + used])
        if recipe.degradation == "bicubic":
            low = reduced(truth, recipe.scale)
        else:
            low = degrade(truth, used // recipe.scale, np.random.Generator(np.random.Philox(key=int(index))))
        found.append(Pair(low, truth))
    return found


def enlarge(network: nn.Module, picture: Picture, config: Config) -> Picture:
    """What the network makes of a picture uint8 [h, w, c] in float32: uint8 [scale h, scale w, c]."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            image = torch.tensor(picture, device=config.device).permute(2, 0, 1)[None].float() / 255
            levels = (network(image)[0].float() * 255).round().clamp(0, 255)
            return np.asarray(levels.to(torch.uint8).permute(1, 2, 0).cpu())
    finally:
        network.train(training)


def preview(config: Config, state: TrainState, dataset: Dataset) -> Picture:
    """Squares of held-out photos in columns: enlarged by bicubic interpolation, by the network, and the truth.

    If nothing is held out, training photos take their place.
    """
    recipe, photos = _recipe_and_photos(config, dataset)
    held_out = split_by_content(photos, config.data.hold_out or 0.0).held_out
    pairs = pairs_of(photos, held_out if len(held_out) else np.arange(len(photos.images)), recipe, SHOWN_SIDE)
    if not pairs:
        raise InputError(f"{config.data.name}: its photos are too small to show")
    side = max(len(pair.truth) for pair in pairs)
    shown = [pair for pair in pairs if len(pair.truth) == side][:PREVIEWED]
    rows = [
        [enlarged(pair.low, recipe.scale) for pair in shown],
        [enlarge(state.averaged("generator"), pair.low, config) for pair in shown],
        [pair.truth for pair in shown],
    ]
    return grid(np.stack([picture for row in rows for picture in row]), len(shown))


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
        return _judge(config, dataset)
    except GanEdgeError as error:
        if config.asked.get("eval_every") or config.recipe.patience:
            raise
        warn(f"not evaluated: {error}")
        return None


def _judge(config: Config, dataset: Dataset) -> Judge:
    recipe, photos = _recipe_and_photos(config, dataset)
    held_out = split_by_content(photos, config.data.hold_out or 0.0).held_out
    pairs = pairs_of(photos, held_out[some_in_order(len(held_out), MOST)], recipe, SIDE) if len(held_out) else []
    if not pairs:
        raise InputError(f"{config.data.name}: no photos are held out to measure with; give --hold-out 0.1")
    data = config.data
    about = {"name": data.name, "digest": data.digest, "train": data.images, "test": len(pairs)}
    return Judge(tuple(pairs), recipe.scale, {"data": about, "protocol": PROTOCOL})


def _recipe_and_photos(config: Config, dataset: Dataset) -> tuple[UpscalingRecipe, Photos]:
    assert isinstance(config.recipe, UpscalingRecipe)
    assert isinstance(dataset, Photos)
    return config.recipe, dataset


def problems(entry: Entry, floors: Mapping[str, Entry]) -> list[str]:
    """A grid in the enlarged pictures that photos do not have."""
    real = floors.get(TEST, {}).get("grid")
    if real is None or "grid" not in entry or entry["grid"] < GRIDDED * real:
        return []
    return [
        f"the enlarged pictures have a grid: {entry['grid']:.2f} levels, real ones {real:.2f}; "
        "a higher --phase-weight or a lower --gan-weight avoids it"
    ]


def export(networks: dict[str, nn.Module], config: Config, output: Path, about: dict[str, Any]) -> Files:
    """The generator as a file that enlarges."""
    raise InputError(f"{output}: files of the task upscale are not written yet")


def subject(config: Config) -> str:
    """How many photos, and the factor."""
    assert isinstance(config.recipe, UpscalingRecipe)
    data, recipe = config.data, config.recipe
    colour = "colour" if data.size.channels == 3 else "grey"
    return f"{data.name}: {data.images:,} photos, {colour}, x{recipe.scale}, {recipe.degradation}"


def tiles(entry: Entry, config: Config) -> list[tuple[str, str, str]]:
    """SSIM and the grid."""
    return [("SSIM", f"{entry['ssim']:.4f}", f"grid {entry['grid']:.2f} levels")] if "ssim" in entry else []


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
        Metric("ssim", "SSIM", "structural similarity on luma; 1 is best", BICUBIC, "distances"),
        Metric("grid", "Grid", "of the pitch of the enlargement, in levels; that of photos is best", TEST, "distances"),
    ),
    problems=problems,
    evaluated_from=1_000,
    best=Best("psnr", "PSNR", higher=True),
    floors=(BICUBIC, TEST),
    tiles=tiles,
)
