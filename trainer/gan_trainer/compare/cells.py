"""One run of a comparison: train, export, and measure the exported file. Finished steps are not repeated."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_runtime.errors import GanEdgeError, InputError
from gan_runtime.files import atomic_write
from gan_runtime.terminal.exit_codes import COLLAPSED as EXIT_COLLAPSED
from gan_trainer.compare.plan import Cell, Plan, software
from gan_trainer.compare.processes import Done
from gan_trainer.recipes.checks import flag
from gan_trainer.recipes.recipe import find_recipe
from gan_trainer.runs.folder import Run
from gan_trainer.runs.history import evaluations, has_collapsed, repeats_itself
from gan_trainer.tasks import find_task
from gan_trainer.tasks.task import Best, Entry

RUNS, MODELS, RESULTS = "runs", "models", "results"
OPSET = 17
DIVERGED, COLLAPSED, FINISHED = "diverged", "collapsed", "finished"
OUTCOMES = (DIVERGED, COLLAPSED, FINISHED)
KINDS = {"key": str, "images": int, "cpu_seconds": float | int, "curve": list}  # of what is kept of a training
SHOWN = ("images", "cpu_seconds", "fid")  # of an evaluation, in the curves
MEASURED = ("results", "floors", "features", "versions")  # in a report of gan-eval


@dataclass(frozen=True)
class Place:
    """Where a comparison is, and how its commands find data and devices."""

    folder: Path
    flags: tuple[str, ...]
    device: str

    @property
    def begun(self) -> bool:
        """Whether there is a run, or a result of one."""
        return any(path for name in (RUNS, RESULTS) for path in (self.folder / name).glob("*"))

    def run(self, cell: Cell) -> Run:
        """The run folder."""
        return Run(self.folder / RUNS / cell.name)

    def trained(self, cell: Cell) -> Path:
        """How the training ended: it is over, whatever becomes of what follows."""
        return self.folder / RUNS / f"{cell.name}.json"

    def model(self, cell: Cell) -> Path:
        """The exported file of a run."""
        return self.folder / MODELS / f"{cell.name}.onnx"

    def result(self, cell: Cell) -> Path:
        """What is known of a finished run."""
        return self.folder / RESULTS / f"{cell.name}.json"


def known_result(place: Place, plan: Plan, cell: Cell) -> dict[str, Any] | None:
    """The result of a run that is finished; None for one that is not, or whose result is damaged: it is measured again.

    Raises:
        InputError: it is the result of other settings.
    """
    document = _read(place.result(cell), cell)
    if document is None or not _has_report(document):
        return None
    _check_key(place.result(cell), document, plan, cell)
    return document if document["outcome"] == DIVERGED or place.model(cell).is_file() else None


def known_results(place: Place, plan: Plan) -> list[dict[str, Any]]:
    """Those of all runs of a comparison that are finished, in the order of its recipes and of seeds."""
    found = []
    for recipe in plan.lengths:
        names = [path.stem for path in (place.folder / RESULTS).glob(f"{recipe}-*.json")]
        seeds = sorted(int(seed) for name in names if (seed := name.removeprefix(f"{recipe}-")).isdecimal())
        found += [known_result(place, plan, Cell(recipe, seed)) for seed in seeds]
    return [result for result in found if result is not None]


def finish(place: Place, plan: Plan, cell: Cell, run: Callable[..., Done]) -> dict[str, Any]:
    """Bring a run to its end, from wherever it stands, and keep its result.

    Args:
        place: of the comparison.
        plan: its settings and lengths.
        cell: recipe and seed.
        run: what runs the commands: `Processes.run`.

    Returns:
        Recipe, seed, `outcome` (finished, collapsed or diverged), images and CPU seconds of the training, the report of
        gan-eval (None if it diverged), the evaluations during the training, and the plan's key.

    Raises:
        GanEdgeError: a command failed, and not because the training diverged.
    """
    trained = _train(place, plan, cell, run)
    report = None if trained["outcome"] == DIVERGED else _measure(place, plan, cell, run)
    result = trained | {"report": report}
    if report is not None and repeats_itself(next(iter(report["results"].values()))):
        result["outcome"] = COLLAPSED
    _keep(place.result(cell), result)
    return result


def _train(place: Place, plan: Plan, cell: Cell, run: Callable[..., Done]) -> dict[str, Any]:
    """What is known of a run when its training has ended, which it does once: one that stopped early stays stopped."""
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
        about["outcome"] = COLLAPSED if done.code == EXIT_COLLAPSED or has_collapsed(entries) else FINISHED
    elif entries and str(entries[-1].get("warning", "")).startswith(DIVERGED):
        about |= {key: entries[-1].get(key) for key in ("images", "cpu_seconds")} | {"outcome": DIVERGED}
        about["reason"] = entries[-1]["warning"]
    else:
        raise done.failed(cell.name, place.folder)
    about["curve"] = _curve(entries, find_task(find_recipe(cell.recipe), plan.settings.data).best)
    _keep(path, about)
    return about


def _check_key(path: Path, document: dict[str, Any], plan: Plan, cell: Cell) -> None:
    if document["key"] != plan.key(cell.recipe):
        raise InputError(f"{path}: belongs to a comparison with other settings; choose another --output")


def _read(path: Path, cell: Cell) -> dict[str, Any] | None:
    """What was kept of a run; None where there is nothing, or something damaged."""
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
        if same and whole and all(isinstance(point, dict) and set(SHOWN) <= set(point) for point in document["curve"])
        else None
    )


def _has_report(result: dict[str, Any]) -> bool:
    """Whether a result has what gan-eval said, or needs none."""
    report = result.get("report")
    if result["outcome"] == DIVERGED or not isinstance(report, dict):
        return result["outcome"] == DIVERGED and report is None
    parts = [report.get(name) for name in MEASURED]
    scores = list(parts[0].values()) if isinstance(parts[0], dict) else []
    return all(isinstance(part, dict) for part in parts) and bool(scores) and isinstance(scores[0], dict)


def _keep(path: Path, document: dict[str, Any]) -> None:
    with atomic_write(path) as file:
        file.write(json.dumps(document, indent=2).encode() + b"\n")


def _training(place: Place, plan: Plan, cell: Cell, where: Run) -> list[str]:
    if where.folder.exists():
        return ["--resume", str(where.folder), *place.flags, "--quiet", "--json"]
    settings = {"eval_every": plan.evaluate_every(cell.recipe), "threads": plan.settings.threads}
    changes = settings | plan.settings.fields | {"images": plan.lengths[cell.recipe], "seed": cell.seed}
    given = [word for name, value in changes.items() for word in flag(name, value).split()]
    names = ["--recipe", cell.recipe, "--runs-dir", str(where.folder.parent), "--name", cell.name]
    return [plan.settings.data, *names, *given, "--device", place.device, *place.flags, "--quiet", "--json"]


def _measure(place: Place, plan: Plan, cell: Cell, run: Callable[..., Done]) -> dict[str, Any]:
    """The report of gan-eval on the exported last checkpoint: no run is helped by choosing its best moment."""
    model, settings, where = place.model(cell), plan.settings, place.run(cell).folder
    exported = run("gan-export", where, "--checkpoint", "last", "--opset", OPSET, "--output", model, "--json")
    if exported.code:
        raise exported.failed(cell.name, place.folder)
    device = "cpu" if place.device == "cpu" else "auto"  # torch's may be none that ONNX Runtime can use
    common = ["--device", device, "--threads", settings.threads, *place.flags, "--quiet", "--json"]
    measured = run("gan-eval", model, settings.data, "--n", settings.n, *common)
    if measured.code:
        raise measured.failed(cell.name, place.folder)
    report: dict[str, Any] = json.loads(measured.out)
    return report


def _curve(entries: list[Entry], by: Best | None) -> list[Entry]:
    keys = ("images", "cpu_seconds", *((by.key, *by.beside) if by else ()))
    return [{key: entry.get(key) for key in keys} for entry in evaluations(entries, by)]


def make_folders(folder: Path) -> None:
    """Make the folders of a comparison. Raises GanEdgeError where that is not possible."""
    try:
        for name in (RUNS, MODELS, RESULTS):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GanEdgeError(f"{folder}: cannot be made: {error.strerror}; choose another --output") from None
