"""The picture of a comparison: a row of samples per recipe."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from gan_runtime.files import atomic_write
from gan_runtime.images.grids import to_pillow

Samples = Callable[[Path], NDArray[np.uint8]]  # exported file -> picture
MARGIN, GAP = 110, 4
INK = "#222222"


def save_samples(
    path: Path, models: dict[str, Path | None], samples: Samples, beside: Mapping[str, NDArray[np.uint8]]
) -> None:
    """Draw a row for each recipe: its name, and the samples of one of its exported files; None where there is no file.

    Above them are the pictures `beside`, by name.

    Raises:
        OutputError: the picture cannot be written.
    """
    found = dict(beside) | {name: None if file is None else samples(file) for name, file in models.items()}
    rows = {name: None if pixels is None else to_pillow(pixels).convert("RGB") for name, pixels in found.items()}
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
