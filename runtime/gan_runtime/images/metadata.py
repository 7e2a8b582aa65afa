"""The metadata of a picture that still hold for its enlarged or translated copy."""

from typing import Any

from gan_runtime.images.decoding import blaming_the_file
from gan_runtime.images.opening import open_picture

# Tags of EXIF 3.0. Left out is what describes the file: its size, orientation, resolution, strips and thumbnail.
DESCRIPTION, MAKE, MODEL, SOFTWARE, DATE, ARTIST, COPYRIGHT = 270, 271, 272, 305, 306, 315, 33432
KEPT = (DESCRIPTION, MAKE, MODEL, SOFTWARE, DATE, ARTIST, COPYRIGHT)
EXIF, GPS = 0x8769, 0x8825  # folders of tags: of the exposure, of the place
WIDTH, HEIGHT, MAKER_NOTE, INTEROPERABILITY = 0xA002, 0xA003, 0x927C, 0xA005
STALE = (WIDTH, HEIGHT, MAKER_NOTE, INTEROPERABILITY)
PREFIX = b"Exif\0\0"


def exif_of(content: bytes, height: int, width: int, max_pixels: int) -> bytes:
    """The EXIF data of a picture file, in the format of TIFF, for an upright copy of another size; empty for none.

    Author, description, camera, time, exposure and place are kept. Private notes of the camera are not, since they
    refer to positions in the file.

    Raises:
        DataError: the file cannot be read. Damaged EXIF data are taken for none.
    """
    from PIL import Image  # noqa: PLC0415

    with blaming_the_file():
        image = open_picture(content, max_pixels).image
    made = Image.Exif()
    try:
        found = image.getexif()
        for tag in KEPT:
            if tag in found:
                made[tag] = found[tag]
        for folder in (EXIF, GPS):
            if tags := _fresh(found.get_ifd(folder)):
                made[folder] = tags
        if EXIF in made:
            made[EXIF] |= {WIDTH: width, HEIGHT: height}
        return made.tobytes().removeprefix(PREFIX) if len(made) else b""
    except Exception:  # readers of damaged EXIF data raise whatever they run into
        return b""


def _fresh(tags: dict[int, Any]) -> dict[int, Any]:
    return {tag: value for tag, value in tags.items() if tag not in STALE}
