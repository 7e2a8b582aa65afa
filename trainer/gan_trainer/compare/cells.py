"""One run of a comparison: train, export, measure the exported file. What has been done is not done again."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_runtime.errors import GanEdgeError
from gan_runtime.files import atomic_write
from gan_trainer.checks import flag
from gan_trainer.cli import COLLAPSED as EXIT_COLLAPSED
from gan_trainer.compare.plan import Cell, Plan
from gan_trainer.compare.processes import Done
from gan_trainer.history import Entry, evaluations, repeats_itself
from gan_trainer.runs import Run

RUNS, MODELS, RESULTS = "runs", "models", "results"
OPSET = 17
DIVERGED, COLLAPSED, FINISHED = "diverged", "collapsed", "finished"


@dataclass(frozen=True)
class Place:
    """Where a comparison is, and how its commands find data and devices."""

    folder: Path
    flags: tuple[str, ...]
    device: str

    def model(self, cell: Cell) -> Path:
        """The exported file of a run."""
        return self.folder / MODELS / f"{cell.name}.onnx"

    def result(self, cell: Cell) -> Path:
        """What is known of a finished run."""
        return self.folder / RESULTS / f"{cell.name}.json"


def known_result(place: Place, cell: Cell) -> dict[str, Any] | None:
    """The result of a run that is finished; None for one that is not."""
    try:
        document = json.loads(place.result(cell).read_text())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) and "outcome" in document else None


def finish(place: Place, plan: Plan, cell: Cell, run: Callable[..., Done]) -> dict[str, Any]:
    """Bring a run to its end, from wherever it stands, and keep its result.

    Args:
        place: of the comparison.
        plan: its settings and lengths.
        cell: recipe and seed.
        run: what runs the commands: `Processes.run`.

    Returns:
        Recipe, seed, `outcome` (finished, collapsed or diverged), images and CPU seconds of the training, the report of
        gan-eval (None if it diverged), and the evaluations during the training.

    Raises:
        GanEdgeError: a command failed, and not because the training diverged.
    """
    where = Run(place.folder / RUNS / cell.name)
    trained = run("gan-train", *_training(place, plan, cell, where))
    entries = where.entries()
    result: dict[str, Any] = {"recipe": cell.recipe, "seed": cell.seed, "report": None}
    if trained.code in (0, EXIT_COLLAPSED):
        report = json.loads(trained.out)
        result |= {key: report[key] for key in ("images", "cpu_seconds")}
        result["report"] = _measure(place, plan, cell, where, run)
        scores = next(iter(result["report"]["results"].values()))
        collapsed = trained.code == EXIT_COLLAPSED or _has_collapsed(scores)
        result["outcome"] = COLLAPSED if collapsed else FINISHED
    elif entries and str(entries[-1].get("warning", "")).startswith(DIVERGED):
        result |= {key: entries[-1].get(key) for key in ("images", "cpu_seconds")} | {"outcome": DIVERGED}
        result["reason"] = entries[-1]["warning"]
    else:
        raise trained.failed()
    result["curve"] = _curve(entries)
    with atomic_write(place.result(cell)) as file:
        file.write(json.dumps(result, indent=2).encode() + b"\n")
    return result


def _training(place: Place, plan: Plan, cell: Cell, where: Run) -> list[str]:
    if where.folder.exists():
        return ["--resume", str(where.folder), *place.flags, "--quiet", "--json"]
    settings = {"eval_every": plan.evaluate_every(cell.recipe), "threads": plan.settings.threads}
    changes = settings | plan.settings.changes | {"images": plan.lengths[cell.recipe], "seed": cell.seed}
    given = [word for name, value in changes.items() for word in flag(name, value).split()]
    names = ["--recipe", cell.recipe, "--runs-dir", str(where.folder.parent), "--name", cell.name]
    return [plan.settings.data, *names, *given, "--device", place.device, *place.flags, "--quiet", "--json"]


def _measure(place: Place, plan: Plan, cell: Cell, where: Run, run: Callable[..., Done]) -> dict[str, Any]:
    """The report of gan-eval on the exported last checkpoint: no run is helped by choosing its best moment."""
    model, settings = place.model(cell), plan.settings
    exported = run("gan-export", where.folder, "--checkpoint", "last", "--opset", OPSET, "--output", model, "--json")
    if exported.code:
        raise exported.failed()
    common = ["--device", place.device, "--threads", settings.threads, *place.flags, "--quiet", "--json"]
    measured = run("gan-eval", model, settings.data, "--n", settings.n, *common)
    if measured.code:
        raise measured.failed()
    report: dict[str, Any] = json.loads(measured.out)
    return report


def _has_collapsed(scores: Entry) -> bool:
    """By the rule of gan-train, on the images of the exported file."""
    known = all(scores.get(name) is not None for name in ("precision", "recall", "coverage"))
    return known and repeats_itself(scores)


def _curve(entries: list[Entry]) -> list[Entry]:
    keys = ("images", "cpu_seconds", "fid", "precision", "recall", "coverage")
    return [{key: entry.get(key) for key in keys} for entry in evaluations(entries)]


def make_folders(folder: Path) -> None:
    """Make the folders of a comparison. Raises GanEdgeError where that is not possible."""
    try:
        for name in (RUNS, MODELS, RESULTS):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GanEdgeError(f"{folder}: cannot be made: {error.strerror}; choose another --output") from None
