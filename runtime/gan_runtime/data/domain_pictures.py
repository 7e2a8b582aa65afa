"""Load the pictures of two domains from a folder or archive."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_runtime.data.decoded import Decoded, Extract, decoded_listing
from gan_runtime.data.domains import DIRECTIONS, Domains, PairOptions, domains_of
from gan_runtime.data.entries import Bad, Listing, part_of
from gan_runtime.data.layout import Layout, pair_up, shapes_differ
from gan_runtime.data.listing import open_pictures, passed_over
from gan_runtime.data.pictures import dataset_of, shown_bad
from gan_runtime.errors import DataError, InputError
from gan_runtime.images.decoding import LEFT, RIGHT
from gan_runtime.images.options import PictureOptions
from gan_runtime.images.remarks import messages
from gan_runtime.terminal.text import note

FOLDERS = "A and B, or trainA, trainB, testA and testB"
SHOWN, LISTED = 3, 10  # bad pictures in an error and in a remark


@dataclass(frozen=True)
class _Side:
    """The pictures of a domain: "A", "B", or "" if one picture makes both; and what is taken from each."""

    domain: str
    names: tuple[str, ...]
    bad: tuple[Bad, ...]
    extract: Extract
    options: PictureOptions


@dataclass(frozen=True)
class _Reading:
    """What is read and how, and remarks for the user."""

    listing: Listing
    layout: Layout
    options: PictureOptions
    pairs: PairOptions
    quiet: bool
    remarks: list[str] = field(default_factory=list)

    def decoded(self, side: _Side, names: Sequence[str]) -> Decoded:
        """Those pictures of a domain."""
        return decoded_listing(part_of(self.listing, side.domain, names), side.options, side.extract, self.quiet)

    def skip(self, bad: Sequence[Bad], total: int) -> None:
        """Note that bad pictures are left out. Raises DataError unless the user allows it."""
        if not bad:
            return
        how_many = f"{len(bad):,} of {total:,} pictures"
        if self.options.skip_bad:
            self.remarks.append(f"{how_many} skipped: {shown_bad(bad, LISTED)}")
            return
        side_by_side = self.pairs.paired and not (self.pairs.input or self.layout.domains)
        other = "give --input to make inputs from the pictures, or folders A and B; or " if side_by_side else ""
        raise DataError(
            f"{self.listing.path}: {how_many} cannot be used: {shown_bad(bad, SHOWN)}; {other}repair or remove them, "
            "or leave them out with --skip-bad"
        )


def load_domains(path: Path, options: PictureOptions, pairs: PairOptions, quiet: bool = False) -> Domains:
    """Load the pictures of both domains of a folder or .zip archive; they are decoded once and then cached.

    docs/pairs.md shows the layouts. Pictures in folders for testing or validation are `held_out`, if there are others.

    Args:
        path: the folder or archive.
        options: how pictures are decoded. `mode` is that of the targets. With `skip_bad`, pairs are left out if a
            picture cannot be used, has no partner, or has another shape than its partner.
        pairs: which domain is the input, and whether pictures have partners.
        quiet: print no progress and no remarks on stderr.

    Raises:
        DataError: a picture is bad, pictures do not pair up, a domain is empty, or both domains are the same.
        InputError: an option does not apply.
    """
    if options.labels != "none":
        raise InputError(f"--labels {options.labels}: pictures of two domains have no classes; leave it out")
    if pairs.input == "grey" and options.mode == "L":
        raise InputError("--input grey: the targets are grey, too (--mode L); leave out --mode")
    with open_pictures(path, options.follow_links) as listing:
        reading = _Reading(listing, Layout.of(listing), options, pairs, quiet)
        others = passed_over(listing.ignored, listing.left_out)
        if not listing.names:
            reasons = "; ".join([shown_bad(listing.bad, SHOWN), *others])
            raise DataError(f"{path}: has no picture that can be used: {reasons}")
        domains = _part(reading, held_out=False)
        if reading.layout.has_tests:
            tests = _part(reading, held_out=True)
            domains = domains_of(domains.source, domains.target, pairs.paired, tests)
    if strays := reading.layout.strays:
        more = f", and {len(strays) - 1:,} more" if len(strays) > 1 else ""
        reading.remarks.append(f"left out, in no folder of A or B: {strays[0]}{more}")
    for remark in () if quiet else dict.fromkeys([*reading.remarks, *others]):
        note(f"{path}: {remark}")
    return domains


def _part(reading: _Reading, *, held_out: bool) -> Domains:
    """The pictures for training, or those for testing."""
    sides = _sides(reading, held_out)
    total = len({name for side in sides for name in (*side.names, *(entry.name for entry in side.bad))})
    reading.skip(list(dict.fromkeys(entry for side in sides for entry in side.bad)), total)
    for side in sides:
        if not side.names:
            raise DataError(f"{reading.listing.path}: {_why_empty(reading.layout, side.domain, held_out)}")
    source, target = _pairs(reading, *sides) if reading.pairs.paired else [_one(reading, side) for side in sides]
    if reading.pairs.input and _equal(source, target):
        raise DataError(
            f"{reading.listing.path}: --input {reading.pairs.input} changes none of the pictures, so there is nothing "
            "to learn; name other pictures, or another --input"
        )
    if source.digest == target.digest or (sides[0].domain and _same(source.content, target.content)):
        raise DataError(
            f"{reading.listing.path}: A and B have the same pictures, so there is nothing to learn; name other folders"
        )
    for side, found in zip(sides, (source, target), strict=True):
        if not side.extract.prepared:  # the remarks are those of the targets
            reading.remarks.extend(messages(found.remarks, side.options))
    where = reading.listing.path.resolve()
    name, split = where.name if where.is_dir() else where.stem, "test" if held_out else "train"
    return domains_of(dataset_of(name, split, source), dataset_of(name, split, target), reading.pairs.paired)


def _sides(reading: _Reading, held_out: bool) -> tuple[_Side, _Side]:
    """The inputs and the targets."""
    layout, pairs, options = reading.layout, reading.pairs, reading.options
    a, b = _domains(layout, pairs)
    (one, made), (other, taken) = (a, b) if pairs.direction == DIRECTIONS[0] else (b, a)
    inputs = replace(options, mode=pairs.input_mode or options.mode)
    return (
        _Side(one, *layout.pictures(one, held_out), made, inputs),
        _Side(other, *layout.pictures(other, held_out), taken, options),
    )


def _domains(layout: Layout, pairs: PairOptions) -> tuple[tuple[str, Extract], tuple[str, Extract]]:
    """The names of A and B in the layout, and what is taken from their pictures."""
    if pairs.input and layout.domains:
        raise DataError(
            f"{layout.path}: has folders of inputs and targets, A and B; leave out --input {pairs.input}, or name one "
            "of the folders"
        )
    if pairs.input:
        return ("", Extract(prepared=pairs.input)), ("", Extract())
    if layout.domains:
        return ("A", Extract()), ("B", Extract())
    if pairs.paired:
        return ("", Extract(LEFT)), ("", Extract(RIGHT))
    found = f"; its folders are {', '.join(layout.folders[:SHOWN])}" if layout.folders else ""
    raise DataError(
        f"{layout.path}: has no folders {FOLDERS}{found}; give those of the two domains these names (recipes for pairs "
        "alone take pictures side by side)"
    )


def _why_empty(layout: Layout, domain: str, held_out: bool) -> str:
    """Why there is no picture of a domain."""
    which = " for testing" if held_out else " for training" if layout.has_tests else ""
    return f"{domain or 'it'} has no picture{which}; put some into its folder"


def _one(reading: _Reading, side: _Side) -> Decoded:
    """The pictures of an unpaired domain."""
    found = reading.decoded(side, side.names)
    reading.skip(found.bad, len(side.names))
    if not len(found.images):
        raise DataError(
            f"{reading.listing.path}: no picture of {side.domain} can be used: {shown_bad(found.bad, SHOWN)}"
        )
    return found


def _pairs(reading: _Reading, source: _Side, target: _Side) -> tuple[Decoded, Decoded]:
    """The pictures of both domains, row i of one belonging to row i of the other.

    Where pairs are left out, the others are decoded as a part of their own: rows of memory-mapped images cannot be
    taken out without a copy.
    """
    path, total = reading.listing.path, len({*source.names, *target.names})
    partners = _partners(reading, source, target)
    while partners:
        inputs, targets = (
            reading.decoded(side, names)
            for side, names in zip((source, target), zip(*partners, strict=True), strict=True)
        )
        wrong = list(dict.fromkeys([*inputs.bad, *targets.bad])) or list(_misshapen(inputs, targets))
        if not wrong:
            _remark_on_sizes(reading, inputs, targets)
            return inputs, targets
        reading.skip(wrong, total)
        names = {entry.name for entry in wrong}
        partners = [pair for pair in partners if not names & set(pair)]
    raise DataError(f"{path}: has no pair that can be used: {shown_bad(wrong, SHOWN)}")


def _partners(reading: _Reading, source: _Side, target: _Side) -> list[tuple[str, str]]:
    """The names of the pictures of each pair; the same name twice if one picture makes both."""
    if source.names == target.names:
        return list(zip(source.names, target.names, strict=True))
    partners, alone = pair_up(reading.listing.path, source.names, target.names)
    if not partners:
        raise DataError(
            f"{reading.listing.path}: no pictures of A and B have the same name: {source.names[0]}, {target.names[0]}; "
            "rename those that belong together, or train a recipe for unpaired pictures"
        )
    reading.skip(alone, len(source.names) + len(target.names))
    return partners


def _misshapen(inputs: Decoded, targets: Decoded) -> Iterator[Bad]:
    """Partners of different shapes."""
    for i, (one, other) in enumerate(zip(inputs.sizes.tolist(), targets.sizes.tolist(), strict=True)):
        if shapes_differ(one, other):
            shapes = "{} x {} pixels, but {} {} x {}".format(*one, targets.names[i], *other)
            yield Bad(inputs.names[i], shapes)


def _remark_on_sizes(reading: _Reading, inputs: Decoded, targets: Decoded) -> None:
    different = np.flatnonzero((inputs.sizes != targets.sizes).any(1))
    if len(different):
        one, other = (
            f"{side.names[different[0]]} {' x '.join(map(str, side.sizes[different[0]]))}" for side in (inputs, targets)
        )
        many = f"{len(different):,} of {len(inputs.names):,} pairs"
        reading.remarks.append(f"{many} have pictures of different sizes, as {one} and {other}; both are resized")


def _equal(inputs: Decoded, targets: Decoded) -> bool:
    """Whether each input is its target; a grey picture may be equal to one in colour."""
    return all(bool((one == other).all()) for one, other in zip(inputs.images, targets.images, strict=True))


def _same(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> bool:
    """Whether the files of both domains have the same content."""
    return np.array_equal(np.unique(one), np.unique(other))
