"""Load a folder or archive of pictures as a data set."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gan_runtime.data.dataset import Dataset
from gan_runtime.data.decoded import Decoded, decoded
from gan_runtime.data.listing import Bad, passed_over
from gan_runtime.data.split import count_repeated
from gan_runtime.errors import DataError
from gan_runtime.images.options import PictureOptions
from gan_runtime.images.remarks import messages
from gan_runtime.terminal.text import note


@dataclass(frozen=True)
class PictureReport:
    """The numbers of usable images, ignored files, images per class and left-out files by kind; bad files; remarks.

    `repeated` is the number of images that repeat another one pixel for pixel; None if no image was decoded. `sizes`
    has the width and height of the decoded images by name.
    """

    images: int
    bad: tuple[Bad, ...]
    ignored: int
    classes: dict[str, int]
    left_out: dict[str, int]
    remarks: tuple[str, ...]
    repeated: int | None = None
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)


def load_pictures(path: Path, options: PictureOptions, quiet: bool = False) -> Dataset:
    """Load the pictures of a folder or .zip archive, sorted by name; they are decoded once and then cached.

    Raises:
        DataError: no picture can be used, or some are bad and `options.skip_bad` is not set.
    """
    found = decoded(path, options, quiet)
    total = len(found.images) + len(found.bad)
    if found.bad and not options.skip_bad:
        raise DataError(
            f"{path}: {len(found.bad):,} of {total:,} pictures cannot be used: {shown_bad(found.bad, 3)}; repair or "
            "remove them, or leave them out with --skip-bad"
        )
    if not len(found.images):
        others = "".join(f"; {remark}" for remark in passed_over(found.ignored, found.left_out))
        raise DataError(f"{path}: has no picture that can be used: {shown_bad(found.bad, 3)}{others}")
    empty = [name for name, count in images_per_class(found).items() if not count]
    if empty:
        raise DataError(
            f"{path}: no picture of {', '.join(empty[:5])} can be used, and without it the classes after it would get "
            "other numbers; repair its pictures, or take its folder away"
        )
    if found.bad and not quiet:
        note(f"{path}: {len(found.bad):,} of {total:,} pictures skipped: {shown_bad(found.bad, 10)}")
    for remark in () if quiet else (*all_remarks(found, options), *passed_over(found.ignored, found.left_out)):
        note(f"{path}: {remark}")
    where = path.resolve()
    name = where.name if where.is_dir() else where.stem
    return dataset_of(name, "train", found)


def dataset_of(name: str, split: str, found: Decoded) -> Dataset:
    """Decoded pictures as a data set."""
    return Dataset(
        name,
        split,
        found.images,
        found.labels,
        found.classes,
        found.digest,
        names=found.names,
        content=found.content,
        sizes=found.sizes,
    )


def check_pictures(path: Path, options: PictureOptions, quiet: bool = False) -> PictureReport:
    """Decode every picture and report on all of them, good and bad."""
    found = decoded(path, options, quiet)
    classes = images_per_class(found)
    return PictureReport(
        len(found.images),
        found.bad,
        found.ignored,
        classes,
        found.left_out,
        all_remarks(found, options),
        count_repeated(found.images),
        dict(zip(found.names, map(tuple, found.sizes.tolist()), strict=True)),
    )


def images_per_class(found: Decoded) -> dict[str, int]:
    """The number of usable pictures per class."""
    counts = np.bincount(found.labels, minlength=len(found.classes))
    return {name: int(count) for name, count in zip(found.classes, counts, strict=False)}


def all_remarks(found: Decoded, options: PictureOptions) -> tuple[str, ...]:
    """All remarks on classes and pixels, as messages."""
    return (*found.class_remarks, *messages(found.remarks, options))


def shown_bad(bad: Sequence[Bad], most: int) -> str:
    """The first bad files with their reasons on one line."""
    shown = "; ".join(f"{entry.name} ({entry.reason})" for entry in bad[:most])
    return f"{shown}; and {len(bad) - most:,} more" if len(bad) > most else shown or "it holds no picture at all"
