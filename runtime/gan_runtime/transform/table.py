"""The table of a folder's files: of which content each was made, and what its own content is."""

import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path

from gan_runtime.errors import OutputError
from gan_runtime.files import atomic_write
from gan_runtime.records import record


@record(frozen=True)
class Row:
    """A file of the folder, by name, and the SHA-256 of what it was made of and of its content."""

    name: str
    source: str
    output: str

    def line(self) -> bytes:
        """The row as a line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"


@dataclass
class Table:
    """The rows in the file at `path`. A row is appended when its file is complete.

    A process that is killed between the two, or in the middle of a line, leaves a file without a row, which is made
    again. Any number of threads may add rows.
    """

    path: Path
    rows: dict[str, Row] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def read(cls, path: Path, others: Sequence[Path] = ()) -> "Table":
        """The table at `path`, without rows if there is none; lines that cannot be read are left out.

        Files without a row there may have one in the tables `others` of the same folder.
        """
        table = cls(path)
        for one in (*others, path):
            for line in one.read_bytes().splitlines() if one.is_file() else ():
                with suppress(ValueError, TypeError):
                    row = Row(**json.loads(line))
                    table.rows[row.name] = row
        return table

    def rewrite(self) -> None:
        """Replace the file by the rows that are there, so that each file has one line."""
        if self.rows or self.path.exists():
            with atomic_write(self.path) as file:
                file.writelines(row.line() for row in self.rows.values())

    def add(self, row: Row) -> None:
        """Append a row. Raises OutputError if the disk is full."""
        with self._lock:
            self.rows[row.name] = row
            try:
                with self.path.open("ab") as file:
                    file.write(row.line())
            except OSError as error:
                raise OutputError(f"{self.path}: cannot be written: {error.strerror or error}") from None


def digest(content: bytes, truth: bytes | None = None) -> str:
    """SHA-256 of a content, or of the digests of two."""
    digests = sha256(content).hexdigest()
    return digests if truth is None else sha256((digests + sha256(truth).hexdigest()).encode()).hexdigest()


def digest_of(path: Path) -> str:
    """SHA-256 of the content of a file, which may be larger than the memory."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
