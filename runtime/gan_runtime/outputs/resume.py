"""Long jobs that go on where they stopped: what was asked for is written down beside what is made."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from gan_runtime.errors import ModelError, OutputError
from gan_runtime.files import check_writable, lock
from gan_runtime.outputs.options import Options
from gan_runtime.outputs.source import Source
from gan_runtime.terminal.text import note

REQUEST_VERSION = 1
SHOWN = 3  # damaged files by name


def request(source: Source, **more: Any) -> dict[str, Any]:
    """What determines the files of a job: not the batch size, the device or the number of threads."""
    return {"request_version": REQUEST_VERSION, **source.identity(), **more}


def check_place(output: str, record: Path, there: Iterator[str]) -> None:
    """Raise OutputError where the names `there` are files, and no `record` says of which job."""
    check_writable(record)
    stranger = next(there, None)  # looked for before the record: a job that begins just now writes that first
    if stranger is not None and not is_made(record):
        raise OutputError(
            f"{output}: {stranger} is there already, and no {record.name} that says what it belongs to; "
            "name an empty place"
        )


@contextmanager
def claimed(output: str, record: Path, wanted: dict[str, Any], made: Callable[[], Iterable[Path]]) -> Iterator[None]:
    """Keep other processes out; meanwhile write the request down, or find that it is the one that is there.

    A record binds only where `made` lists files of the job that are there. A job that ends before its first file leaves
    none, and one that begins here and that the model cannot fulfil leaves no files either.

    Raises:
        OutputError: another request is there, another process is working on it, or the disk is full.
    """
    with _open(record) as file:
        if not lock(file.fileno()) or not _is_at(file, record):
            raise OutputError(f"{output}: another process is making it; wait for its end, or stop it")
        begins = not (is_made(record) and any(True for _ in made()))
        if not begins:
            _compare(output, record, record.read_bytes(), wanted)
        else:
            _write_down(record, wanted)
        try:
            yield
        except KeyboardInterrupt:
            raise KeyboardInterrupt("the same command goes on where it stopped") from None
        except ModelError:
            for path in list(made()) if begins else ():
                path.unlink(missing_ok=True)
            raise
        finally:
            if not any(True for _ in made()):
                record.unlink(missing_ok=True)


def is_made(path: Path) -> bool:
    """Whether there is a file with content: a machine that lost its power may have left empty ones.

    Raises:
        OutputError: something is there that no file can take the place of.
    """
    if path.exists() and not path.is_file():
        check_writable(path)
    return path.is_file() and path.stat().st_size > 0


def say_damaged(output: str, names: list[str], options: Options) -> None:
    """Remark on files that are there and not whole, and will be replaced."""
    if names and not options.quiet:
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        note(f"{output}: damaged, and made anew: {', '.join(names[:SHOWN])}{more}")


def say_kept(output: str, kept: int, n: int, quiet: bool) -> None:
    """Remark on the images that are there already."""
    if kept and not quiet:
        note(f"{output}: {f'all {n:,}' if kept == n else f'{kept:,} of {n:,}'} images are there already")


def _compare(output: str, record: Path, content: bytes, wanted: dict[str, Any]) -> None:
    try:
        there = json.loads(content)
        differences = [
            f"{key} {there.get(key)}, not {wanted.get(key)}"
            for key in dict.fromkeys((*wanted, *there))
            if there.get(key) != wanted.get(key)
        ]
    except (ValueError, AttributeError):
        differences = ["one that cannot be read"]
    if differences:
        raise OutputError(
            f"{output}: {record} has another request: {', '.join(differences)}; "
            "repeat that one, name another place, or remove it with what was made for it"
        )


def _open(record: Path) -> BinaryIO:
    """Open the record, an empty one where there is none yet: what a lock is taken on must never be replaced."""
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
            os.fsync(file.fileno())  # images without it could not be continued
    except OSError as error:
        with suppress(OSError):
            record.unlink()
        raise OutputError(f"{record}: cannot be written: {error.strerror or error}") from None
