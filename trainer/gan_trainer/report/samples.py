"""The grids of samples over time, embedded in the page."""

import base64
import io
from functools import lru_cache
from pathlib import Path

from PIL import Image

from gan_trainer.report.records import Records, images_of, spread
from gan_trainer.report.words import after
from gan_trainer.tasks.task import Entry

MOST = 40  # grids in a report
LARGE = 128 * 1024  # bytes; larger files are embedded as WebP, a fourth of the size
SIDE = 1280  # pixels; twice what the page shows


def samples(records: Records) -> list[Entry]:
    """Captions and data URIs, oldest first."""
    found = []
    for path in spread(records.pictures, MOST):
        images = images_of(path)
        picture = _data_uri(path, path.stat().st_mtime_ns)
        if picture:
            found.append({"images": images, "caption": after(images, records.seconds_at(images)), "picture": picture})
    return found


@lru_cache(maxsize=2 * MOST)
def _data_uri(path: Path, _changed: int) -> str | None:
    """The data URI of a grid, cached; None if the file is damaged."""
    content, kind = path.read_bytes(), "png"
    if len(content) > LARGE:
        try:
            content, kind = _smaller(content), "webp"
        except OSError:
            return None
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _smaller(content: bytes) -> bytes:
    small = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.thumbnail((SIDE, SIDE))
        image.save(small, "WEBP", quality=90, method=0)
    return small.getvalue()
