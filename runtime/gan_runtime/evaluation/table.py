"""The report of gan-eval as a table: one row per metric, one column per source, and columns of real images."""

import json
from pathlib import Path
from typing import Any

from gan_runtime.evaluation.reference import FULL, LEAST
from gan_runtime.files import atomic_write
from gan_runtime.terminal.text import plain

METRICS = {  # key: title, format, better direction; a table has the metrics that its columns have
    "high_quality": ("high quality", "{:.2%}", "higher"),
    "fid": ("FID", "{:.4f}", "lower"),
    "kid": ("KID x 1000", "{:.3f}", "lower"),
    "precision": ("precision", "{:.3f}", "higher"),
    "recall": ("recall", "{:.3f}", "higher"),
    "density": ("density", "{:.3f}", "higher"),
    "coverage": ("coverage", "{:.3f}", "higher"),
    "modes": ("modes", "{:d}", "higher"),
    "kl": ("KL of classes", "{:.4f}", "lower"),
    "confident": ("confident", "{:.3f}", "higher"),
    "accuracy": ("label accuracy", "{:.3f}", "higher"),
    "copied": ("copied", "{:.3f}", "lower"),
    "nearer": ("nearer than held out", "{:.3f}", "0.5"),
}
NOTHING = "-"


def rows(report: dict[str, Any]) -> list[list[str]]:
    """A header and one row per metric."""
    named = [*report["results"].items(), *report["floors"].items()]  # a source may have the name of a floor
    header, columns = ["", *(name for name, _ in named)], [column for _, column in named]
    counts = [f"{column['n']:,}" if column["n"] else NOTHING for column in columns]
    body = [
        [title, *(_value(column, key, form) for column in columns)]
        for key, (title, form, _) in METRICS.items()
        if any(key in column for column in columns)
    ]
    return [header, ["images" if "features" in report else "points", *counts], *body]


def table(report: dict[str, Any]) -> str:
    """The table as plain text with aligned columns and a note on the measurement."""
    cells = rows(report)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return plain("\n".join([*lines, "", _measured_with(report)]))


def markdown(report: dict[str, Any]) -> str:
    """The table in markdown."""
    cells = rows(report)
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return plain("\n".join([lines[0], "|" + "---|" * len(cells[0]), *lines[1:], "", _measured_with(report)]))


def card_path(name: str) -> Path:
    """The path of a source's card, beside the source."""
    source = Path(name).resolve()
    return source.with_name(f"{source.name}.quality.md")


def write_card(name: str, report: dict[str, Any]) -> Path:
    """Write `<source>.quality.md` and `.json` beside a source, with its column and those of real images.

    Raises:
        OutputError: the folder does not exist or is not writable.
    """
    path = card_path(name)
    title = path.name.removesuffix(".quality.md")
    own = report | {"results": {title: report["results"][name]}}
    with atomic_write(path) as file:
        file.write(f"# {title}\n\n{markdown(own)}\n".encode())
    with atomic_write(path.with_suffix(".json")) as file:
        file.write(json.dumps(own, indent=2).encode() + b"\n")
    return path


def _value(column: dict[str, Any], key: str, form: str) -> str:
    value = column.get(key)
    if value is None:
        return NOTHING
    if key == "kid":
        return f"{form.format(1000 * value)} ± {form.format(1000 * column['kid_deviation'])}"
    return form.format(value)


def _measured_with(report: dict[str, Any]) -> str:
    data, features = report["data"], report.get("features")
    if features is None:
        return f"high quality: within three standard deviations of the nearest mode of {data['name']}; modes: hit so"
    held_out = "held-out" if data.get("hold_out") else "test"
    return (
        f"FID and KID against the {data['train']:,} training images of {data['name']}, precision to coverage against "
        f"its {held_out} images; features {features['name']}, SHA-256 {features['sha256'][:16]}{_small(report)}"
    )


def _small(report: dict[str, Any]) -> str:
    """What a reader must know of a small data set."""
    data = report["data"]
    if data.get("hold_out") is None or data["train"] >= FULL:
        return ""
    lines = [f"{data['test']:,} images are held out: k = {data['k']} for precision to coverage"]
    if any(column["n"] > data["test"] for column in report["results"].values()):
        lines.append("FID and KID of real images compare training images with the other training images")
    lines.append("read KID first: it is unbiased, while FID grows as the number of images falls")
    if data["train"] < LEAST:
        lines.append(f"with fewer than {LEAST:,} training images, differences may be noise")
    return "\n" + "; ".join(lines)
