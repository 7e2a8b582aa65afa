"""Colours as files store them -> sRGB, by their ICC profile or the colour chunks of a PNG, as browsers do."""

import io
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from gan_runtime.images.opening import MAX_PROFILE, Opened
from gan_runtime.images.png_colour import png_profile

SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK"}  # of a profile, by the mode of the image
KEPT = 8  # transforms; one of CMYK takes a tenth of a second to make
NEARLY = 2  # levels by which a profile of sRGB itself may differ from it: such pictures are left as they are


def srgb_converter() -> Callable[[Any, Opened], tuple[Any, bool]]:
    """A function from an image in mode L, RGB, CMYK or LAB to the same in L or RGB and whether its profile was usable.

    The rendering intent is perceptual, and the darkest colour of a profile becomes black. A profile that is broken, or
    made for other colours than the image has, is ignored; an image without one is taken for sRGB, one in CMYK for its
    complement.
    """
    transform = lru_cache(KEPT)(_transform)

    def convert(image: Any, opened: Opened) -> tuple[Any, bool]:
        if image.mode == "LAB":
            return _apply(image, _lab()), True
        profile, usable = _profile_of(opened, grey=image.mode == "L"), True
        if profile is not None:
            made, usable = transform(profile, image.mode)
            if made is not None:
                return _apply(image, made), usable
        return (image if image.mode in ("L", "RGB") else image.convert("RGB")), usable

    return convert


def _profile_of(opened: Opened, *, grey: bool) -> bytes | None:
    """The profile that says what the colours mean; empty where there is one that cannot be used."""
    if opened.image.format == "PNG":
        return png_profile(opened.colour, grey=grey)
    return opened.image.info.get("icc_profile") or None


def _transform(profile: bytes, mode: str) -> tuple[Any, bool]:
    """A transform to sRGB, None where none is needed or possible, and whether the profile could be used."""
    from PIL import ImageCms  # noqa: PLC0415

    if len(profile) > MAX_PROFILE:
        return None, False
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space != SPACES[mode]:
            return None, False
        made = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.PERCEPTUAL)
    except (OSError, ImageCms.PyCMSError, TypeError, ValueError):
        return None, False
    return (None if mode != "CMYK" and _changes_nothing(made, mode) else made), True


def _lab() -> Any:
    from PIL import ImageCms  # noqa: PLC0415

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(lab, srgb, "LAB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)


def _apply(image: Any, transform: Any) -> Any:
    from PIL import ImageCms  # noqa: PLC0415

    return ImageCms.applyTransform(image, transform)


def _changes_nothing(transform: Any, mode: str) -> bool:
    """Whether a transform leaves all colours of a grid as they are."""
    from PIL import Image  # noqa: PLC0415

    channels = 1 if mode == "L" else 3
    steps = np.arange(0, 256, 1 if channels == 1 else 15).astype(np.uint8)
    colours = np.stack(np.meshgrid(*[steps] * channels, indexing="ij"), -1).reshape(1, -1, channels)
    image = Image.fromarray(colours[..., 0] if mode == "L" else colours)
    found = np.asarray(_apply(image, transform), np.int16)
    return int(np.abs(found - colours).max()) <= NEARLY
