"""The top of the page: the run, its progress, its quality, and warnings."""

from gan_trainer.report.plots import real_name
from gan_trainer.report.records import Records, number, scaled
from gan_trainer.report.words import after, duration, figure, short
from gan_trainer.tasks.task import Entry, Metric

NOT_MEASURED = (
    "No quality metrics: this run was not evaluated. --eval-every sets the interval of evaluations in a new run; "
    "gan-eval measures an exported file."
)
NOT_YET = "No quality metrics yet: the first evaluation has not been made."
NO_FLOORS = "floors.json is missing: the metrics are shown without the scores of real images."


def summary(records: Records) -> Entry:
    """Title, notices, tiles with the most important figures, and the table of scores."""
    images, total = records.last.get("images", 0), records.config.recipe.images
    return {
        "name": records.name,
        "subtitle": f"{records.task.subject(records.config)} · recipe {records.config.recipe_name}",
        "progress": min(1.0, images / total),
        "warnings": [_warning(entry) for entry in records.warnings],
        "hints": _hints(records, images < total),
        "tiles": [*_pace(records, images, total), *_quality(records)],
        "scores": _scores(records),
    }


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


def _quality(records: Records) -> list[Entry]:
    by, best = records.task.best, records.best
    leading = next((metric for metric in records.task.metrics if by and metric.key == by.key), None)
    found = _latest_and_best(records, leading) if leading else []
    return [*found, *(_tile(*tile) for tile in (records.task.tiles(best, records.config) if best else []))]


def _latest_and_best(records: Records, by: Metric) -> list[Entry]:
    measured, best = [entry for entry in records.evaluations if number(entry, by.key) is not None], records.best
    tiles = [_latest(records, entry, by) for entry in measured[-1:]]
    if best:
        detail = f"n = {best['n']:,} · after {short(best['images'])}"
        tiles.append(_tile(f"Best {by.title}", figure(scaled(best, by.key, by.scale)), detail))
    return tiles


def _latest(records: Records, entry: Entry, by: Metric) -> Entry:
    floors = (scaled(records.real(entry["n"], real), by.key, by.scale) for real in records.task.floors[:1])
    beside = "".join(f" · floor {figure(floor)}" for floor in floors if floor is not None)
    return _tile(f"Latest {by.title}", figure(scaled(entry, by.key, by.scale)), f"n = {entry['n']:,}{beside}")


def _tile(label: str, value: str, detail: str) -> Entry:
    return {"label": label, "value": value, "detail": detail}


def _scores(records: Records) -> Entry | None:
    """The best evaluation, next to the scores of real images."""
    best = records.best
    if not best:
        return None
    real = {images: records.real(best["n"], images) for images in records.task.floors}
    columns = {f"{best['n']:,} generated": best}
    columns |= {real_name(scores, images): scores for images, scores in real.items() if scores}
    measured = [metric for metric in records.task.metrics if number(best, metric.key) is not None]
    return {
        "title": f"The {'best' if records.task.best else 'last'} generator: {after(best['images'], best['seconds'])}",
        "columns": list(columns),
        "rows": [
            [metric.title, *(figure(scaled(column, metric.key, metric.scale)) for column in columns.values())]
            for metric in measured
        ],
    }
