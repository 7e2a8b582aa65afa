"""The report of gan-eval as a table: one row per metric, one column per source, and columns of real images."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_runtime.evaluation.reference import FULL, LEAST
from gan_runtime.files import atomic_write
from gan_runtime.terminal.text import plain


@dataclass(frozen=True)
class Shown:
    """How tables show a metric.

    Args:
        title: of its row or column.
        digits: after the decimal point, of one measurement; 0 for counts.
        better: "lower", "higher", or the best value.
        scale, unit: the value is shown multiplied by `scale`, before `unit`.
        digits_of_means: after the decimal point, of means over runs; None: one less than `digits`.
    """

    title: str
    digits: int
    better: str
    scale: float = 1.0
    unit: str = ""
    digits_of_means: int | None = None

    def text(self, value: float, digits: int | None = None) -> str:
        """The value as it is shown, with another number of digits if given."""
        return f"{self.scale * value:.{self.digits if digits is None else digits}f}{self.unit}"

    def loss(self, value: float) -> float:
        """A number that is smallest for the best value."""
        signs = {"lower": 1.0, "higher": -1.0}
        return signs[self.better] * value if self.better in signs else abs(value - float(self.better))


METRICS = {  # a table has those that its columns have
    "high_quality": Shown("high quality", 2, "higher", 100, "%"),
    "fid": Shown("FID", 4, "lower"),
    "kid": Shown("KID x 1000", 3, "lower", 1000),
    "l1": Shown("L1", 2, "lower"),
    "psnr": Shown("PSNR", 2, "higher", unit=" dB", digits_of_means=2),
    "ssim": Shown("SSIM", 3, "higher", digits_of_means=3),
    "grid": Shown("grid", 2, "lower"),
    "gradient": Shown("gradient", 2, "1"),
    "patches": Shown("FID of patches", 2, "lower"),
    "cycle": Shown("cycle error", 2, "lower"),
    "identity": Shown("copies of the input", 3, "lower"),
    "variety": Shown("variety", 3, "1"),
    "precision": Shown("precision", 3, "higher"),
    "recall": Shown("recall", 3, "higher"),
    "density": Shown("density", 3, "higher"),
    "coverage": Shown("coverage", 3, "higher"),
    "modes": Shown("modes", 0, "higher"),
    "kl": Shown("KL of classes", 4, "lower"),
    "confident": Shown("confident", 3, "higher"),
    "accuracy": Shown("label accuracy", 3, "higher"),
    "copied": Shown("copied", 3, "lower"),
    "nearer": Shown("nearer than held out", 3, "0.5"),
}
NOTHING = "-"


def rows(report: dict[str, Any]) -> list[list[str]]:
    """A header and one row per metric."""
    named = [*report["results"].items(), *report["floors"].items()]  # a source may have the name of a floor
    header, columns = ["", *(name for name, _ in named)], [column for _, column in named]
    counts = [f"{column['n']:,}" if column["n"] else NOTHING for column in columns]
    body = [
        [shown.title, *(_value(column, key, shown) for column in columns)]
        for key, shown in METRICS.items()
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


def _value(column: dict[str, Any], key: str, shown: Shown) -> str:
    value, deviation = column.get(key), column.get(f"{key}_deviation")
    if value is None:
        return NOTHING
    return shown.text(value) + ("" if deviation is None else f" ± {shown.text(deviation)}")


def _measured_with(report: dict[str, Any]) -> str:
    if "remark" in report:
        return str(report["remark"])
    data, features = report["data"], report.get("features")
    if features is None:
        return f"high quality: within three standard deviations of the nearest mode of {data['name']}; modes: hit so"
    held_out = "held-out" if data.get("hold_out") else "test"
    return (
        f"FID and KID against the {data['train']:,} training images of {data['name']}, precision to coverage against "
        f"its {held_out} images; features {features['name']}, SHA-256 {features['sha256'][:16]}"
        f"{_truncated(report)}{_small(report)}"
    )


def _truncated(report: dict[str, Any]) -> str:
    """At which truncation generators with styles were drawn, if it is not that of their files."""
    asked = {column["truncation"] for column in report["results"].values() if "truncation" in column}
    return "".join(f"; styles at --truncation {truncation:g}" for truncation in sorted(asked))


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
