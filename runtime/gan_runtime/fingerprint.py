"""The fingerprint of a file: values that it gave on the exporting host, for comparison with what it gives here."""

import base64
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.checks import check_count, check_type
from gan_runtime.errors import InputError

FINGERPRINT_PIXELS = 3072  # 4 KB of base64
MAX_FINGERPRINT_IMAGES = 1024


@dataclass(frozen=True)
class Fingerprint:
    """Pixels of the images 0 to count - 1 of `seed`, at even distances over all their values (see `spread`)."""

    seed: int
    count: int
    pixels: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_count("fingerprint.seed", self.seed, 2**64 - 1, least=0)
        check_count("fingerprint.count", self.count, MAX_FINGERPRINT_IMAGES)
        check_type("fingerprint.pixels", self.pixels, bytes)
        if not self.pixels:
            raise InputError("fingerprint.pixels: is empty")

    @classmethod
    def from_json(cls, section: dict[str, Any]) -> "Fingerprint":
        """The fingerprint in a manifest. Raises InputError, ValueError, KeyError or TypeError if it is damaged."""
        return cls(section["seed"], section["count"], base64.b64decode(section["pixels"], validate=True))

    def to_json(self) -> dict[str, Any]:
        """The section of a manifest, with the pixels in base64."""
        return asdict(self) | {"pixels": base64.b64encode(self.pixels).decode()}

    def difference(self, images: NDArray[np.uint8]) -> int:
        """The largest difference in grey levels to `images`, uint8 [count, h, w, c]; 255 if they are too few values."""
        here = spread(images, len(self.pixels)).astype(np.int16)
        if len(here) != len(self.pixels):
            return 255
        return int(np.abs(here - np.frombuffer(self.pixels, np.uint8)).max())


def spread(images: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """At most `count` values of `images`, at even distances over the flattened array, the first and last included."""
    flat = images.reshape(-1)
    return flat[np.linspace(0, flat.size - 1, min(count, flat.size)).astype(np.int64)]
