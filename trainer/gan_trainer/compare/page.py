"""comparison.html: the table, the samples, and the curves of the leading metric over the budget, in one file."""

import base64
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from statistics import mean
from typing import Any

from gan_trainer.compare.plan import Plan
from gan_trainer.compare.table import Result, remarks
from gan_trainer.report.html import write_page
from gan_trainer.report.records import number
from gan_trainer.runs import history
from gan_trainer.tasks.task import Metric

AXES = {"cpu_seconds": "CPU seconds of training", "images": "real images seen"}
Curve = list[tuple[float, float]]


def write_comparison(
    path: Path, cells: list[list[str]], plan: Plan, results: Sequence[Result], samples: Path, metric: Metric
) -> None:
    """Write the page.

    Args:
        path: the file.
        cells: the table, its header first.
        plan: of the comparison.
        results: of all finished runs.
        samples: the picture with samples of each recipe, a PNG.
        metric: the number that is plotted over the training.

    Raises:
        OutputError: the file cannot be written.
    """
    over = "cpu_seconds" if plan.settings.device == "cpu" else "images"
    document = {
        "title": f"{plan.settings.title}: recipes compared",
        "table": cells,
        "remarks": remarks(plan, results),
        "samples": f"data:image/png;base64,{base64.b64encode(samples.read_bytes()).decode()}",
        "over": AXES[over],
        "plot": {
            "title": metric.title,
            "note": f"of {samples_of(results):,} samples",
            "log": metric.log,
            "named": True,
            "lines": curves(results, over, metric),
        },
    }
    write_page(path, __package__, "comparison.html", ("comparison.js",), document)


def curves(results: Sequence[Result], over: str, metric: Metric) -> list[dict[str, Any]]:
    """The curves of each recipe over a key of `AXES`: those of several seeds, then their mean.

    Points where one value is missing, or is 0 on a logarithmic axis, are left out. A run that ended early counts in
    the mean for as long as it ran.
    """
    found = []
    for shade, recipe in enumerate(dict.fromkeys(result["recipe"] for result in results)):
        own = [curve for result in results if result["recipe"] == recipe and (curve := _curve(result, over, metric))]
        rows = (tuple(filter(None, points)) for points in zip_longest(*own))
        average = [(mean(x), mean(y)) for x, y in (zip(*points, strict=True) for points in rows)]
        if len(own) > 1:
            found += [_line("", "faint", shade, curve) for curve in own]
        if average:
            found.append(_line(recipe, "mean", shade, average))
    return found


def samples_of(results: Sequence[Result]) -> int:
    """How many samples the points of the curves have."""
    return next((int(point["n"]) for result in results for point in result["curve"]), history.SAMPLES)


def _curve(result: Result, over: str, metric: Metric) -> Curve:
    points = [(number(point, over), number(point, metric.key)) for point in result["curve"]]
    return [(x, y) for x, y in points if x and y is not None and (y > 0 or not metric.log)]


def _line(name: str, kind: str, shade: int, curve: Curve) -> dict[str, Any]:
    return {"name": name, "kind": kind, "shade": shade, "x": [x for x, _ in curve], "values": [y for _, y in curve]}
