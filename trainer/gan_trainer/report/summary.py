"""The top of the page: what this run is, how far it is, how good, and what to know before reading on."""

from gan_trainer.config import Config
from gan_trainer.report.plots import METRICS, TEST, TRAINING
from gan_trainer.report.records import Entry, Records, number
from gan_trainer.report.words import after, duration, figure, short

NOT_MEASURED = (
    "No quality metrics: nothing has been evaluated in this run. That needs a network to measure its data with: one "
    "ships for MNIST, gan-features trains others."
)
NOT_YET = "No quality metrics yet: the first evaluation is still to come."
NO_FLOORS = "floors.json is missing: the metrics are shown without what real images score."


def summary(records: Records) -> Entry:
    """Title, notices, tiles with the figures that matter most, and the table of scores."""
    images, total = records.last.get("images", 0), records.config.recipe.images
    return {
        "name": records.name,
        "subtitle": _subtitle(records.config),
        "progress": min(1.0, images / total),
        "warnings": [_warning(records, entry) for entry in records.warnings],
        "hints": _hints(records),
        "tiles": [*_pace(records, images, total), *_fid(records), *_best(records.best)],
        "scores": _scores(records),
    }


def _subtitle(config: Config) -> str:
    data = config.data
    classes = f", {len(data.classes):,} classes" if data.classes else ""
    colour = "colour" if data.size.channels == 3 else "grey"
    shape = f"{data.size.width} × {data.size.height}"
    return f"{data.name}: {data.images:,} images, {shape}, {colour}{classes} · recipe {config.recipe_name}"


def _warning(records: Records, entry: Entry) -> Entry:
    known = number(entry, "seconds")
    seconds = records.seconds_at(entry["images"]) if known is None else known
    return {"images": entry["images"], "seconds": seconds, "text": entry["warning"]} | {
        "at": after(entry["images"], seconds)
    }


def _hints(records: Records) -> list[str]:
    if records.evaluations:
        return [] if records.floors else [NO_FLOORS]
    return [NOT_YET if records.floors else NOT_MEASURED]


def _pace(records: Records, images: int, total: int) -> list[Entry]:
    threads, speeds = records.config.threads, [number(entry, "images_per_second") for entry in records.losses[-1:]]
    where = f"{records.config.device}, {threads} thread{'s' if threads > 1 else ''}"
    return [
        _tile("Images seen", short(images), f"of {short(total)} · {images / total:.0%}"),
        _tile("Training time", duration(records.last.get("seconds", 0)), where),
        *(_tile("Speed", figure(speed), "images per second") for speed in speeds),
    ]


def _fid(records: Records) -> list[Entry]:
    measured = [entry for entry in records.evaluations if number(entry, "fid") is not None]
    return [_latest(records, entry, number(records.real(entry["n"], TEST), "fid")) for entry in measured[-1:]]


def _latest(records: Records, entry: Entry, floor: float | None) -> Entry:
    beside = "" if floor is None else f" · floor {figure(floor)}"
    return _tile("Latest FID", figure(entry["fid"]), f"n = {entry['n']:,}{beside}")


def _best(best: Entry) -> list[Entry]:
    return [_tile("Best FID", figure(best["fid"]), f"n = {best['n']:,} · at {short(best['images'])}")] if best else []


def _tile(label: str, value: str, detail: str) -> Entry:
    return {"label": label, "value": value, "detail": detail}


def _scores(records: Records) -> Entry | None:
    """The last evaluation, beside what as many real images score."""
    if not records.evaluations:
        return None
    last = records.evaluations[-1]
    columns = {"this run": last} | {name: records.real(last["n"], name) for name in (TEST, TRAINING)}
    columns = {name: column for name, column in columns.items() if column}
    measured = [metric for metric in METRICS if number(last, metric.key) is not None]
    return {
        "title": f"{last['n']:,} images, {after(last['images'], last['seconds'])}",
        "columns": list(columns),
        "rows": [[metric.title, *(_score(column, metric.key) for column in columns.values())] for metric in measured],
    }


def _score(column: Entry, key: str) -> str:
    deviation = number(column, f"{key}_deviation")
    return figure(number(column, key)) + ("" if deviation is None else f" ± {figure(deviation)}")
