"""The top of the page: what this run is, how far it is, how good, and what to know before reading on."""

from gan_runtime.laboratory.metrics import CEILING
from gan_trainer.report.plots import PERFECT, TEST, TEST_POINTS, TRAINING, metrics, real_name
from gan_trainer.report.records import Entry, Records, number
from gan_trainer.report.words import after, duration, figure, short
from gan_trainer.training.config import Config

NOT_MEASURED = (
    "No quality metrics: this run was not evaluated. Evaluations need --eval-every, real test images and a "
    "feature network that ships for the data; gan-eval --features measures an exported file with any other."
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
        "warnings": [_warning(entry) for entry in records.warnings],
        "hints": _hints(records, images < total),
        "tiles": [*_pace(records, images, total), *_fid(records), *_best(records.best), *_modes(records)],
        "scores": _scores(records),
    }


def _subtitle(config: Config) -> str:
    data = config.data
    if data.points:
        modes = len(data.points.modes)
        return f"{data.name}: {data.images:,} points around {modes} modes · recipe {config.recipe_name}"
    classes = f", {len(data.classes):,} classes" if data.classes else ""
    colour = "colour" if data.size.channels == 3 else "grey"
    shape = f"{data.size.width}x{data.size.height}"
    return f"{data.name}: {data.images:,} images, {shape}, {colour}{classes} · recipe {config.recipe_name}"


def _warning(entry: Entry) -> Entry:
    images, seconds = entry["images"], entry["seconds"]
    return {"images": images, "seconds": seconds, "text": entry["warning"], "at": after(images, seconds)}


def _hints(records: Records, unfinished: bool) -> list[str]:
    if records.evaluations:
        return [] if records.floors else [NO_FLOORS]
    return [NOT_YET if unfinished and records.config.recipe.eval_every else NOT_MEASURED]


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
    if "fid" not in best:
        return []
    return [_tile("Best FID", figure(best["fid"]), f"n = {best['n']:,} · after {short(best['images'])}")]


def _modes(records: Records) -> list[Entry]:
    """Of points."""
    found, points = records.best, records.config.data.points
    if not points or "modes" not in found:
        return []
    share = number(found, "high_quality")
    return [
        _tile("Modes", figure(found["modes"]), f"of {len(points.modes)} · n = {found['n']:,}"),
        _tile("High quality", "-" if share is None else f"{share:.1%}", f"a perfect sampler: {CEILING:.1%}"),
    ]


def _tile(label: str, value: str, detail: str) -> Entry:
    return {"label": label, "value": value, "detail": detail}


def _scores(records: Records) -> Entry | None:
    """The best evaluation, beside what real images score."""
    best = records.best
    if not best:
        return None
    points = records.config.data.points
    beside = (TEST_POINTS, PERFECT) if points else (TEST, TRAINING)
    real = {images: records.real(best["n"], images) for images in beside}
    columns = {f"{best['n']:,} generated": best}
    columns |= {real_name(scores, images): scores for images, scores in real.items() if scores}
    measured = [metric for metric in metrics(records) if number(best, metric.key) is not None]
    return {
        "title": f"The {'last' if points else 'best'} generator: {after(best['images'], best['seconds'])}",
        "columns": list(columns),
        "rows": [
            [metric.title, *(figure(number(column, metric.key)) for column in columns.values())] for metric in measured
        ],
    }
