"""The task "points": latents in, points in the plane out. The laboratory's data sets have modes that can be counted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gan_runtime.data import Dataset
from gan_runtime.errors import InputError
from gan_runtime.generator import Generator
from gan_runtime.laboratory.evaluation import PERFECT, TEST, point_floors, score_points
from gan_runtime.laboratory.metrics import CEILING, PointScores
from gan_runtime.laboratory.points import POINTS
from gan_runtime.laboratory.scatter import scatter
from gan_trainer.recipes.base import Recipe
from gan_trainer.recipes.checks import AUTO, flag
from gan_trainer.recipes.latents import latents_of
from gan_trainer.tasks.drawing import draw
from gan_trainer.tasks.task import Comparison, Entry, Files, Metric, Task
from gan_trainer.training.config import Config
from gan_trainer.training.state import TrainState

PREVIEW = 2_500  # points
DEFAULTS = {
    "network": "mlp",
    "width": 8,  # hidden layers of 64 to 256 are enough for two coordinates
    "precision": "fp32",  # bf16 cannot tell points of one mode apart
}
METRICS = (
    Metric("high_quality", "High quality", "share within three deviations of a mode", TEST),
    Metric("modes", "Modes", "hit by a point of high quality", TEST, "distances"),
    Metric("kl", "KL", "of the modes' frequencies to uniform ones; 0 is best", TEST, "classes"),
)


def check(recipe: Recipe, given: Mapping[str, Any], source: str) -> None:
    """Raise InputError where a recipe, or a change that is `given` to it, has a meaning for images alone."""
    idle = {
        "network": given.get("network", "mlp") != "mlp" and "draws images alone; leave it out, or choose mlp",
        "augment": given.get("augment", "none") not in ("none", AUTO) and "moves images; leave it out",
        "patience": given.get("patience") and "follows the FID of images; leave it out",
        "stop_when_collapsed": given.get("stop_when_collapsed") and "looks at images; the modes of points show it",
    }
    if recipe.only_images:
        raise InputError(f"--recipe {recipe.system}: {recipe.only_images}, and {source} has points")
    for name, reason in idle.items():
        if reason:
            raise InputError(f"{flag(name, given[name])}: {reason}: {source} has points")


def draw_points(generator: nn.Module, config: Config, n: int) -> Iterator[NDArray[np.float32]]:
    """Points 0 .. n - 1 of seed 0 in the units of the data, float32 [at most 500, 2] at a time."""
    extent = POINTS[config.data.source].extent
    for values in draw(generator, config, n):
        yield (values.flatten(1) * extent).cpu().numpy()


def preview(config: Config, state: TrainState, dataset: Dataset) -> NDArray[np.uint8]:
    """A scatter plot of the same latents every time, by the averaged generator, on the same axes."""
    source = POINTS[config.data.source]
    drawn = np.concatenate(list(draw_points(state.averaged("generator"), config, PREVIEW)))
    return scatter(drawn, source.extent, source)


@dataclass(frozen=True)
class Judge:
    """A data set of which the modes are known: a key of `POINTS`."""

    data: str
    most: None = None

    def scores(self, networks: Mapping[str, nn.Module], config: Config, *counts: int) -> list[PointScores]:
        """Scores of the first points of seed 0, for each of `counts`."""
        points = np.concatenate(list(draw_points(networks["generator"], config, max(counts))))
        return [score_points(points[:n], self.data) for n in counts]

    def words(self, scores: PointScores, n: int) -> str:
        """Scores of n points for people."""
        kl = "no KL" if scores.kl is None else f"KL {scores.kl:.3f}"
        best = f"{scores.high_quality:.2%} of high quality (a perfect sampler: {CEILING:.2%})"
        return f"{scores.modes} of {len(POINTS[self.data].modes)} modes  {best}  {kl}"

    def floors(self, *counts: int) -> dict[str, Any]:
        """What real points and a perfect sampler score, for each of `counts`: the content of floors.json."""
        return {"data": {"name": self.data}, "floors": {str(n): point_floors(self.data, n) for n in counts}}


def open_judge(config: Config, dataset: Dataset, data_dir: Path | None, **_: Any) -> Judge | None:
    """The judge of a run; None if the run is not evaluated."""
    return Judge(config.data.source) if config.recipe.eval_every else None


def export(networks: dict[str, nn.Module], config: Config, output: Path, about: dict[str, Any]) -> Files:
    """The generator. The encoder of a BiGAN is not exported: there is no command that would take points."""
    from gan_trainer.export.points import points_file  # noqa: PLC0415  (onnx, which gan-train does not need)

    recipe = latents_of(config.recipe)
    generator = points_file(
        networks["generator"],
        output,
        extent=POINTS[config.data.source].extent,
        latent_dim=recipe.latent_dim,
        distribution=recipe.latents,
        **about,
    )
    return {"generator": generator}


def samples(file: Path, *_: Any) -> NDArray[np.uint8]:
    """A scatter plot of points 0 .. 2,499 of seed 0."""
    generator = Generator.load(file, "cpu")
    assert generator.points
    return scatter(
        np.asarray(generator.sample(PREVIEW), np.float32),
        generator.points.extent,
        POINTS.get(str(generator.trained_on)),
    )


def subject(config: Config) -> str:
    """How many points, and around how many modes."""
    return f"{config.data.name}: {config.data.images:,} points around {len(POINTS[config.data.source].modes)} modes"


def tiles(entry: Entry, config: Config) -> list[tuple[str, str, str]]:
    """Modes that are hit, and the share of points near one."""
    if "modes" not in entry:
        return []
    share, of = entry.get("high_quality"), len(POINTS[config.data.source].modes)
    return [
        ("Modes", f"{entry['modes']:,}", f"of {of} · n = {entry['n']:,}"),
        ("High quality", "-" if share is None else f"{share:.1%}", f"a perfect sampler: {CEILING:.1%}"),
    ]


TASK = Task(
    name="points",
    export=export,
    preview=preview,
    subject=subject,
    defaults=DEFAULTS,
    check=check,
    cannot_judge=lambda source: "",
    open_judge=open_judge,
    metrics=METRICS,
    floors=(TEST, PERFECT),
    comparison=Comparison(("modes", "high_quality", "kl"), samples),
    tiles=tiles,
)
