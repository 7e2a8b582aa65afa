"""Split the pictures of two domains into training and held-out ones, by content; variants stay together."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gan_runtime.data.dataset import Dataset
from gan_runtime.data.domains import Domains
from gan_runtime.data.layout import place
from gan_runtime.data.split import SHARE, check_share
from gan_runtime.data.variants import variants_key

FEWEST_GROUPS = 10  # if the names leave fewer groups of variants, they say nothing about variants


@dataclass(frozen=True)
class Rows:
    """Indices of pictures of two domains, int64, ascending. Those of pairs are equal."""

    source: NDArray[np.int64]
    images: NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """The rows of the training pictures, and those of the pictures for testing, which are rows of `unseen`.

    `unseen` is the data set itself, or the pictures for testing that came with it.
    """

    train: Rows
    held_out: Rows
    unseen: Domains


def split_domains(domains: Domains, share: float | None = SHARE) -> Parts:
    """The pictures for testing that came with the data; where none did, about `share` of the pictures are held out.

    Pairs and variants of a picture (`variants_key`) stay together. In unpaired domains, the variants may be in both.
    The content of the files decides which are held out, so the choice does not depend on the direction.

    Args:
        domains: paired or unpaired.
        share: 0 to 0.5. 0 holds out nothing. It has no effect on data with pictures for testing.

    Raises:
        InputError: `share` is out of range.
    """
    if share not in domains.splits:
        domains.splits[share] = _split(domains, SHARE if share is None else share)
    found: Parts = domains.splits[share]
    return found


def _split(domains: Domains, share: float) -> Parts:
    if domains.held_out is not None:
        return Parts(_all_rows(domains), _all_rows(domains.held_out), domains.held_out)
    check_share(share)
    if domains.paired:
        (out,) = _held_out([_of_pairs(domains)], share)
        return Parts(_rows(~out, ~out), _rows(out, out), domains)
    targets, sources = _held_out([_of_domain(domains.target), _of_domain(domains.source)], share)
    return Parts(_rows(~sources, ~targets), _rows(sources, targets), domains)


@dataclass(frozen=True)
class _Side:
    """What decides about each of n pictures or pairs: digests of pixels and of files, uint64 [n], and names."""

    pixels: NDArray[np.uint64]
    content: NDArray[np.uint64]
    names: tuple[str, ...]


def _of_domain(dataset: Dataset) -> _Side:
    pixels = dataset.pixel_digests
    return _Side(pixels, pixels if dataset.content is None else dataset.content, dataset.names)


def _of_pairs(domains: Domains) -> _Side:
    """Sums of digests do not depend on the direction."""
    one, other = _of_domain(domains.source), _of_domain(domains.target)
    return _Side(one.pixels + other.pixels, one.content + other.content, domains.names)


def _held_out(sides: list[_Side], share: float) -> list[NDArray[np.bool_]]:
    """Which pictures of each side are held out, bool [n]. Each side has some in both parts, if it has two groups."""
    ends = np.cumsum([len(side.pixels) for side in sides])
    groups = _groups(sides)
    content = np.concatenate([side.content for side in sides])
    key = np.full(groups.max(initial=-1) + 1, 2**64 - 1, np.uint64)
    np.minimum.at(key, groups, content)
    key = np.array([_mixed(least) for least in key], np.uint64)
    out = key < share * 2.0**64
    parts = np.split(groups, ends[:-1])
    for present in map(np.unique, parts) if share else ():
        if len(present) > 1 and not out[present].any():
            out[present[key[present].argmin()]] = True
        if len(present) > 1 and out[present].all():
            out[present[key[present].argmax()]] = False
    return [out[part] for part in parts]


def _groups(sides: list[_Side]) -> NDArray[np.int64]:
    """The group of variants that each picture of all sides is in, numbers from 0, int64 [n]."""
    _, same = np.unique(np.concatenate([side.pixels for side in sides]), return_inverse=True)
    if not all(len(side.names) == len(side.pixels) for side in sides):
        return same
    keys = [variants_key(place(name).key) for side in sides for name in side.names]
    _, named = np.unique(np.array(keys), return_inverse=True)
    joined = _joined(same, named)
    return joined if joined.max(initial=-1) + 1 >= FEWEST_GROUPS else same


def _joined(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """The connected groups where pictures with equal numbers in either array are connected."""
    groups = np.arange(len(one))
    while True:
        before = groups
        for numbers in (one, other):
            least = np.full(len(one), len(one))
            np.minimum.at(least, numbers, groups)
            groups = least[numbers]
        if (groups == before).all():
            return np.unique(groups, return_inverse=True)[1]


def _mixed(digest: np.uint64) -> int:
    """A hash, since the least digest of a large group is not uniform."""
    return int.from_bytes(hashlib.sha256(int(digest).to_bytes(8, "big")).digest()[:8], "big")


def _rows(source: NDArray[np.bool_], images: NDArray[np.bool_]) -> Rows:
    return Rows(np.flatnonzero(source), np.flatnonzero(images))


def _all_rows(domains: Domains) -> Rows:
    return Rows(np.arange(len(domains.source.images)), np.arange(len(domains.images)))
