"""Pictures of a comparison: a row of samples a recipe, and the curves of FID over time."""

import math
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from statistics import mean
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from gan_runtime.files import atomic_write
from gan_runtime.generator import Generator
from gan_runtime.images.grids import Layout, arrange, to_pillow
from gan_trainer.compare.table import Result

SAMPLES, MARGIN, GAP = 20, 110, 4
WIDTH, HEIGHT = 900, 560
PLOT = (70, 20, 700, 510)  # left, top, right, bottom
INK, GRID = "#222222", "#dddddd"
COLOURS = (
    "#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b",
    "#e377c2", "#17becf", "#bcbd22", "#7f7f7f", "#000000", "#aa3377",
)  # fmt: skip


def save_samples(path: Path, models: dict[str, Path | None]) -> None:
    """The same 20 latents through one exported file of each recipe, its name at the left; None where there is no file.

    Raises:
        OutputError: the picture cannot be written.
    """
    rows = {name: None if file is None else _samples(file) for name, file in models.items()}
    drawn = [row for row in rows.values() if row is not None]
    width = max((row.width for row in drawn), default=MARGIN)
    height = max((row.height for row in drawn), default=28) + GAP
    picture = Image.new("RGB", (MARGIN + width, height * len(rows)), "white")
    draw = ImageDraw.Draw(picture)
    for i, (name, row) in enumerate(rows.items()):
        label = name if row is not None else f"{name}: no numbers"
        draw.text((6, i * height + height // 2), label, INK, ImageFont.load_default(13), anchor="lm")
        if row is not None:
            picture.paste(row, (MARGIN, i * height))
    _save(path, picture)


AXES = {"cpu_seconds": "CPU seconds of training", "images": "real images seen"}


def save_curves(path: Path, results: Sequence[Result], what: str, over: str = "cpu_seconds") -> None:
    """FID of 2,000 samples over a key of `AXES`, both logarithmic: the mean of each recipe's seeds, each seed faintly.

    Raises:
        OutputError: the picture cannot be written.
    """
    curves = {
        recipe: _curves(results, recipe, over) for recipe in dict.fromkeys(result["recipe"] for result in results)
    }
    points = [point for some in curves.values() for curve in some for point in curve]
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    if points:
        place = _axes(draw, points, what, AXES[over])
        for i, (recipe, some) in enumerate(curves.items()):
            _draw(draw, place, some, COLOURS[i % len(COLOURS)])
            _legend(draw, i, recipe)
    _save(path, picture)


def _samples(file: Path) -> Image.Image:
    images = Generator.load(file, "cpu").sample(SAMPLES)
    return to_pillow(arrange(images, Layout(rows=1))).convert("RGB")


def _curves(results: Sequence[Result], recipe: str, over: str) -> list[list[tuple[float, float]]]:
    some = [result["curve"] for result in results if result["recipe"] == recipe]
    curves = [[(float(p[over]), float(p["fid"])) for p in curve if p[over] and p["fid"]] for curve in some]
    return [curve for curve in curves if curve]


def _axes(draw: Any, points: list[tuple[float, float]], what: str, over: str) -> Any:
    """Frame, ticks and titles; returns what takes a point to its pixel."""
    left, top, right, bottom = PLOT
    spans = [(math.log10(min(axis)), math.log10(max(axis) * 1.0001)) for axis in zip(*points, strict=True)]

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x, y = ((math.log10(v) - low) / (high - low) for v, (low, high) in zip(point, spans, strict=True))
        return left + x * (right - left), bottom - y * (bottom - top)

    font = ImageFont.load_default(12)
    for value in _ticks(*spans[0]):
        x, _ = place((value, points[0][1]))
        draw.line((x, top, x, bottom), GRID)
        draw.text((x, bottom + 6), f"{value:g}", INK, font, anchor="mt")
    for value in _ticks(*spans[1]):
        _, y = place((points[0][0], value))
        draw.line((left, y, right, y), GRID)
        draw.text((left - 6, y), f"{value:g}", INK, font, anchor="rm")
    draw.rectangle(PLOT, outline=INK)
    draw.text(((left + right) / 2, bottom + 28), over, INK, font, anchor="mt")
    draw.text((left, top - 4), what, INK, font, anchor="lb")
    return place


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between 10**low and 10**high."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    return [step * 10.0**power for power in powers for step in (1, 2, 5) if low <= math.log10(step) + power <= high]


def _draw(draw: Any, place: Any, curves: list[list[tuple[float, float]]], colour: str) -> None:
    faint = tuple(round(255 - 0.35 * (255 - part)) for part in _rgb(colour))
    for curve in curves:
        draw.line([place(point) for point in curve], faint, 1)
    rows = zip_longest(*curves)  # a run that ended early counts for as long as it ran
    average = [tuple(map(mean, zip(*filter(None, points), strict=True))) for points in rows]
    draw.line([place(point) for point in average], colour, 3)
    for point in average:
        x, y = place(point)
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), colour)


def _legend(draw: Any, i: int, recipe: str) -> None:
    x, y = PLOT[2] + 20, PLOT[1] + 14 + 22 * i
    draw.line((x, y, x + 24, y), COLOURS[i % len(COLOURS)], 3)
    draw.text((x + 32, y), recipe, INK, ImageFont.load_default(13), anchor="lm")


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def _save(path: Path, picture: Image.Image) -> None:
    with atomic_write(path) as file:
        picture.save(file, "png")
