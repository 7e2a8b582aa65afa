"""The data of the plots: named columns of numbers. plots.js determines their appearance."""

from gan_trainer.report.records import Records, number, scaled, spread
from gan_trainer.tasks.task import Entry, Metric
from gan_trainer.training.augmentation import MEASURES

MOST = 2000  # points of a line
LOSSES = {
    "d_loss": "discriminator",
    "g_loss": "generator",
    "l1_loss": "L1",
    "perceptual_loss": "perceptual",
    "phase_loss": "grid",
}
REGULARISERS = {
    "r1": ("R1", "squared gradients of real images, without weight"),
    "path_length": ("Path length", "squared deviations from the mean, without weight"),
}


def plots(records: Records) -> list[Entry]:
    """All plots that have data, in the order of the page."""
    last = "machine" if records.evaluations else "main"
    speeds = {"images_per_second": ("Speed", "images per second"), "lr": ("Learning rate", "of the generator")}
    found = [
        _plot("Losses", "means between two entries", "main", _losses(records)),
        *(_plot(*words, "main", [_line(records.losses, key)]) for key, words in REGULARISERS.items()),
        _plot("Adaptive augmentation", "means between two entries", "main", _measures(records)),
        *(_metric(records, metric) for metric in records.task.metrics),
        *(_plot(*words, last, [_line(records.losses, key)]) for key, words in speeds.items()),
    ]
    return [plot for plot in found if any(line["values"] for line in plot["lines"])]


def real_name(scores: Entry, images: str) -> str:
    """For example "2,000 test images": a small data set has fewer than were generated."""
    return f"{scores['n']:,} {images}" if number(scores, "n") else images


def _metric(records: Records, metric: Metric) -> Entry:
    return _plot(metric.title, metric.note, metric.group, _quality(records, metric), metric.log)


def _plot(title: str, note: str, group: str, lines: list[Entry], log: bool = False) -> Entry:
    return {"title": title, "note": note, "group": group, "log": log, "lines": lines}


def _losses(records: Records) -> list[Entry]:
    keys = dict.fromkeys(key for entry in records.losses for key in entry if key.endswith("_loss"))
    return [_line(records.losses, key, LOSSES.get(key, key)) for key in keys]


def _measures(records: Records) -> list[Entry]:
    return [_line(records.losses, key, name) for key, name in MEASURES.items()]


def _quality(records: Records, metric: Metric) -> list[Entry]:
    """One series per number of samples n, because values of different n cannot be compared."""
    measured = [entry for entry in records.evaluations if number(entry, metric.key) is not None]
    counts = sorted(
        {entry["n"] for entry in measured}
    )  # the final evaluations have a larger n than those during training
    lines = [_of_n(records, metric, n, [entry for entry in measured if entry["n"] == n]) for n in counts]
    for line in lines[1:]:
        line["kind"] = "single"
    by = records.task.best
    if records.best and by and metric.key == by.key:
        lines.append(_line([records.best], by.key, "best", metric.scale) | {"kind": "best"})
    return lines


def _of_n(records: Records, metric: Metric, n: int, entries: list[Entry]) -> Entry:
    scores = records.real(n, metric.real)
    real = {"name": real_name(scores, metric.real), "value": scaled(scores, metric.key, metric.scale)}
    return _line(entries, metric.key, f"n = {n:,}", metric.scale) | {"kind": "evaluations", "real": real}


def _line(entries: list[Entry], key: str, name: str = "", scale: float = 1.0) -> Entry:
    chosen = [entry for entry in spread(entries, MOST) if key in entry]
    numbers = {column: [number(entry, column) for entry in chosen] for column in ("images", "seconds")}
    columns = {"values": key, "deviations": f"{key}_deviation"}
    numbers |= {name: [scaled(entry, column, scale) for entry in chosen] for name, column in columns.items()}
    return {"name": name, "kind": "log", "real": None} | numbers
