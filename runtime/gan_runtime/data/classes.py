"""The classes of pictures, from their sub-folders or from the dataset.json of StyleGAN's dataset tool."""

import json
import re
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any
from unicodedata import normalize

from gan_runtime.data.entries import Listing, is_picture
from gan_runtime.errors import DataError
from gan_runtime.images.options import LABEL_FILE

SPLITS = frozenset("train training test testing val valid validation dev eval evaluation holdout".split())  # noqa: SIM905
SHARD = 1000  # pictures per folder in the archives of StyleGAN and FFHQ


@dataclass(frozen=True)
class Classes:
    """Names of the classes in the order of their numbers, the class of each picture, and remarks for the user."""

    names: tuple[str, ...] = ()
    of: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def find_classes(listing: Listing, labels: str) -> Classes:
    """The classes of all pictures of a folder or archive, including those that cannot be decoded.

    Args:
        listing: of the folder or archive.
        labels: "folders": from dataset.json if there is one with labels, else from the sub-folders; "dataset.json":
            only from that file; "none": no classes.

    Raises:
        DataError: a picture has no class, there is only one class, or the folders cannot be classes.
    """
    if labels == "none" or not listing.names:
        return Classes(remarks=_splits_together(listing))
    of = _of_label_file(listing)
    if of is not None:
        remarks: tuple[str, ...] = (f"the classes are those of {listing.label_file}",)
    elif labels == LABEL_FILE:
        raise DataError(f"{listing.path}: has no {LABEL_FILE} with labels; leave out --labels {LABEL_FILE}")
    else:
        of, remarks = _of_folders(listing)
    names = tuple(sorted(set(of.values()), key=natural_key))
    if len(names) == 1:
        raise DataError(
            f"{listing.path}: all pictures have the same class, {names[0]}; labels need at least two classes; "
            f"leave out --labels {labels}"
        )
    return Classes(names, of, remarks)


def natural_key(text: str) -> tuple[object, ...]:
    """Sorts "2" before "10" and "img2" before "img10", and everything else as text."""
    parts = re.split("([0-9]+)", text)
    numbers = [part.lstrip("0") for part in parts[1::2]]
    parts[1::2] = [(len(number), number) for number in numbers]
    return (parts, text)


def _of_folders(listing: Listing) -> tuple[dict[str, str], tuple[str, ...]]:
    """The class of each picture: the sub-folder that it lies in, below the folders that all of them share."""
    good = {name: PurePosixPath(name).parts[:-1] for name in listing.names}
    least = min(map(len, good.values()))
    bad = {entry.name: _folders_of_bad(entry.name) for entry in listing.bad}
    folders = good | {name: found for name, found in bad.items() if len(found) >= least and name not in good}
    shared = tuple(level[0] for level in takewhile(_agrees, zip(*folders.values(), strict=False)))
    _refuse_strays(listing, folders, shared)
    of = {name: normalize("NFC", found[len(shared)]) for name, found in folders.items()}
    _refuse_no_classes(listing, of, shared)
    inner = (PurePosixPath(name).parts for name in listing.folders)
    every = {found[len(shared)] for found in inner if found[: len(shared)] == shared and len(found) > len(shared)}
    empty = sorted({normalize("NFC", name) for name in every} - set(of.values()), key=natural_key)
    without = [f"folders without pictures are not classes: {', '.join(empty)}"] if empty else []
    return of, (*_splits_together(listing), *without)


def _agrees(names: tuple[str, ...]) -> bool:
    return len(set(names)) == 1


def _folders_of_bad(name: str) -> tuple[str, ...]:
    """The parent folders of a bad file; a bad folder is included itself."""
    parts = PurePosixPath(name).parts
    return parts[:-1] if is_picture(name) else parts


def _refuse_strays(listing: Listing, folders: dict[str, tuple[str, ...]], shared: tuple[str, ...]) -> None:
    """Raise DataError if a picture is in no sub-folder of the common folder."""
    strays = sorted(name for name, found in folders.items() if found == shared)
    if not strays:
        return
    if len(strays) == len(folders) and shared:
        raise DataError(
            f"{listing.path}: all pictures are in one sub-folder, {shared[-1]}; labels need at least two classes; "
            "leave out --labels folders"
        )
    more = f" and {len(strays) - 1:,} more lie" if len(strays) > 1 else " lies"
    beside = sorted({found[len(shared)] for found in folders.values() if found != shared}, key=natural_key)
    where = f" beside {', '.join(beside[:5])}" if beside else ""
    raise DataError(
        f"{listing.path}: {strays[0]}{more} in no sub-folder{where}, so it has no class; move it into one, or leave "
        "out --labels folders"
    )


def _refuse_no_classes(listing: Listing, of: dict[str, str], shared: tuple[str, ...]) -> None:
    """Raise DataError if folder names are not text, or if the folders are splits or numbered blocks of pictures."""
    names = sorted(set(of.values()), key=natural_key)
    for name in names:
        if not name.isprintable():  # names that are not UTF-8 are not, either; manifests cannot hold them
            raise DataError(f"{listing.path}: the sub-folder {name!a} cannot be the name of a class; rename it")
    shown = ", ".join(names[:5])
    splits = [name for name in names if name.lower() in SPLITS]
    if len(splits) > 1 or splits == names:
        train = next((name for name in splits if name.lower().startswith("train")), splits[0])
        one = "/".join([str(listing.path), *shared, train])
        way = f"name one of them: {one}" if listing.path.is_dir() else "unpack it and name one of them"
        found = ", ".join(splits)
        raise DataError(f"{listing.path}: the folders {found} are splits of the data, not classes; {way}")
    if all(_is_in_its_block(name, folder) for name, folder in of.items() if is_picture(name)):
        lacking = f"{listing.label_file} has no labels" if listing.label_file else f"there is no {LABEL_FILE}"
        raise DataError(
            f"{listing.path}: the folders {shown} only number the pictures and are not classes, and {lacking}; "
            "leave out --labels folders"
        )


def _is_in_its_block(name: str, folder: str) -> bool:
    """Whether the folder is that of the number: 00001/img00001250.png of StyleGAN, 01000/01250.png of FFHQ."""
    number = re.search("[0-9]+$", PurePosixPath(name).stem)
    block = int(number.group()[-18:]) // SHARD if number else -1
    return folder in (f"{block:05d}", f"{block * SHARD:05d}")


def _splits_together(listing: Listing) -> tuple[str, ...]:
    """A message if pictures of several splits are combined."""
    parents = {parent for name in listing.names for parent in PurePosixPath(name).parts[:-1]}
    found = sorted(parent for parent in parents if parent.lower() in SPLITS)
    if len(found) < 2:
        return ()
    return (f"the pictures of {' and '.join(found)} are combined; name one of these folders to use only one split",)


def _of_label_file(listing: Listing) -> dict[str, str] | None:
    """The classes in dataset.json; None if there is no such file, or it has no labels or other pictures.

    StyleGAN2-ADA's dataset_tool.py writes {"labels": [[name, number], …]} with names below the file's folder, or null.
    """
    file = listing.label_file
    base = file[: -len(LABEL_FILE)]
    if not file or not all(name.startswith(base) for name in listing.names):
        return None
    try:
        document = json.loads(listing.read(file))
        labels = document["labels"]
        if labels is None:
            return None
        pairs = {_label(entry, base) for entry in labels}
        of = dict(pairs)
        if len(of) < len(pairs):
            raise ValueError("a picture has two labels")
    except (OSError, ValueError, KeyError, TypeError, RecursionError, DataError) as error:
        reason = f"no {error} in it" if isinstance(error, KeyError) else str(error)
        raise DataError(
            f"{listing.path}: {file} has no labels as StyleGAN's dataset tool writes them: {reason}; repair or remove "
            "it, or leave out --labels"
        ) from None
    missing = [name for name in listing.names if name not in of]
    if missing:
        raise DataError(
            f"{listing.path}: {file} has no label for {len(missing):,} of {len(listing.names):,} pictures: {missing[0]}"
            f"{', …' if len(missing) > 1 else ''}; complete it, or leave out --labels"
        )
    known = {*listing.names, *(entry.name for entry in listing.bad)}
    return {name: label for name, label in of.items() if name in known}


def _label(entry: Any, base: str) -> tuple[str, str]:
    match entry:
        case [str(name), int(number)] if number >= 0 and not isinstance(number, bool):
            return base + name.replace("\\", "/"), str(number)
        case [str(name), list()]:
            raise ValueError(f"that of {name} is a vector, which is not a class")
    raise ValueError(f"{json.dumps(entry):.60} is not [name, number]")
