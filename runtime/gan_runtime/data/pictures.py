"""Pictures of any mode and size as arrays of one shape: a folder or archive becomes a data set."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_runtime.data.dataset import Dataset
from gan_runtime.data.decoded import Decoded, decoded
from gan_runtime.data.listing import Bad
from gan_runtime.errors import DataError
from gan_runtime.images.options import PictureOptions
from gan_runtime.images.remarks import said
from gan_runtime.terminal.commandline import note


@dataclass(frozen=True)
class PictureReport:
    """What was found: usable images, bad files, files that are no pictures, and images per class in their order.

    `left_out` counts caches and hidden files by kind, `remarks` say what is odd.
    """

    images: int
    bad: tuple[Bad, ...]
    ignored: int
    classes: dict[str, int]
    left_out: dict[str, int]
    remarks: tuple[str, ...]


def is_pictures(source: str) -> bool:
    """Whether `source` is an existing folder, or a file that ends in .zip."""
    return bool(source) and (Path(source).is_dir() or (source.lower().endswith(".zip") and Path(source).is_file()))


def load_pictures(path: Path, options: PictureOptions, quiet: bool = False) -> Dataset:
    """The pictures of a folder or .zip archive, sorted by name, decoded once and then read from the user's cache.

    Raises:
        DataError: there are none, or some are bad and `options.skip_bad` is not set.
    """
    found = decoded(path, options, quiet)
    total = len(found.images) + len(found.bad)
    if found.bad and not options.skip_bad:
        raise DataError(
            f"{path}: {len(found.bad):,} of {total:,} pictures cannot be used: {_shown(found.bad, 3)}; repair or "
            "remove them, or leave them out with --skip-bad"
        )
    if not len(found.images):
        others = "".join(f"; {remark}" for remark in passed_over(found.ignored, found.left_out))
        raise DataError(f"{path}: has no picture that can be used: {_shown(found.bad, 3)}{others}")
    empty = [name for name, count in images_per_class(found).items() if not count]
    if empty:
        raise DataError(
            f"{path}: no picture of {', '.join(empty[:5])} can be used, and without it the classes after it would get "
            "other numbers; repair its pictures, or take its folder away"
        )
    if found.bad and not quiet:
        note(f"{path}: {len(found.bad):,} of {total:,} pictures skipped: {_shown(found.bad, 10)}")
    for remark in () if quiet else (*all_remarks(found, options), *passed_over(found.ignored, found.left_out)):
        note(f"{path}: {remark}")
    where = path.resolve()
    name = where.name if where.is_dir() else where.stem
    return Dataset(name, "train", found.images, found.labels, found.classes, found.digest, names=found.names)


def check_pictures(path: Path, options: PictureOptions, quiet: bool = False) -> PictureReport:
    """Decode every picture and report on all of them, good and bad."""
    found = decoded(path, options, quiet)
    classes = images_per_class(found)
    return PictureReport(
        len(found.images), found.bad, found.ignored, classes, found.left_out, all_remarks(found, options)
    )


def images_per_class(found: Decoded) -> dict[str, int]:
    """How many usable pictures each class has, in the order of their numbers."""
    counts = np.bincount(found.labels, minlength=len(found.classes))
    return {name: int(count) for name, count in zip(found.classes, counts, strict=False)}


def passed_over(ignored: int, left_out: dict[str, int]) -> list[str]:
    """For people: how many files are no pictures by their suffix, and how many are not the user's."""
    files = f"{ignored:,} other {'files' if ignored > 1 else 'file'} ignored, without the suffix of a picture"
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in left_out.items())
    return [files] * bool(ignored) + [f"left out: {kinds}"] * bool(kinds)


def all_remarks(found: Decoded, options: PictureOptions) -> tuple[str, ...]:
    """What the user may not expect of the classes and the pixels, as text."""
    return (*found.class_remarks, *said(found.remarks, options))


def _shown(bad: tuple[Bad, ...], most: int) -> str:
    """The first of the bad files, with reasons, on one line."""
    shown = "; ".join(f"{entry.name} ({entry.reason})" for entry in bad[:most])
    return f"{shown}; and {len(bad) - most:,} more" if len(bad) > most else shown or "it holds no picture at all"
