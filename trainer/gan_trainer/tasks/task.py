"""The interface of a task: everything that depends on the inputs and outputs of the exported file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gan_runtime.data import Dataset
from gan_runtime.evaluation.table import METRICS, Shown
from gan_runtime.model_file import ModelFile
from gan_trainer.data.source import DataSource
from gan_trainer.recipes.base import Recipe
from gan_trainer.training.config import Config
from gan_trainer.training.state import TrainState

Entry = dict[str, Any]  # a line of metrics.jsonl
Files = dict[str, ModelFile]
Feeds = dict[str, NDArray[Any]]  # inputs of a file by name


class Judge(Protocol):
    """What the networks of a run are measured with."""

    @property
    def most(self) -> int | None:
        """How many samples there are to measure; None where as many are drawn as are asked for."""

    def scores(self, networks: Mapping[str, nn.Module], config: Config, *counts: int) -> list[Any]:
        """Scores of the first samples, for each of `counts`: dataclasses of numbers.

        The networks are those of `Task.networks` that the run has, averaged if it has averages.
        """

    def words(self, scores: Any, n: int) -> str:
        """Scores of n samples for people."""

    def floors(self, *counts: int) -> dict[str, Any]:
        """Scores of real samples for each of `counts`, and what was measured with: the content of floors.json."""


@dataclass(frozen=True)
class Metric:
    """A number of each evaluation, as the report plots it.

    Args:
        key: its name in metrics.jsonl.
        title, note: for people.
        real: the real samples that show what can be reached: a key of the floors.
        group: the row of plots: "main", "distances", "neighbours" or "classes".
        log: whether its axis is logarithmic.
        scale: values are shown multiplied by it, as the title says.
    """

    key: str
    title: str
    note: str
    real: str = ""
    group: str = "main"
    log: bool = False
    scale: float = 1.0


@dataclass(frozen=True)
class Best:
    """The number that says which of a run's evaluations is the best.

    Args:
        key: its name in metrics.jsonl.
        title: for people.
        higher: whether more is better.
        beside: names of other numbers that an evaluation must have to be counted.
    """

    key: str
    title: str
    higher: bool = False
    beside: tuple[str, ...] = ()

    def text(self, entry: Entry) -> str:
        """The number of an evaluation for people."""
        shown = METRICS.get(self.key, Shown(self.title, 3, ""))
        return f"{shown.title} {shown.text(entry[self.key], max(3, shown.digits))}"

    @property
    def stalled(self) -> str:
        """What is said where it no longer gets better."""
        return f"its {self.title} no longer {'rises' if self.higher else 'falls'}"

    def loss(self, entry: Entry) -> float:
        """What the best evaluation has least of."""
        value = float(entry[self.key])
        return -value if self.higher else value


class Measured(NamedTuple):
    """A number that says how good a file is: a key of METRICS, its value of n samples, and that of real ones or 0."""

    metric: str
    value: float
    n: int
    real: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """How gan-compare measures and shows the exported files of a task.

    Args:
        columns: the metrics in its table, keys of `gan_runtime.evaluation.table.METRICS`. The first one orders the rows
            and is plotted over the training; the next ones order rows that are equal in it.
        samples: (exported file, data, configuration) -> a picture of samples of the same latents or inputs for each
            file, uint8 [h, w, c].
        features: (data, feature network that the user names, n) -> SHA-256 of the network in which gan-eval measures n
            samples; "" where it needs none. Raises ModelError where there is none, DataError where there are too few
            data, and InputError where n is too small.
        beside: (data, configuration) -> pictures by name to show above the samples, such as their inputs.
    """

    columns: tuple[str, ...]
    samples: Callable[[Path, Dataset, Config], NDArray[np.uint8]]
    features: Callable[[DataSource, str | None, int], str] = lambda data, named, n: ""
    beside: Callable[[Dataset, Config], dict[str, NDArray[np.uint8]]] = lambda data, config: {}


def _nothing_typical(config: Config, dataset: Dataset) -> dict[str, list[Feeds]]:
    return {}


def _not_judged(config: Config, dataset: Dataset, data_dir: Path | None, **_: Any) -> Judge | None:
    return None


@dataclass(frozen=True)
class Task:
    """What networks are trained for.

    Args:
        name: of the exported file's task: a key of `gan_runtime.signature.TASKS`.
        export: (networks, configuration, path, keywords of `export`) -> verified files by name, the main one first.
            The networks are those of `networks` that the system has; the keywords are `opset`, `name`, `training` and
            `quality`. Nothing is written yet.
        preview: (configuration, state, data) -> a picture of fixed samples, uint8 [h, w, c].
        subject: what the data is, for the report's title.
        networks: names of the networks that are deployed.
        defaults: fields of recipes that differ from the table of recipes.
        check: (recipe, changes, data) raises InputError for settings that have no meaning for this task.
        cannot_judge: data -> why generators of it cannot be measured; "" where they can.
        open_judge: (configuration, data, data folder, offline, quiet, warn, before) -> what measures the generator;
            None if it is not measured. `before` is the floors.json of a run that is resumed. Raises GanEdgeError if it
            cannot be, and was asked for.
        metrics: the numbers of an evaluation, in the order of the report.
        problems: (evaluation, scores of real samples by kind) -> what is wrong with networks that score so, in words.
            The run warns of it where it is so twice in a row.
        evaluated_from: runs of at least so many images are evaluated unless the user says otherwise; None: those that
            see as many images as a final evaluation draws.
        best: the number that picks the best checkpoint; None: the last checkpoint counts.
        floors: the kinds of real samples that the report shows scores of.
        comparison: how gan-compare shows exported files; None: it cannot.
        tiles: (evaluation, configuration) -> label, value and detail of the report's figures, besides those of `best`.
        check_blend: (configuration, another) -> how their networks differ, "" if the weights of both can be
            interpolated; None: those of no two runs can.
        measured: (judge, files, configuration, data) -> for each of the files the number that must not get much worse
            where it is made in int8 or fp16; None: these are not offered.
        typical: (configuration, data) -> for each of the files inputs that show the ranges of its activations.
        of_recipe: recipe -> the task as it is for that recipe; None: the same for all.
        of_few: the task for data without test images and with fewer than 10,000 training images; None: the same.
    """

    name: str
    export: Callable[[dict[str, nn.Module], Config, Path, dict[str, Any]], Files]
    preview: Callable[[Config, TrainState, Dataset], NDArray[np.uint8]]
    subject: Callable[[Config], str]
    networks: tuple[str, ...] = ("generator",)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    check: Callable[[Recipe, Mapping[str, Any], str], None] = lambda recipe, given, source: None
    cannot_judge: Callable[[str], str] = lambda source: "nothing measures it"
    open_judge: Callable[..., Judge | None] = _not_judged
    metrics: tuple[Metric, ...] = ()
    problems: Callable[[Entry, Mapping[str, Entry]], list[str]] = lambda entry, floors: []
    evaluated_from: int | None = None
    best: Best | None = None
    floors: tuple[str, ...] = ()
    comparison: Comparison | None = None
    tiles: Callable[[Entry, Config], list[tuple[str, str, str]]] = lambda entry, config: []
    check_blend: Callable[[Config, Config], str] | None = None
    measured: Callable[[Any, Files, Config, Dataset], dict[str, Measured]] | None = None
    typical: Callable[[Config, Dataset], dict[str, list[Feeds]]] = _nothing_typical
    of_recipe: Callable[[Recipe], "Task"] | None = None
    of_few: "Task | None" = None
