"""Fetch the files of known data sets from their mirrors."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gan_runtime.commandline import note
from gan_runtime.datasets.connection import CHUNK, Failed
from gan_runtime.datasets.known import SOURCES, IdxFile
from gan_runtime.datasets.places import cache_folder, existing
from gan_runtime.datasets.transfer import Partial, transfer
from gan_runtime.errors import DataError, OutputError
from gan_runtime.files import lock

MIRROR_VARIABLE = "GAN_EDGE_MIRROR"
OFFLINE_VARIABLE = "GAN_EDGE_OFFLINE"


def forbidden(offline: bool = False) -> str | None:
    """What forbids downloads, as the user knows it; None if nothing does."""
    if offline:
        return "--offline"
    return OFFLINE_VARIABLE if os.environ.get(OFFLINE_VARIABLE, "0") not in {"", "0"} else None


def download(name: str, files: tuple[IdxFile, ...], quiet: bool = False, folder: Path | None = None) -> Path:
    """Fetch those of `files` that are missing, as `<file>.gz`; a file is there when it is whole and verified.

    What was fetched before an interruption is continued, also by another process.

    Args:
        name: a key of `SOURCES`, which has the mirrors; `$GAN_EDGE_MIRROR/<name>/` comes before those.
        files: of this data set.
        quiet: no progress and no remarks on stderr.
        folder: where to keep them; by default `name` in the user's cache.

    Returns:
        The folder that has the files.

    Raises:
        DataError: no mirror has a file with the expected content.
        OutputError: the folder is not writable or the disk is full.
    """
    folder = folder or _cache(name)
    if all(existing(folder, file.name) for file in files):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder, quiet):
            for file in files:
                if not existing(folder, file.name):
                    _fetch(name, file, folder, quiet)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{folder}: cannot be written: {reason}; make room there, or set XDG_CACHE_HOME to another folder"
        ) from error
    return folder


def _cache(name: str) -> Path:
    cache = cache_folder()
    if cache is None:
        raise OutputError(f"{name}: cannot be fetched without a home folder; set XDG_CACHE_HOME to a writable folder")
    return cache / name


@contextmanager
def _locked(folder: Path, quiet: bool) -> Iterator[None]:
    """One process at a time; the lock ends with the process, however that ends."""
    with (folder / ".lock").open("wb") as file:
        if not lock(file.fileno()):
            _say(f"{folder}: another process is fetching; waiting for it", quiet)
            lock(file.fileno(), wait=True)
        yield


def _fetch(name: str, file: IdxFile, folder: Path, quiet: bool) -> None:
    _say(f"{name}: fetching {file.name}.gz into {folder}", quiet)
    failures = []
    for mirror in _mirrors(name):
        url = f"{mirror}{file.name}.gz"
        try:
            return _fetch_from(Partial(url, folder / f"{file.name}.gz"), file, quiet)
        except Failed as error:
            _say(f"{url}: {error}", quiet)
            failures.append(f"{mirror} {error}")
    reasons = "; ".join(failures) or "no mirror is known"
    raise DataError(
        f"{name}: {file.name}.gz cannot be fetched: {reasons}; put the files into a folder and name it with "
        f"--data-dir, or set {MIRROR_VARIABLE} to the address of a server with {name}/{file.name}.gz"
    )


def _mirrors(name: str) -> list[str]:
    own = os.environ.get(MIRROR_VARIABLE)
    return [*([f"{own.rstrip('/')}/{name}/"] if own else []), *SOURCES[name].mirrors]


def _fetch_from(part: Partial, file: IdxFile, quiet: bool) -> None:
    whole = transfer(part, file.size, quiet)
    problem = _problem(part.path, file)
    if problem and not whole:
        _say(f"{part.url}: {problem} after continuing an earlier attempt; fetching all of it", quiet)
        part.forget()
        transfer(part, file.size, quiet)
        problem = _problem(part.path, file)
    if problem:
        part.forget()
        raise Failed(problem)
    part.install()


def _problem(path: Path, file: IdxFile) -> str | None:
    """What is wrong with the content of `path`. At most one byte more than expected is looked at."""
    digest, size = hashlib.sha256(), 0
    try:
        with gzip.open(path) as content:
            while chunk := content.read(min(CHUNK, file.size + 1 - size)):
                digest.update(chunk)
                size += len(chunk)
    except EOFError:
        return "corrupt: it ends too early"
    except (gzip.BadGzipFile, zlib.error):
        return "corrupt: not gzip" if size == 0 else "corrupt: damaged gzip"
    if size != file.size:
        length = f"{size} bytes" if size < file.size else f"more than {file.size} bytes"
        return f"corrupt: its content has {length}, expected {file.size}"
    return None if digest.hexdigest() == file.sha256 else f"corrupt: its content has SHA-256 {digest.hexdigest()}"


def _say(message: str, quiet: bool) -> None:
    if not quiet:
        note(message)
