"""Convert colours to sRGB by the ICC profile or the colour chunks of a PNG, as browsers do."""

import io
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from gan_runtime.images.opening import MAX_PROFILE, Opened
from gan_runtime.images.png_colour import png_profile

SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK"}  # colour space of a profile by the mode of the image
KEPT = 8  # cached transforms; one of CMYK takes 0.1 s to build
NEARLY = 2  # levels; a profile this close to sRGB is taken for sRGB, and the picture is not converted


def srgb_converter() -> Callable[[Any, Opened], tuple[Any, bool]]:
    """A function from an image in mode L, RGB, CMYK or LAB to the same in L or RGB and whether its profile was usable.

    The rendering intent is perceptual; the darkest colour of a profile becomes black. A profile that is damaged or for
    another colour space than the image's is ignored. An image without a profile is taken for sRGB; CMYK without a
    profile is taken for the complement of RGB.
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
    """The colour profile; None for sRGB, empty if there is one that cannot be used."""
    if opened.image.format == "PNG":
        return png_profile(opened.colour, grey=grey)
    return opened.image.info.get("icc_profile") or None


def _transform(profile: bytes, mode: str) -> tuple[Any, bool]:
    """A transform to sRGB, None if none is needed or possible, and whether the profile is usable."""
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
    """Whether a transform changes no colour of a grid by more than `NEARLY`."""
    from PIL import Image  # noqa: PLC0415

    channels = 1 if mode == "L" else 3
    steps = np.arange(0, 256, 1 if channels == 1 else 15).astype(np.uint8)
    colours = np.stack(np.meshgrid(*[steps] * channels, indexing="ij"), -1).reshape(1, -1, channels)
    image = Image.fromarray(colours[..., 0] if mode == "L" else colours)
    found = np.asarray(_apply(image, transform), np.int16)
    return int(np.abs(found - colours).max()) <= NEARLY
