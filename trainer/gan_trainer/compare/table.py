"""The table of a comparison: a row per recipe with mean and spread over its seeds, and the number of failed runs."""

import platform
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from gan_runtime.evaluation.scores import TEST, TRAIN
from gan_runtime.evaluation.table import METRICS
from gan_runtime.terminal.text import plain
from gan_trainer.compare.cells import COLLAPSED, DIVERGED, FINISHED
from gan_trainer.compare.plan import Plan, Settings, versions

Result = dict[str, Any]
TOLERANCE = 0.15  # of the budget
DIFFERING = {  # fields of recipes that numbers depend on, and that no column shows
    "batch_size": "images per step",
    "ema_half_life": "half-life of the average that is exported, 0 for none",
    "conditional": "told the classes",
    "augment": "augmentation",
}
SHOWN = ("fid", "precision", "recall", "density", "coverage", "modes", "kl", "confident")


def scores_of(result: Result) -> dict[str, Any] | None:
    """What gan-eval says of the exported file of a run; None for one that diverged."""
    report = result["report"]
    return None if report is None else next(iter(report["results"].values()))


def summarise(results: Sequence[Result]) -> list[dict[str, Any]]:
    """A row for each recipe, best mean FID first: how its runs ended, and mean, spread and best of each metric.

    The spread is the standard deviation over seeds (n - 1); None for a single one. A collapsed run has numbers, which
    count like all others; one that diverged has none.
    """
    recipes = dict.fromkeys(result["recipe"] for result in results)
    rows = [_row(recipe, [result for result in results if result["recipe"] == recipe]) for recipe in recipes]
    return sorted(rows, key=lambda row: row["fid"]["mean"] if row["fid"] else float("inf"))


def lines(rows: Sequence[dict[str, Any]], results: Sequence[Result]) -> list[list[str]]:
    """The table as text: a header, a row a recipe, and what real images score."""
    titles = [METRICS[key][0] for key in SHOWN]
    header = ["recipe", "runs", "images", "CPU s", *titles, "best FID"]
    body = [_cells(row) for row in rows]
    floors: dict[str, Any] = next((result["report"]["floors"] for result in results if result["report"]), {})
    for name in (TEST, TRAIN):
        if name in floors:
            values = [_plain(key, floors[name].get(key)) for key in SHOWN]
            body.append([name, "", f"{floors[name]['n']:,}", "", *values, ""])
    return [header, *body]


def text(cells: list[list[str]]) -> str:
    """For a terminal."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)
    return plain("\n".join(lines))


def markdown(cells: list[list[str]], plan: Plan, results: Sequence[Result]) -> str:
    """The file comparison.md: the table, and all that its numbers depend on."""
    table = [f"| {' | '.join(row)} |" for row in cells]
    table.insert(1, "|" + "---|" * len(cells[0]))
    return plain(
        "\n".join([f"# {plan.settings.data}: recipes compared", "", *table, "", *remarks(plan, results)]) + "\n"
    )


def remarks(plan: Plan, results: Sequence[Result]) -> list[str]:
    """All that the numbers of the table depend on, in sentences."""
    settings, seeds = plan.settings, ", ".join(map(str, sorted({result["seed"] for result in results})))
    threads = f"{settings.threads} thread{'s' if settings.threads > 1 else ''} a run on {settings.device}"
    about = [
        f"{settings.budget} a run, seeds {seeds}; {threads}.",
        f"All recipes compute in {settings.precision}.",
        *_differences(plan),
        *beside_the_budget(settings, results),
        f"Each run's last checkpoint was exported, and {settings.n:,} images of the file measured by gan-eval. "
        "Mean ± standard deviation over seeds.",
    ]
    if settings.changes:
        about.append("Changed in every recipe: " + ", ".join(f"{k} = {v}" for k, v in settings.changes.items()) + ".")
    report = next((result["report"] for result in results if result["report"]), None)
    if report:
        features, versions = report["features"], report["versions"]
        about.append(
            f"Features {features['name']}, SHA-256 {features['sha256'][:16]}; gan-edge {versions['gan-edge']}."
        )
    return [*about, *_software(results), f"Processor: {processor()}."]


def beside_the_budget(settings: Settings, results: Sequence[Result]) -> list[str]:
    """A sentence on runs whose CPU seconds are far from the budget: how fast they would be was measured before."""
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
    return [f"The budget became images by a short measurement; some runs took more or less of it than that: {named}."]


def _differences(plan: Plan) -> list[str]:
    """A sentence on settings that numbers depend on and that are not the same in all recipes of the table."""
    recipes = {name: fields | plan.settings.fields for name, fields in plan.recipes.items()}
    told = []
    for key, title in DIFFERING.items():
        values = {name: fields[key] for name, fields in recipes.items() if key in fields}
        if len(set(map(str, values.values()))) > 1:
            told.append(f"{title} ({', '.join(f'{name} {_setting(value)}' for name, value in values.items())})")
    host = ["CPU s are those of the host, and leave out the work of the GPU."] if plan.settings.device != "cpu" else []
    return ([f"What differs by recipe: {'; '.join(told)}."] if told else []) + host


def _setting(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value}"


def _software(results: Sequence[Result]) -> list[str]:
    """A sentence on the versions that made the runs, and which ran with which where they are several."""
    runs: dict[str, list[str]] = {}
    for result in results:
        if "software" in result:
            runs.setdefault(versions(result["software"]), []).append(f"{result['recipe']}-{result['seed']}")
    if len(runs) < 2:
        return [f"Software: {one}." for one in runs]
    return ["Runs of several versions: " + "; ".join(f"{one}: {', '.join(names)}" for one, names in runs.items()) + "."]


def processor() -> str:
    """What this host computes with."""
    try:
        with open("/proc/cpuinfo") as file:  # noqa: PTH123  (no path of ours)
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return f"{names[0]}, {len(names)} cores"
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def _row(recipe: str, results: list[Result]) -> dict[str, Any]:
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
    return row | {key: _spread(key, [s[key] for s in measured if s.get(key) is not None]) for key in SHOWN}


def _spread(key: str, values: list[float]) -> dict[str, Any] | None:
    if not values:
        return None
    return {
        "mean": mean(values),
        "deviation": stdev(values) if len(values) > 1 else None,
        "best": min(values) if METRICS[key][2] == "lower" else max(values),
        "runs": len(values),
    }


def _cells(row: dict[str, Any]) -> list[str]:
    failed = [f"{row[kind]} {kind}" for kind in (DIVERGED, COLLAPSED) if row[kind]]
    runs = f"{row['runs']} ({', '.join(failed)})" if failed else str(row["runs"])
    values = [_value(key, row[key]) for key in SHOWN]
    best = f"{row['fid']['best']:.3f}" if row["fid"] else "-"
    return [row["recipe"], runs, f"{row['images']:,}", f"{row['cpu_seconds']:.0f}", *values, best]


def _value(key: str, value: dict[str, Any] | None) -> str:
    if value is None:
        return "-"
    if value["deviation"] is None:
        return _plain(key, value["mean"])
    return f"{_plain(key, value['mean'])} ± {_plain(key, value['deviation'])}"


def _plain(key: str, value: float | None) -> str:
    if value is None:
        return "-"
    if key == "modes":
        return f"{value:,.1f}".removesuffix(".0")
    return f"{value:.3f}" if key in ("fid", "kl") else f"{value:.2f}"
