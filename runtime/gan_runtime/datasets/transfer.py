"""Fetch one address into a partial file, which outlives the process and is continued by the next."""

import hashlib
import os
import re
import time
from dataclasses import dataclass
from http.client import responses
from pathlib import Path

from gan_runtime.commandline import note
from gan_runtime.datasets.connection import Answer, Failed, get
from gan_runtime.progress import progress

MOST_ATTEMPTS = 5
PAUSE_SECONDS = 1.0
TEMPORARY = {429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Partial:
    """What has come of `url` so far, next to `target`; a second file keeps which version of `url` it is of.

    Two mirrors may have compressed the same content differently: each address has a partial file of its own.
    """

    url: str
    target: Path

    @property
    def path(self) -> Path:
        """The bytes that have come."""
        digest = hashlib.sha256(self.url.encode("utf-8", "surrogateescape")).hexdigest()
        return self.target.with_name(f"{self.target.name}.{digest[:16]}.part")

    @property
    def _version(self) -> Path:
        return self.path.with_suffix(".version")

    def length(self) -> int:
        """How many bytes have come."""
        return self.path.stat().st_size if self.path.exists() and self._version.exists() else 0

    def version(self) -> str:
        """The ETag or date of what the bytes are of; empty if the server gave neither."""
        return _printable(self._version.read_text("utf-8", "replace"))

    def forget(self) -> None:
        """Start over. In this order: there are never old bytes with a new version."""
        self.path.unlink(missing_ok=True)
        self._version.unlink(missing_ok=True)

    def begin(self, version: str) -> None:
        """Forget the bytes; those to come are of `version`."""
        self.forget()
        self._version.write_text(version, "utf-8")

    def install(self) -> None:
        """Make it the target, and remove the partial files of all addresses."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(self.target)
        for suffix in ("part", "version"):
            for path in self.target.parent.glob(f"{self.target.name}.*.{suffix}"):
                path.unlink(missing_ok=True)


def transfer(part: Partial, size: int, quiet: bool) -> bool:
    """Complete `part`; returns whether it came in one piece, and not as pieces of different answers.

    Args:
        part: may hold bytes of an earlier attempt.
        size: of the uncompressed content: what is longer than gzip can make of this is refused.
        quiet: no progress and no remarks.

    Raises:
        Failed: the address is given up; what has come may be continued another time.
        OSError: the partial file cannot be written.
    """
    attempts = in_vain = 0
    while True:
        before = part.length()
        try:
            return _attempt(part, size, quiet)
        except Failed as error:
            attempts += 1
            in_vain += part.length() <= before
            if not error.again or in_vain > 1 or attempts == MOST_ATTEMPTS:
                raise
            if not quiet:
                note(f"{part.url}: {error}; trying again")
        time.sleep(PAUSE_SECONDS)


def _attempt(part: Partial, size: int, quiet: bool) -> bool:
    with get(part.url, _range(part)) as answer:
        start = _start(part, answer)
        if start is not None:
            _receive(part, answer, start, size, quiet)
            return start == 0
    return _attempt(part, size, quiet)


def _range(part: Partial) -> dict[str, str]:
    """Headers that ask for what is missing: all of it if the server has another version by now."""
    length = part.length()
    if not length:
        return {}
    version = part.version()
    return {"Range": f"bytes={length}-"} | ({"If-Range": version} if version else {})


def _start(part: Partial, answer: Answer) -> int | None:
    """Where the bytes of `answer` belong; None if the request is to be made again, for all of it."""
    length = part.length()
    versions = _versions(answer)
    if answer.status == 200:
        part.begin(versions[0] if versions else "")
        return 0
    if not length or answer.status not in {206, 416}:
        phrase = responses.get(answer.status, "")
        raise Failed(f"HTTP {answer.status} {phrase}".strip(), answer.status in TEMPORARY)
    span = re.fullmatch(r"bytes (\d{1,18})-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
    same = not versions or part.version() in ("", *versions)
    if answer.status == 206 and span and int(span[1]) == length and same:
        return length
    part.forget()
    return None


def _receive(part: Partial, answer: Answer, start: int, size: int, quiet: bool) -> None:
    total = None if answer.length is None else start + answer.length
    most = size + size // 100 + 65536  # what gzip cannot shrink grows by 5 bytes in 16 kB
    come = start
    title = f"fetching {part.target.name}"
    with part.path.open("ab") as file, progress(title, total or size, "bytes", start, quiet) as advance:
        for chunk in answer.chunks if (total or 0) <= most else ():
            file.write(chunk)
            advance(len(chunk))
            come += len(chunk)
            if come > most:
                break
    if max(come, total or 0) > most:
        part.forget()
        raise Failed(f"longer than the file can be: more than {most} bytes")
    if total is not None and come < total:
        raise Failed(f"broke off after {come} of {total} bytes", again=True)


def _versions(answer: Answer) -> list[str]:
    """What tells versions of the content apart; a weak ETag does not promise the same bytes."""
    tags = [_printable(answer.headers.get(name, "")) for name in ("ETag", "Last-Modified")]
    return [tag for tag in tags if tag and not tag.startswith("W/")]


def _printable(text: str) -> str:
    return text if text.isascii() and text.isprintable() else ""
