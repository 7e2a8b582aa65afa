"""A made-up data set `blob` of one file that does not compress."""

import gzip
import hashlib
import random
from pathlib import Path

from gan_runtime.data.download import download
from gan_runtime.data.registry import IdxFile

CONTENT = random.Random(0).randbytes(200_000)
BODY = gzip.compress(CONTENT, mtime=0)
FILE = IdxFile("blob", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
OTHER = gzip.compress(CONTENT[::-1], mtime=0)
HALF = len(BODY) // 2


def fetch(quiet: bool = False) -> Path:
    return download("blob", (FILE,), quiet)


def is_complete(folder: Path) -> bool:
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "blob.gz"]
    return gzip.decompress((folder / "blob.gz").read_bytes()) == CONTENT
