"""Resumable jobs: the request is recorded next to the files that are written."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from gan_runtime.errors import ModelError, OutputError
from gan_runtime.files import check_writable, lock
from gan_runtime.images.png_writing import LEVEL
from gan_runtime.outputs.share import WHOLE, Share, of_all_shares
from gan_runtime.outputs.source import Source
from gan_runtime.terminal.text import note

REQUEST_VERSION = 1
SHARE = "shard"  # the key of a record with the part of the job
IMPLIED = {"compression": LEVEL}  # of records without it, such as those of older versions
SHOWN = 3  # number of damaged files that a message names


def request(source: Source, **more: Any) -> dict[str, Any]:
    """What determines the files of a job: not the batch size, the device or the number of threads."""
    more = {key: value for key, value in more.items() if IMPLIED.get(key) != value}
    wanted = {"request_version": REQUEST_VERSION, **source.identity(), **more}
    if source.names is not None:
        wanted["names"] = sha256("\0".join(source.names).encode(errors="surrogateescape")).hexdigest()
    return wanted


def check_place(output: str, record: Path, there: Iterator[str]) -> None:
    """Raise OutputError if files `there` exist without a `record` of the job that wrote them."""
    check_writable(record)
    stranger = next(there, None)  # before the record, which a job that starts now writes first
    if stranger is not None and not any(map(is_made, of_all_shares(record))):
        raise OutputError(
            f"{output}: {stranger} exists without the {record.name} of the job that wrote it; choose another output"
        )


@contextmanager
def claimed(
    output: str, record: Path, wanted: dict[str, Any], made: Callable[[], Iterable[Path]], share: Share = WHOLE
) -> Iterator[None]:
    """Lock the output, or a share of it, and record the request or compare it with the recorded ones.

    A record is valid only if `made` lists existing files. A job that ends before its first file leaves no record.
    A new job that fails with ModelError leaves no files either.

    Args:
        output: for messages.
        record: of the whole job; each share has its own beside it.
        wanted: the request.
        made: lists the existing files of this share.
        share: the part of the job that this process does.

    Raises:
        OutputError: another request is recorded, another process writes this share, or the disk is full.
    """
    whole, record = record, share.beside(record)
    wanted = wanted if share == WHOLE else wanted | {SHARE: str(share)}
    with _open(record) as file:
        if not lock(file.fileno()) or not _is_at(file, record):
            what = "it" if share == WHOLE else f"its part {share}"
            raise OutputError(f"{output}: another process is writing {what}; wait for it to end, or stop it")
        begins = not (is_made(record) and any(True for _ in made()))
        if not begins:
            _compare(output, record, record.read_bytes(), wanted)
        else:
            _write_down(record, wanted)
        try:  # after the own record is written: of two jobs that begin, one sees the other
            _compare_shares(output, whole, record, wanted)
        except OutputError:
            if begins:
                record.unlink(missing_ok=True)
            raise
        try:
            yield
        except KeyboardInterrupt:
            raise KeyboardInterrupt("run the same command again to resume") from None
        except ModelError:
            for path in list(made()) if begins else ():
                path.unlink(missing_ok=True)
            raise
        finally:
            if not any(True for _ in made()):
                record.unlink(missing_ok=True)


def is_made(path: Path) -> bool:
    """Whether `path` is a file that is not empty. A power failure can leave empty files.

    Raises:
        OutputError: `path` exists and is not a file.
    """
    if path.exists() and not path.is_file():
        check_writable(path)
    return path.is_file() and path.stat().st_size > 0


def say_damaged(output: str, names: list[str], quiet: bool, *, written: bool = False) -> None:
    """Print the names of damaged files, which will be, or have been, written again."""
    if names and not quiet:
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        note(f"{output}: damaged, {'' if written else 'will be '}written again: {', '.join(names[:SHOWN])}{more}")


def say_without_input(output: str, names: list[str], quiet: bool) -> None:
    """Print the names of files of earlier calls that belong to no input of this one. They are left as they are."""
    if names and not quiet:
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        note(f"{output}: of earlier inputs, which are not among these: {', '.join(names[:SHOWN])}{more}")


def say_empty(output: str, share: Share, own: Sized, quiet: bool) -> None:
    """Print that a share has nothing to do, if so."""
    if not own and not quiet:
        note(f"{output}: part {share} has nothing to write; there are fewer files than parts")


def say_kept(output: str, kept: int, n: int, quiet: bool) -> None:
    """Print how many images exist already."""
    if kept and not quiet:
        note(f"{output}: {f'all {n:,}' if kept == n else f'{kept:,} of {n:,}'} images exist already")


def _compare_shares(output: str, whole: Path, own: Path, wanted: dict[str, Any]) -> None:
    """Raise OutputError if another share of this output belongs to another request."""
    for other in of_all_shares(whole):
        if other != own and (content := other.read_bytes()):
            _compare(output, other, content, wanted, ignored=SHARE)


def _compare(output: str, record: Path, content: bytes, wanted: dict[str, Any], ignored: str = "") -> None:
    try:
        there, wanted = IMPLIED | json.loads(content), IMPLIED | wanted
        differences = [
            f"{key} {there.get(key)}, not {wanted.get(key)}"
            for key in dict.fromkeys((*wanted, *there))
            if key != ignored and there.get(key) != wanted.get(key)
        ]
    except (ValueError, TypeError):
        differences = ["the record cannot be read"]
    if differences:
        raise OutputError(
            f"{output}: {record} is the record of a different request: {', '.join(differences)}; "
            "repeat the recorded request, choose another output, or delete the record and its files"
        )


def _open(record: Path) -> BinaryIO:
    """Open the record, and create it empty if it does not exist. The locked file must never be replaced."""
    try:
        return record.open("ab")
    except OSError as error:
        raise OutputError(f"{record}: cannot be written: {error.strerror or error}") from None


def _is_at(file: BinaryIO, record: Path) -> bool:
    """Whether the open file is still the record: the process that had the lock may have removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), record.stat())
    except OSError:
        return False


def _write_down(record: Path, wanted: dict[str, Any]) -> None:
    try:
        with record.open("wb") as file:
            file.write(json.dumps(wanted, indent=2).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())  # without the record, the job cannot be resumed
    except OSError as error:
        with suppress(OSError):
            record.unlink()
        raise OutputError(f"{record}: cannot be written: {error.strerror or error}") from None
