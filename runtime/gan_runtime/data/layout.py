"""Where the pictures of two domains lie in a folder or archive: A/ B/, trainA/ testB/, A/train/, train/, …"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from unicodedata import normalize

from gan_runtime.data.entries import Bad, Listing, is_picture
from gan_runtime.errors import DataError

TRAIN = ("train", "training")
HELD_OUT = ("test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation", "holdout")
FOLDER = re.compile(rf"(?P<split>(?i:{'|'.join((*TRAIN, *HELD_OUT))}))?[-_]?(?P<domain>[AB])?")

Key = tuple[str, str]  # split and key of a picture


class Place(NamedTuple):
    """The domain of a picture, "A", "B" or "" if no folder says so; its split, "" if no folder says so; and its name.

    `key` is the name without these folders and without suffix. Partners have the same split and key.
    """

    domain: str
    split: str
    key: str

    @property
    def held_out(self) -> bool:
        """Whether the picture is for testing."""
        return self.split in HELD_OUT


def place(name: str) -> Place:
    """Where a picture belongs, by the first folder that names a domain, and the first that names a split."""
    path = PurePosixPath(normalize("NFC", name))
    domain, split, others = "", "", []
    for folder in path.parts[:-1]:
        found = FOLDER.fullmatch(folder) if folder.strip("-_") else None
        named, part = (found["domain"] or "", found["split"] or "") if found else ("", "")
        if (named and domain) or (part and split) or not (named or part):
            others.append(folder)
        domain, split = domain or named, split or part
    return Place(domain, split.lower(), "/".join([*others, path.stem]))


@dataclass(frozen=True)
class Layout:
    """The pictures of a folder or archive by domain, and by whether they are for testing.

    If all of them are in folders for testing, none counts as one for testing.

    Attributes:
        path: the folder or archive.
        names, bad: pictures that may be usable, in the order of splits and keys, and others.
        domains: "A" and "B", if folders have these names.
        folders: the names of the other folders at the top.
    """

    path: Path
    names: dict[tuple[str, bool], tuple[str, ...]]
    bad: dict[tuple[str, bool], tuple[Bad, ...]]
    domains: frozenset[str]
    folders: tuple[str, ...]

    @classmethod
    def of(cls, listing: Listing) -> "Layout":
        """The layout of a listing."""
        places = {name: place(name) for name in listing.names}
        folders = [place(f"{folder}/picture") for folder in listing.folders]
        bad = [
            (entry, place(entry.name if is_picture(entry.name) else f"{entry.name}/picture")) for entry in listing.bad
        ]
        domains = {one.domain for one in (*places.values(), *folders, *(found for _, found in bad))} - {""}
        whole = all(found.held_out for found in places.values() if found.domain or not domains)
        names: dict[tuple[str, bool], list[tuple[Place, str]]] = {}
        for name, found in places.items():
            names.setdefault((found.domain, found.held_out and not whole), []).append((found, name))
        unusable: dict[tuple[str, bool], list[Bad]] = {}
        for entry, found in bad:
            unusable.setdefault((found.domain, found.held_out and not whole), []).append(entry)
        return cls(
            listing.path,
            {where: tuple(name for _, name in sorted(placed)) for where, placed in names.items()},
            {where: tuple(entries) for where, entries in unusable.items()},
            frozenset(domains),
            tuple(sorted(folder for folder in listing.folders if "/" not in folder)),
        )

    def pictures(self, domain: str, held_out: bool) -> tuple[tuple[str, ...], tuple[Bad, ...]]:
        """The pictures of a domain that may be usable, and the others."""
        return self.names.get((domain, held_out), ()), self.bad.get((domain, held_out), ())

    @property
    def has_tests(self) -> bool:
        """Whether there are pictures for testing."""
        return any(held_out and (bool(domain) or not self.domains) for domain, held_out in self.names)

    @property
    def strays(self) -> tuple[str, ...]:
        """Pictures in no folder of a domain, where others are in one."""
        return (*self.names.get(("", False), ()), *self.names.get(("", True), ())) if self.domains else ()


def pair_up(path: Path, one: Sequence[str], other: Sequence[str]) -> tuple[list[tuple[str, str]], list[Bad]]:
    """The names of partners, in the order of their keys, and pictures without a partner.

    Raises:
        DataError: two pictures of a domain have the same split and key.
    """
    left, right = _by_key(path, one), _by_key(path, other)
    partners = [(left[key], right[key]) for key in sorted(left.keys() & right.keys())]
    return partners, [*_alone(left, right), *_alone(right, left)]


def shapes_differ(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether the ratios of two widths and heights differ by more than a pixel."""
    (w, h), (width, height) = one, other
    return abs(w * height - width * h) > max(h, height)


def _alone(names: dict[Key, str], partners: dict[Key, str]) -> list[Bad]:
    lone = [name for key, name in names.items() if key not in partners]
    return [Bad(name, f"no picture of its name in {'B' if place(name).domain == 'A' else 'A'}") for name in lone]


def _by_key(path: Path, names: Sequence[str]) -> dict[Key, str]:
    found: dict[Key, str] = {}
    for name in names:
        _, split, key = place(name)
        other = found.setdefault((split, key), name)
        if other != name:
            raise DataError(f"{path}: {other} and {name} have the same partner; remove or rename one of them")
    return found
