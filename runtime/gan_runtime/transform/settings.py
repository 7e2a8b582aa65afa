"""What is done with each picture besides running the model."""

from dataclasses import field
from typing import Any

from gan_runtime.images.options import PictureOptions
from gan_runtime.images.prepare import VERSION
from gan_runtime.images.writing import Encoding
from gan_runtime.records import record

BICUBIC, NETWORK = "bicubic", "network"


@record(frozen=True)
class Settings:
    """What is done with each picture.

    Attributes:
        encoding: the format of the outputs.
        reading: how pictures are decoded; its size and mode have no effect.
        size: pictures are resized first, so that their shorter side has so many pixels; None for pictures as they are.
        tile: the largest side of a tile in pixels; None to choose it by the memory, 0 for whole pictures.
        prepare: the key of `PREPARATIONS` that makes the model's input of a picture; "" if pictures are inputs.
        compare: write input, output and, if there is one, the truth side by side in place of the output.
        first: of an animation, take the first frame alone.
        alpha: how the alpha is enlarged: `BICUBIC`, or `NETWORK`, by the model.
    """

    encoding: Encoding = field(default_factory=Encoding)
    reading: PictureOptions = field(default_factory=PictureOptions)
    size: int | None = None
    tile: int | None = None
    prepare: str = ""
    compare: bool = False
    first: bool = False
    alpha: str = BICUBIC

    def identity(self) -> dict[str, Any]:
        """What determines the outputs of a model, as JSON."""
        encoding, reading = self.encoding, self.reading
        return {
            "prepare": self.prepare,
            "prepare_version": VERSION if self.prepare else None,
            "size": self.size,
            "tile": self.tile,
            "format": encoding.suffix,
            "quality": encoding.quality,
            "background": reading.background,
            "levels": reading.levels and list(reading.levels),
            "compare": self.compare,
            "alpha": self.alpha,
            "metadata": encoding.keeps_metadata,
        }
