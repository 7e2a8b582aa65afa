"""The table of a comparison: one row per recipe, with mean and spread over seeds, and what the numbers depend on."""

import math
import platform
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from gan_runtime.evaluation.table import METRICS
from gan_runtime.terminal.text import plain
from gan_trainer.compare.cells import COLLAPSED, DIVERGED, FINISHED
from gan_trainer.compare.plan import Plan, Settings, versions

Result = dict[str, Any]
TOLERANCE = 0.15  # of the budget
DIFFERING = {  # fields of recipes that affect the metrics and that no column shows
    "batch_size": "images per step",
    "ema_half_life": "half-life of the average that is exported, 0 for none",
    "conditional": "class-conditional",
    "augment": "augmentation",
}
NOTHING = "-"


def scores_of(result: Result) -> dict[str, Any] | None:
    """The metrics of the exported file of a run; None if it was not measured."""
    report = result["report"]
    return None if report is None else next(iter(report["results"].values()))


def summarise(results: Sequence[Result], columns: Sequence[str]) -> list[dict[str, Any]]:
    """One row per recipe: how its runs ended, and mean, spread and best of each metric, over its runs.

    The row with the best mean of the first of `columns`, keys of `METRICS`, comes first; the next columns order rows
    that are equal in it. The spread is the standard deviation over seeds (n - 1); None for a single run. A collapsed
    run counts like all others; a diverged run has no metrics.
    """
    recipes = dict.fromkeys(result["recipe"] for result in results)
    rows = [_row(recipe, [result for result in results if result["recipe"] == recipe], columns) for recipe in recipes]
    return sorted(rows, key=lambda row: [_loss(key, row[key]) for key in columns])


def lines(rows: Sequence[dict[str, Any]], results: Sequence[Result], columns: Sequence[str]) -> list[list[str]]:
    """The table as text: a header, one row per recipe, and one per kind of real samples.

    It has those of `columns` that a run or real samples have a value of, and the first one in any case.
    """
    floors: dict[str, Any] = next((result["report"]["floors"] for result in results if result["report"]), {})
    sources = [*filter(None, map(scores_of, results)), *floors.values()]
    first, *others = columns
    shown = [first, *(key for key in others if any(scores.get(key) is not None for scores in sources))]
    header = [
        "recipe",
        "runs",
        "images",
        "CPU s",
        *(METRICS[key].title for key in shown),
        f"best {METRICS[first].title}",
    ]
    body = [_cells(row, shown) for row in rows]
    for name, scores in floors.items():
        values = [plain_value(key, scores.get(key)) for key in shown]
        body.append([name, "", f"{scores['n']:,}" if scores["n"] else "", "", *values, ""])
    return [header, *body]


def plain_value(key: str, value: float | None) -> str:
    """A mean over runs, as `Shown.digits_of_means`; means of counts have one digit where they need it."""
    shown = METRICS[key]
    if value is None:
        return NOTHING
    digits = shown.digits - 1 if shown.digits_of_means is None else shown.digits_of_means
    return shown.text(value, digits) if shown.digits else f"{value:,.1f}".removesuffix(".0")


def text(cells: list[list[str]]) -> str:
    """For a terminal."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)
    return plain("\n".join(lines))


def markdown(cells: list[list[str]], plan: Plan, results: Sequence[Result]) -> str:
    """The file comparison.md: the table, and what its numbers depend on."""
    table = [f"| {' | '.join(row)} |" for row in cells]
    table.insert(1, "|" + "---|" * len(cells[0]))
    return plain(
        "\n".join([f"# {plan.settings.title}: recipes compared", "", *table, "", *remarks(plan, results)]) + "\n"
    )


def remarks(plan: Plan, results: Sequence[Result]) -> list[str]:
    """What the numbers of the table depend on, in sentences."""
    settings, seeds = plan.settings, ", ".join(map(str, sorted({result["seed"] for result in results})))
    threads = f"{settings.threads} thread{'s' if settings.threads > 1 else ''} per run on {settings.device}"
    about = [
        f"{settings.budget} per run, seeds {seeds}; {threads}.",
        f"All recipes compute in {settings.precision}.",
        *_differences(plan),
        *beside_the_budget(settings, results),
        _measured(settings, results),
    ]
    if settings.options:
        about.append(f"Options of the data: {' '.join(settings.data_flags())}.")
    if settings.changes:
        about.append("Changed in every recipe: " + ", ".join(f"{k} = {v}" for k, v in settings.changes.items()) + ".")
    report = next((result["report"] for result in results if result["report"]), None)
    if report and "features" in report:
        features, versions = report["features"], report["versions"]
        about.append(
            f"Features {features['name']}, SHA-256 {features['sha256'][:16]}; gan-edge {versions['gan-edge']}."
        )
    return [*about, *_software(results), f"Processor: {processor()}."]


def _measured(settings: Settings, results: Sequence[Result]) -> str:
    if settings.unmeasured:
        return f"The last checkpoint of each run was exported. There are no metrics: {settings.unmeasured}."
    n = next((scores["n"] for scores in map(scores_of, results) if scores and "n" in scores), settings.n)
    return (
        f"The last checkpoint of each run was exported, and gan-eval measured {n:,} samples of each file. "
        "Mean ± standard deviation over seeds."
    )


def beside_the_budget(settings: Settings, results: Sequence[Result]) -> list[str]:
    """A sentence on runs whose CPU seconds differ much from the budget."""
    if settings.cpu_seconds is None:
        return []
    far = {
        f"{result['recipe']}-{result['seed']}": result["cpu_seconds"] / settings.cpu_seconds
        for result in results
        if result["outcome"] == FINISHED and abs(result["cpu_seconds"] / settings.cpu_seconds - 1) > TOLERANCE
    }
    if not far:
        return []
    named = ", ".join(f"{name} {share:.0%}" for name, share in far.items())
    return [
        "The number of images follows from a short measurement of the speed. The share of the budget that runs used "
        f"differs: {named}."
    ]


def _differences(plan: Plan) -> list[str]:
    """Sentences on settings that affect the metrics and differ between the recipes of the table."""
    recipes = {name: fields | plan.settings.fields for name, fields in plan.recipes.items()}
    told = []
    for key, title in DIFFERING.items():
        values = {name: fields[key] for name, fields in recipes.items() if key in fields}
        if len(set(map(str, values.values()))) > 1:
            told.append(f"{title} ({', '.join(f'{name} {_setting(value)}' for name, value in values.items())})")
    host = ["CPU s is the CPU time of the host, without the work of the GPU."] if plan.settings.device != "cpu" else []
    return ([f"Differences between the recipes: {'; '.join(told)}."] if told else []) + host


def _setting(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value}"


def _software(results: Sequence[Result]) -> list[str]:
    """A sentence on the software versions, and on which runs used which."""
    runs: dict[str, list[str]] = {}
    for result in results:
        if "software" in result:
            runs.setdefault(versions(result["software"]), []).append(f"{result['recipe']}-{result['seed']}")
    if len(runs) < 2:
        return [f"Software: {one}." for one in runs]
    return ["Runs of several versions: " + "; ".join(f"{one}: {', '.join(names)}" for one, names in runs.items()) + "."]


def processor() -> str:
    """Name and number of cores of this host's processor."""
    try:
        with open("/proc/cpuinfo") as file:  # noqa: PTH123  (no path of ours)
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return f"{names[0]}, {len(names)} cores"
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def _row(recipe: str, results: list[Result], columns: Sequence[str]) -> dict[str, Any]:
    outcomes = [result["outcome"] for result in results]
    measured = [scores for result in results if (scores := scores_of(result)) is not None]
    row: dict[str, Any] = {
        "recipe": recipe,
        "runs": len(results),
        DIVERGED: outcomes.count(DIVERGED),
        COLLAPSED: outcomes.count(COLLAPSED),
        "images": round(mean(result["images"] for result in results)),
        "cpu_seconds": round(mean(result["cpu_seconds"] for result in results), 1),
    }
    return row | {key: _spread(key, [s[key] for s in measured if s.get(key) is not None]) for key in columns}


def _spread(key: str, values: list[float]) -> dict[str, Any] | None:
    if not values:
        return None
    return {
        "mean": mean(values),
        "deviation": stdev(values) if len(values) > 1 else None,
        "best": min(values, key=METRICS[key].loss),
        "runs": len(values),
    }


def _loss(key: str, spread: dict[str, Any] | None) -> float:
    return METRICS[key].loss(spread["mean"]) if spread else math.inf


def _cells(row: dict[str, Any], columns: Sequence[str]) -> list[str]:
    failed = [f"{row[kind]} {kind}" for kind in (DIVERGED, COLLAPSED) if row[kind]]
    runs = f"{row['runs']} ({', '.join(failed)})" if failed else str(row["runs"])
    values, first = [_value(key, row[key]) for key in columns], columns[0]
    best = plain_value(first, row[first]["best"] if row[first] else None)
    return [row["recipe"], runs, f"{row['images']:,}", f"{row['cpu_seconds']:.0f}", *values, best]


def _value(key: str, value: dict[str, Any] | None) -> str:
    if value is None:
        return NOTHING
    if value["deviation"] is None:
        return plain_value(key, value["mean"])
    return f"{plain_value(key, value['mean'])} ± {plain_value(key, value['deviation'])}"
