"""The fingerprint of a file: values that it gave on the exporting host (`gan_runtime.evaluation.fingerprint`)."""

import base64
from dataclasses import dataclass, field
from typing import Any

from gan_runtime.checks import check_count, check_type
from gan_runtime.errors import InputError

MAX_FINGERPRINT_IMAGES = 1024


@dataclass(frozen=True)
class Fingerprint:
    """Pixels of the images 0 to count - 1 of `seed`, at even distances over all their values."""

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
