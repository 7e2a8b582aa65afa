"""One run of a comparison: train, export, and measure the exported file. Finished steps are not repeated."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gan_runtime.errors import GanEdgeError, InputError
from gan_runtime.files import atomic_write, lock
from gan_runtime.terminal.exit_codes import COLLAPSED as EXIT_COLLAPSED
from gan_trainer.compare.plan import Cell, Plan, software
from gan_trainer.compare.processes import Done
from gan_trainer.recipes.checks import flag
from gan_trainer.runs import history
from gan_trainer.runs.folder import Run

RUNS, MODELS, RESULTS = "runs", "models", "results"
LOCK = ".lock"
OPSET = 17
DIVERGED, COLLAPSED, FINISHED = "diverged", "collapsed", "finished"
OUTCOMES = (DIVERGED, COLLAPSED, FINISHED)
KINDS = {"key": str, "images": int, "cpu_seconds": float | int, "curve": list}  # of what is kept of a training
OF_EVALUATION = ("max_pixels", "follow_links")  # options of the data that an exported file does not record
AXES = ("images", "cpu_seconds")  # of the curves
MEASURED = ("results", "floors", "versions")  # in a report of gan-eval


@dataclass(frozen=True)
class Place:
    """The folder of a comparison, and what its commands need besides the plan.

    Args:
        folder: of the comparison.
        flags: where gan-train and gan-eval find the data.
        device: "cpu" or "cuda".
        features: the feature network that the user names; None for the one that belongs to the data.
    """

    folder: Path
    flags: tuple[str, ...]
    device: str
    features: str | None = None

    def absolute(self) -> "Place":
        """The same place for processes that work in other folders."""
        features = self.features
        if features is not None and Path(features).exists():
            features = str(Path(features).absolute())
        return replace(self, folder=self.folder.absolute(), features=features)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folders, and let no other process plan or report this comparison during the block.

        Raises:
            GanEdgeError: the folders cannot be made.
        """
        make_folders(self.folder)
        with (self.folder / LOCK).open("ab") as file:
            lock(file.fileno(), wait=True)
            yield

    @property
    def begun(self) -> bool:
        """Whether there is a run, or a result of one."""
        return any(path for name in (RUNS, RESULTS) for path in (self.folder / name).glob("*"))

    def run(self, cell: Cell) -> Run:
        """The run folder."""
        return Run(self.folder / RUNS / cell.name)

    def trained(self, cell: Cell) -> Path:
        """What is known of a run whose training has ended."""
        return self.folder / RUNS / f"{cell.name}.json"

    def model(self, cell: Cell) -> Path:
        """The exported file of a run."""
        return self.folder / MODELS / f"{cell.name}.onnx"

    def result(self, cell: Cell) -> Path:
        """What is known of a finished run."""
        return self.folder / RESULTS / f"{cell.name}.json"


def known_result(place: Place, plan: Plan, cell: Cell) -> dict[str, Any] | None:
    """The result of a finished run; None if it is not finished, or if its result is damaged and has to be made again.

    Raises:
        InputError: it is the result of other settings.
    """
    document = _read(place.result(cell), cell)
    if document is None or not _has_report(document, plan):
        return None
    _check_key(place.result(cell), document, plan, cell)
    return document if document["outcome"] == DIVERGED or place.model(cell).is_file() else None


def known_results(place: Place, plan: Plan) -> list[dict[str, Any]]:
    """The results of all finished runs of a comparison, by recipe and seed."""
    found = []
    for recipe in plan.lengths:
        names = [path.stem for path in (place.folder / RESULTS).glob(f"{recipe}-*.json")]
        seeds = sorted(int(seed) for name in names if (seed := name.removeprefix(f"{recipe}-")).isdecimal())
        found += [known_result(place, plan, Cell(recipe, seed)) for seed in seeds]
    return [result for result in found if result is not None]


def finish(place: Place, plan: Plan, cell: Cell, run: Callable[..., Done]) -> dict[str, Any]:
    """Train, export and measure a run, from the first step that is missing, and keep its result.

    Args:
        place: of the comparison.
        plan: its settings and lengths.
        cell: recipe and seed.
        run: what runs the commands: `Processes.run`.

    Returns:
        Recipe, seed, `outcome` (finished, collapsed or diverged), images and CPU seconds of the training, the report of
        gan-eval (None if the run diverged, or if nothing measures the data), the evaluations during the training, and
        the plan's key.

    Raises:
        GanEdgeError: a command failed, and not because the training diverged.
    """
    trained, report = _train(place, plan, cell, run), None
    if trained["outcome"] != DIVERGED:
        _export(place, cell, run)
        report = None if plan.settings.unmeasured else _measure(place, plan, cell, run)
    result = trained | {"report": report}
    if report is not None and history.repeats_itself(next(iter(report["results"].values()))):
        result["outcome"] = COLLAPSED
    _keep(place.result(cell), result)
    return result


def _train(place: Place, plan: Plan, cell: Cell, run: Callable[..., Done]) -> dict[str, Any]:
    """What is known of a run whose training has ended. A run that stopped early is not resumed."""
    path, where = place.trained(cell), place.run(cell)
    if path.exists():
        document = _read(path, cell)
        if document is None:
            raise GanEdgeError(f"{path}: damaged; remove it and {where.folder}, and the run is trained anew")
        _check_key(path, document, plan, cell)
        return document
    done = run("gan-train", *_training(place, plan, cell, where))
    entries = where.entries()
    about: dict[str, Any] = {"recipe": cell.recipe, "seed": cell.seed, "key": plan.key(cell.recipe)}
    about["software"] = software()
    if done.code in (0, EXIT_COLLAPSED):
        report = json.loads(done.out)
        about |= {key: report[key] for key in ("images", "cpu_seconds")}
        about["outcome"] = COLLAPSED if done.code == EXIT_COLLAPSED or history.has_collapsed(entries) else FINISHED
    elif entries and str(entries[-1].get("warning", "")).startswith(DIVERGED):
        about |= {key: entries[-1].get(key) for key in ("images", "cpu_seconds")} | {"outcome": DIVERGED}
        about["reason"] = entries[-1]["warning"]
    else:
        raise done.failed(cell.name, place.folder)
    about["curve"] = [entry for entry in entries if history.during_training(entry)]
    _keep(path, about)
    return about


def _check_key(path: Path, document: dict[str, Any], plan: Plan, cell: Cell) -> None:
    if document["key"] != plan.key(cell.recipe):
        raise InputError(f"{path}: belongs to a comparison with other settings; choose another --output")


def _read(path: Path, cell: Cell) -> dict[str, Any] | None:
    """The content of a file about a run; None if it is missing or damaged."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(document, dict) or document.get("outcome") not in OUTCOMES:
        return None
    same = (document.get("recipe"), document.get("seed")) == (cell.recipe, cell.seed)
    whole = all(isinstance(document.get(name), kind) for name, kind in KINDS.items())
    return (
        document
        if same and whole and all(isinstance(point, dict) and set(AXES) <= set(point) for point in document["curve"])
        else None
    )


def _has_report(result: dict[str, Any], plan: Plan) -> bool:
    """Whether a result has a report of gan-eval, or needs none."""
    report, none_needed = result.get("report"), result["outcome"] == DIVERGED or bool(plan.settings.unmeasured)
    if none_needed or not isinstance(report, dict):
        return none_needed and report is None
    parts = [report.get(name) for name in MEASURED]
    scores = list(parts[0].values()) if isinstance(parts[0], dict) else []
    return all(isinstance(part, dict) for part in parts) and bool(scores) and isinstance(scores[0], dict)


def _keep(path: Path, document: dict[str, Any]) -> None:
    with atomic_write(path) as file:
        file.write(json.dumps(document, indent=2).encode() + b"\n")


def _training(place: Place, plan: Plan, cell: Cell, where: Run) -> list[str]:
    """The arguments of gan-train."""
    if where.folder.exists():
        return ["--resume", str(where.folder), *place.flags, "--quiet", "--json"]
    settings = {"eval_every": plan.evaluate_every(cell.recipe), "threads": plan.settings.threads}
    changes = settings | plan.settings.fields | {"images": plan.lengths[cell.recipe], "seed": cell.seed}
    given = [word for name, value in changes.items() for word in flag(name, value).split()]
    names = ["--recipe", cell.recipe, "--runs-dir", str(where.folder.parent), "--name", cell.name]
    data = [plan.settings.data, *plan.settings.data_flags(), *_features(place)]
    return [*data, *names, *given, "--device", place.device, *place.flags, "--quiet", "--json"]


def _export(place: Place, cell: Cell, run: Callable[..., Done]) -> None:
    """Export the last checkpoint: the best one would favour runs that are evaluated more often."""
    model, where = place.model(cell), place.run(cell).folder
    done = run("gan-export", where, "--checkpoint", "last", "--opset", OPSET, "--output", model, "--json")
    if done.code:
        raise done.failed(cell.name, place.folder)


def _measure(place: Place, plan: Plan, cell: Cell, run: Callable[..., Done]) -> dict[str, Any]:
    """The report of gan-eval on the exported file."""
    settings = plan.settings
    device = "cpu" if place.device == "cpu" else "auto"  # torch's may be none that ONNX Runtime can use
    data = [settings.data, *settings.data_flags(*OF_EVALUATION), *_features(place), "--n", settings.n]
    common = ["--device", device, "--threads", settings.threads, *place.flags, "--quiet", "--json"]
    done = run("gan-eval", place.model(cell), *data, *common)
    if done.code:
        raise done.failed(cell.name, place.folder)
    report: dict[str, Any] = json.loads(done.out)
    return report


def _features(place: Place) -> list[str]:
    return [] if place.features is None else ["--features", place.features]


def make_folders(folder: Path) -> None:
    """Make the folders of a comparison. Raises GanEdgeError where that is not possible."""
    try:
        for name in (RUNS, MODELS, RESULTS):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GanEdgeError(f"{folder}: cannot be made: {error.strerror}; choose another --output") from None
