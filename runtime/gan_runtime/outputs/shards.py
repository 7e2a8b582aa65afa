"""Write shards: tar files in the layout of WebDataset, with a fixed number of images each."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from gan_runtime.files import atomic_write, check_writable, remove_leftovers_of
from gan_runtime.outputs import resume
from gan_runtime.outputs.folder import RECORD
from gan_runtime.outputs.names import SUFFIX, Names, file_names
from gan_runtime.outputs.options import Options, Outcome
from gan_runtime.outputs.pipeline import Encode, Images, batches, png_encoder
from gan_runtime.outputs.source import Source
from gan_runtime.outputs.tar import next_member, tar_end, tar_members
from gan_runtime.outputs.whole import is_png
from gan_runtime.terminal.progress import progress


def check_shards(output: str) -> None:
    """Check that shards can be written and would not be mixed with others, before any image is generated.

    Raises:
        OutputError: the output cannot be used.
    """
    path = Path(output)
    check_writable(path)
    resume.check_place(output, _record(path), iter(sorted(shard.name for shard in _existing(path).values())))


@dataclass(frozen=True)
class _State:
    """The state of some shards: the numbers of those to write, the names of damaged ones, the images of the others."""

    missing: list[int]
    damaged: list[str]
    kept: int


def write_shards(output: str, source: Source, options: Options) -> Outcome:
    """Write out-00000.tar and so on for out.tar, or the contiguous part of them that `options.share` names.

    Existing shards are kept.
    """
    check_shards(output)
    path, size = Path(output), options.shard_size
    file_names(output, source, in_shards=True)
    numbers = options.share.part(-(-source.n // size))
    wanted, made = (
        resume.request(source, shard_size=size, compression=options.compression),
        partial(_made, path, numbers),
    )
    with resume.claimed(output, _record(path), wanted, made, options.share):
        resume.say_empty(output, options.share, numbers, options.quiet)
        kept = (_on_cluster if options.cluster else _here)(output, source, numbers, options)
    shards = tuple(str(path.with_name(shard_name(path, number))) for number in numbers)
    return Outcome(_pattern(path, numbers), kept, shards)


def _here(output: str, source: Source, numbers: Sequence[int], options: Options) -> int:
    """Write the shards that are missing or damaged. How many images the others have."""
    path, n = Path(output), _images_in(numbers, source.n, options.shard_size)
    state = _state(path, source, numbers, options.shard_size)
    resume.say_damaged(output, state.damaged, options.quiet)
    resume.say_kept(output, state.kept, n, options.quiet)
    _write(path, source, state.missing, (state.kept, n), options)
    return state.kept


def _on_cluster(output: str, source: Source, numbers: Sequence[int], options: Options) -> int:
    """As `_here`, each shard as a part of its own."""
    assert options.cluster
    size, kept, damaged = options.shard_size, 0, list[str]()
    work = partial(_part, Path(output).absolute(), source, replace(options, cluster=None, quiet=True))
    n = _images_in(numbers, source.n, size)
    with progress("sampling", n, source.unit, quiet=options.quiet) as advance:
        for part, state in options.cluster.map(work, numbers):
            kept, damaged = kept + state.kept, damaged + state.damaged
            advance(_images_in(part, source.n, size))
    resume.say_damaged(output, sorted(damaged), options.quiet, written=True)
    resume.say_kept(output, kept, n, options.quiet)
    return kept


def _part(path: Path, source: Source, options: Options, numbers: Sequence[int]) -> _State:
    """Write the shards that are missing or damaged, in a process of a cluster. The state that they were in."""
    state = _state(path, source, numbers, options.shard_size)
    _write(path, source, state.missing, (0, 0), options)
    return state


def _state(path: Path, source: Source, numbers: Sequence[int], size: int) -> _State:
    names = file_names(str(path), source, in_shards=True)
    paths = {number: path.with_name(shard_name(path, number)) for number in numbers}
    missing = [number for number, shard in paths.items() if not _is_whole(shard, source, names, number, size)]
    damaged = [paths[number].name for number in missing if paths[number].exists()]
    return _State(missing, damaged, _images_in(set(numbers) - set(missing), source.n, size))


def _is_whole(path: Path, source: Source, names: Names, number: int, size: int) -> bool:
    """Whether a shard exists and is complete."""
    if not resume.is_made(path):
        return False
    first, count = number * size, _images_in([number], source.n, size)
    labels = source.labels(first, count)
    with path.open("rb") as file:
        for i in range(count):
            name = names[first + i]
            png = next_member(file, name)
            if png is None or not is_png(png, source.shape[1:]):
                return False
            if labels is not None and next_member(file, _label_name(name)) != b"%d" % labels[i]:
                return False
        end = tar_end(file.tell())
        return file.read(len(end) + 1) == end


def shard_name(path: Path, number: int | str) -> str:
    """Name of a shard of `path`."""
    digits = number if isinstance(number, str) else f"{number:05d}"
    return f"{path.stem}-{digits}{path.suffix}"


def _write(path: Path, source: Source, missing: list[int], done: tuple[int, int], options: Options) -> None:
    """Write shards. `done` is what the progress bar begins with, and its length."""
    if not missing:
        return
    size, names = options.shard_size, file_names(str(path), source, in_shards=True)
    paths = {number: path.with_name(shard_name(path, number)) for number in missing}
    remove_leftovers_of(path.parent, [shard.name for shard in paths.values()])
    wanted = ((number * size, _images_in([number], source.n, size)) for number in missing)
    with (
        png_encoder(source, options.compression) as encode,
        batches(source, wanted, done=done, quiet=options.quiet) as images,
    ):
        for number, shard in paths.items():
            with atomic_write(shard) as file:
                _write_shard(file, source, names, number * size, _images_in([number], source.n, size), images, encode)


def _write_shard(
    file: BinaryIO, source: Source, names: Names, first: int, count: int, images: Iterator[Images], encode: Encode
) -> None:
    """Write the images first .. first + count - 1 of the request, which `images` returns next."""
    end = first + count
    while first < end:
        batch = next(images)
        own, labels = [names[image] for image in range(first, first + len(batch))], source.labels(first, len(batch))
        members: Iterable[tuple[str, bytes]] = zip(own, encode(batch), strict=True)
        if labels is not None:
            texts = zip(map(_label_name, own), (b"%d" % label for label in labels), strict=True)
            members = chain.from_iterable(zip(members, texts, strict=True))
        file.write(tar_members(*zip(*members, strict=True)))
        first += len(batch)
    file.write(tar_end(file.tell()))


def _label_name(name: str) -> str:
    return f"{name.removesuffix(SUFFIX)}.cls"


def _images_in(numbers: Collection[int], n: int, size: int) -> int:
    """How many of n images these shards have."""
    return sum(min(size, n - number * size) for number in numbers)


def _record(path: Path) -> Path:
    return path.with_name(f"{path.stem}-{RECORD}")


def _made(path: Path, numbers: range) -> list[Path]:
    """The existing shards of `path` with these numbers."""
    return [shard for number, shard in _existing(path).items() if number in numbers]


def _existing(path: Path) -> dict[int, Path]:
    """The existing shards of `path` by number."""
    shard = re.compile(re.escape(path.stem) + r"-(\d{5,})" + re.escape(path.suffix))
    found = ((shard.fullmatch(other.name), other) for other in path.parent.iterdir())
    return {int(match[1]): other for match, other in found if match}


def _pattern(path: Path, numbers: range) -> str:
    """The name of the shards with these numbers in the brace notation of WebDataset and shells; "" of none."""
    if not numbers:
        return ""
    first, last = numbers[0], numbers[-1]
    digits = f"{first:05d}" if first == last else f"{{{first:05d}..{last:05d}}}"
    return str(path.with_name(shard_name(path, digits)))
