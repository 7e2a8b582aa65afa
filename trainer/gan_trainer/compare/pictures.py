"""The picture of a comparison: a row of samples per recipe."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from gan_runtime.files import atomic_write
from gan_runtime.generator import Generator
from gan_runtime.images.grids import Layout, arrange, to_pillow

SAMPLES, MARGIN, GAP = 20, 110, 4
INK = "#222222"


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
    with atomic_write(path) as file:
        picture.save(file, "png")


def _samples(file: Path) -> Image.Image:
    images = Generator.load(file, "cpu").sample(SAMPLES)
    return to_pillow(arrange(images, Layout(rows=1))).convert("RGB")
