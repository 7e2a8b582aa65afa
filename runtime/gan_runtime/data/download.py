"""Download the files of known data sets from their mirrors."""

import gzip
import hashlib
import os
import string
import time
import zlib
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPException, HTTPResponse, responses
from pathlib import Path
from ssl import SSLError
from typing import Any, TypeVar
from urllib.error import URLError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from gan_runtime import __version__
from gan_runtime.data.paths import cache_folder, existing
from gan_runtime.data.registry import SOURCES, IdxFile
from gan_runtime.errors import DataError, OutputError
from gan_runtime.files import lock
from gan_runtime.terminal.progress import progress
from gan_runtime.terminal.text import note

MIRROR_VARIABLE = "GAN_EDGE_MIRROR"
OFFLINE_VARIABLE = "GAN_EDGE_OFFLINE"
TIMEOUT_SECONDS = 20.0  # without a byte
SLOW_SECONDS, SLOW_RATE = 60.0, 1000  # a server that sends fewer bytes per second for that long is given up
MOST_ATTEMPTS, PAUSE_SECONDS = 5, 1.0
MOST_REDIRECTS = 5
CHUNK = 1 << 16
TEMPORARY = {429, 500, 502, 503, 504}
T = TypeVar("T")


class _Failed(Exception):
    """The reason why a mirror is given up."""


class _Temporary(_Failed):
    """The reason why an attempt failed that is worth repeating."""


def forbidden(offline: bool = False) -> str | None:
    """The flag or variable that forbids downloads; None if they are allowed."""
    if offline:
        return "--offline"
    return OFFLINE_VARIABLE if os.environ.get(OFFLINE_VARIABLE, "0") not in {"", "0"} else None


def download(name: str, files: tuple[IdxFile, ...], quiet: bool = False, folder: Path | None = None) -> Path:
    """Fetch the missing ones of `files` as `<file>.gz` into `folder`, by default `name` in the user's cache.

    `$GAN_EDGE_MIRROR/<name>/` is tried first, then the mirrors of `SOURCES[name]`. A file appears when it is complete
    and verified. An interrupted call leaves a partial file, which the next call resumes, also in another process.

    Returns:
        The folder that has the files.

    Raises:
        DataError: no mirror has a file with the expected content.
        OutputError: the folder is not writable or the disk is full.
    """
    folder = folder or own_folder(name)
    if all(existing(folder, file.name) for file in files):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("wb") as locked:
            if not lock(locked.fileno()):
                _say(f"{folder}: another process is fetching; waiting for it", quiet)
                lock(locked.fileno(), wait=True)
            for file in files:
                if not existing(folder, file.name):
                    _fetch(name, file, folder / f"{file.name}.gz", quiet)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{folder}: cannot be written: {reason}; make room there, or set XDG_CACHE_HOME to another folder"
        ) from error
    return folder


def own_folder(name: str) -> Path:
    """Where in the user's cache the files of a data set are kept. Raises OutputError where there is no cache."""
    cache = cache_folder()
    if cache is None:
        raise OutputError(f"{name}: cannot be fetched without a home folder; set XDG_CACHE_HOME to a writable folder")
    return cache / name


def _fetch(name: str, file: IdxFile, target: Path, quiet: bool) -> None:
    _say(f"{name}: fetching {target.name} into {target.parent}", quiet)
    own = os.environ.get(MIRROR_VARIABLE)
    failures = []
    for mirror in (*([f"{own.rstrip('/')}/{name}/"] if own else []), *SOURCES[name].mirrors):
        try:
            return _fetch_from(f"{mirror}{target.name}", file, target, quiet)
        except _Failed as error:
            _say(f"{mirror}{target.name}: {error}", quiet)
            failures.append(f"{mirror} {error}")
    reasons = "; ".join(failures) or "no mirror is known"
    raise DataError(
        f"{name}: {target.name} cannot be fetched: {reasons}; put the files into a folder and name it with "
        f"--data-dir, or set {MIRROR_VARIABLE} to the address of a server with {name}/{target.name}"
    )


def _fetch_from(url: str, file: IdxFile, target: Path, quiet: bool) -> None:
    """Each address has its own partial file, since mirrors may have compressed the same content differently."""
    part = target.with_name(f"{target.name}.{hashlib.sha256(os.fsencode(url)).hexdigest()[:16]}.part")
    for attempts_left in reversed(range(MOST_ATTEMPTS)):
        try:
            _complete(part, url, file, quiet)
            break
        except _Temporary as error:
            if not attempts_left:
                raise
            _say(f"{url}: {error}; trying again", quiet)
            time.sleep(PAUSE_SECONDS)
    part.replace(target)
    for other in target.parent.glob(f"{target.name}.*.part"):
        other.unlink()


def _complete(part: Path, url: str, file: IdxFile, quiet: bool) -> None:
    """Request the missing bytes of `part` and verify it: a digest needs no ETag to tell that the file has changed."""
    start = part.stat().st_size if part.exists() else 0
    with closing(_try(_Failed, _get, url, start)) as response:
        span = response.headers.get("Content-Range", "")
        if start and response.status in {206, 416} and not span.startswith(f"bytes {start}-"):
            part.unlink()
            raise _Temporary("cannot be resumed")
        if response.status == 200:
            start = 0
        elif response.status != 206 or not start:
            kind = _Temporary if response.status in TEMPORARY else _Failed
            raise kind(f"HTTP {response.status} {responses.get(response.status, '')}".strip())
        _receive(response, part, start, file, quiet)
    if problem := _problem(part, file):
        part.unlink()
        raise (_Temporary if start else _Failed)(problem)


def _receive(response: "_Response", part: Path, start: int, file: IdxFile, quiet: bool) -> None:
    """Write the body to `part` from byte `start` on."""
    received, total = start, start + (response.length or 0)
    most = file.size + file.size // 100 + 65536  # gzip adds 5 bytes per 16 kB to what it cannot compress
    title, goal = f"fetching {file.name}.gz", total if response.length else file.size
    with part.open("ab") as stream, progress(title, goal, "bytes", start, quiet) as advance:
        stream.truncate(start)
        while max(received, total) <= most and (chunk := _try(_Temporary, response.read_chunk)):
            stream.write(chunk)
            advance(len(chunk))
            received += len(chunk)
        stream.flush()
        os.fsync(stream.fileno())
    if max(received, total) > most:
        part.unlink()
        raise _Failed(f"longer than the file can be: more than {most} bytes")
    if received < total:
        raise _Temporary(f"broke off after {received} of {total} bytes")


def _problem(part: Path, file: IdxFile) -> str | None:
    """What is wrong with the content of `part`. At most one byte more than expected is decompressed."""
    try:
        with gzip.open(part) as stream:
            content = stream.read(file.size + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return f"corrupt: {error}"
    if len(content) != file.size:
        length = f"{len(content)} bytes" if len(content) < file.size else f"more than {file.size} bytes"
        return f"corrupt: its content has {length}, expected {file.size}"
    digest = hashlib.sha256(content).hexdigest()
    return None if digest == file.sha256 else f"corrupt: its content has SHA-256 {digest}"


def _get(url: str, start: int) -> "_Response":
    """The response to a GET from byte `start` on. Redirects are followed here: urllib reads the body of each."""
    opener = OpenerDirector()
    opener.add_handler(ProxyHandler())
    opener.add_handler(_Handler())
    headers = {"User-Agent": f"gan-edge/{__version__}"} | ({"Range": f"bytes={start}-"} if start else {})
    secure = False
    for _ in range(MOST_REDIRECTS + 1):
        scheme = urlsplit(url).scheme
        if scheme not in {"http", "https"}:
            raise _Failed(f"{scheme}: is refused; only http and https are allowed" if scheme else "not an http address")
        if secure and scheme == "http":
            raise _Failed("redirects from https to http")
        secure = scheme == "https"
        response: _Response = opener.open(Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
        location = response.headers.get("Location")
        if response.status not in {301, 302, 303, 307, 308} or location is None:
            return response
        response.close()
        url = urljoin(url, quote(location, safe=string.punctuation, encoding="iso-8859-1"))
    raise _Failed(f"redirects more than {MOST_REDIRECTS} times")


class _Handler(HTTPSHandler, HTTPHandler):
    def do_open(self, http_class: Any, req: Request, **options: Any) -> HTTPResponse:
        connection: Any = type("_Connection", (http_class,), {"response_class": _Response})
        return super().do_open(connection, req, **options)


class _Response(HTTPResponse):
    """A response that fails if its headers take SLOW_SECONDS, or if its body is slower than SLOW_RATE for that long.

    The timeout of a socket does not end a trickle: it begins anew with every byte.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline = time.monotonic() + SLOW_SECONDS
        raw: Any = self.fp.raw
        self._read_raw, raw.readinto = raw.readinto, self._read_in_time

    def read_chunk(self) -> bytes:
        chunk = self.read1(CHUNK)
        self._deadline = min(self._deadline + len(chunk) / SLOW_RATE, time.monotonic() + SLOW_SECONDS)
        return chunk

    def _read_in_time(self, buffer: memoryview) -> Any:
        if time.monotonic() > self._deadline:
            raise _Failed(f"slower than {SLOW_RATE / 1000:g} kB/s for {SLOW_SECONDS:g} s")
        return self._read_raw(buffer)


def _try(kind: type[_Failed], call: Callable[..., T], *arguments: Any) -> T:
    """Turn whatever a connection may raise into `kind`, without texts of the server."""
    try:
        return call(*arguments)
    except (OSError, HTTPException, ValueError) as error:
        raise kind(_reason(error)) from error


def _reason(error: Any) -> str:
    error = error.reason if isinstance(error, URLError) else error
    if isinstance(error, TimeoutError):
        return f"silent for {TIMEOUT_SECONDS:g} s"
    if isinstance(error, HTTPException) and not isinstance(error, OSError):
        return f"not HTTP as it should be ({type(error).__name__})"
    return "TLS: " * isinstance(error, SSLError) + str(getattr(error, "strerror", None) or error)


def _say(message: str, quiet: bool) -> None:
    if not quiet:
        note(message)
