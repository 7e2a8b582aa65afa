"""What is plotted: columns of numbers with names. How that looks is up to plots.js."""

from dataclasses import dataclass

from gan_trainer.report.records import Entry, Records, number, spread

MOST = 2000  # points of a line
TEST, TRAINING = "test images", "training images"
TEST_POINTS, PERFECT = "test points", "perfect sampler"
LOSSES = {"d_loss": "discriminator", "g_loss": "generator"}


@dataclass(frozen=True)
class Metric:
    """A column of the evaluations, and which real images show what can be reached."""

    key: str
    title: str
    note: str
    real: str
    group: str


METRICS = (
    Metric("fid", "FID", "distance to the training images; 0 is best", TEST, "main"),
    Metric("kid", "KID", "kernel distance; 0 is best", TEST, "distances"),
    Metric("precision", "Precision", "are the images plausible?", TRAINING, "neighbours"),
    Metric("recall", "Recall", "could it draw every real one?", TRAINING, "neighbours"),
    Metric("density", "Density", "precision, robust to outliers", TRAINING, "neighbours"),
    Metric("coverage", "Coverage", "recall, robust to outliers", TRAINING, "neighbours"),
    Metric("modes", "Modes", "classes that occur", TEST, "classes"),
    Metric("kl", "KL", "of the class frequencies; 0 is best", TEST, "classes"),
    Metric("confident", "Confident", "share read with p ≥ 0.9", TEST, "classes"),
    Metric("accuracy", "Label accuracy", "read as the class asked for", TEST, "classes"),
)

POINT_METRICS = (
    Metric("high_quality", "High quality", "share within three deviations of a mode", TEST_POINTS, "main"),
    Metric("modes", "Modes", "hit by a point of high quality", TEST_POINTS, "distances"),
    Metric("kl", "KL", "of the modes' frequencies to uniform ones; 0 is best", TEST_POINTS, "classes"),
)


def metrics(records: Records) -> tuple[Metric, ...]:
    """The columns that this run's evaluations have."""
    return POINT_METRICS if records.config.data.points else METRICS


def plots(records: Records) -> list[Entry]:
    """All plots that have something to show, in reading order."""
    last = "machine" if records.evaluations else "main"
    speeds = {"images_per_second": ("Speed", "images per second"), "lr": ("Learning rate", "of the generator")}
    found = [
        _plot("Losses", "means between two entries", "main", _losses(records)),
        *(_plot(metric.title, metric.note, metric.group, _quality(records, metric)) for metric in metrics(records)),
        *(_plot(*words, last, [_line(records.losses, key)]) for key, words in speeds.items()),
    ]
    return [plot for plot in found if any(line["values"] for line in plot["lines"])]


def real_name(scores: Entry, images: str) -> str:
    """2,000 test images; a small data set has fewer than were generated."""
    return f"{scores['n']:,} {images}" if number(scores, "n") else images


def _plot(title: str, note: str, group: str, lines: list[Entry]) -> Entry:
    return {"title": title, "note": note, "group": group, "log": title == "FID", "lines": lines}


def _losses(records: Records) -> list[Entry]:
    keys = dict.fromkeys(key for entry in records.losses for key in entry if key.endswith("_loss"))
    return [_line(records.losses, key, LOSSES.get(key, key)) for key in keys]


def _quality(records: Records, metric: Metric) -> list[Entry]:
    """A line through the values of the least n, and those of each other n by themselves; never one through both."""
    measured = [entry for entry in records.evaluations if number(entry, metric.key) is not None]
    counts = sorted({entry["n"] for entry in measured})  # the end of a run has larger ones than its course
    lines = [_of_n(records, metric, n, [entry for entry in measured if entry["n"] == n]) for n in counts]
    for line in lines[1:]:
        line["kind"] = "single"
    best = [_line([records.best], "fid", "best") | {"kind": "best"}] if records.best and metric.key == "fid" else []
    return lines + best


def _of_n(records: Records, metric: Metric, n: int, entries: list[Entry]) -> Entry:
    scores = records.real(n, metric.real)
    real = {"name": real_name(scores, metric.real), "value": number(scores, metric.key)}
    return _line(entries, metric.key, f"n = {n:,}") | {"kind": "evaluations", "real": real}


def _line(entries: list[Entry], key: str, name: str = "") -> Entry:
    chosen = [entry for entry in spread(entries, MOST) if key in entry]
    columns = {"images": "images", "seconds": "seconds", "values": key, "deviations": f"{key}_deviation"}
    numbers = {name: [number(entry, column) for entry in chosen] for name, column in columns.items()}
    return {"name": name, "kind": "log", "real": None} | numbers
