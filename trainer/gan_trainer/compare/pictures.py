"""The picture of a comparison: a row of samples per recipe."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from gan_runtime.files import atomic_write
from gan_runtime.images.grids import to_pillow

Samples = Callable[[Path], NDArray[np.uint8]]  # as `Comparison.samples`
MARGIN, GAP = 110, 4
INK = "#222222"


def save_samples(path: Path, models: dict[str, Path | None], samples: Samples) -> None:
    """Draw a row for each recipe: its name, and the samples of one of its exported files; None where there is no file.

    Raises:
        OutputError: the picture cannot be written.
    """
    rows = {name: None if file is None else to_pillow(samples(file)).convert("RGB") for name, file in models.items()}
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
    with atomic_write(path) as file:
        picture.save(file, "png")
