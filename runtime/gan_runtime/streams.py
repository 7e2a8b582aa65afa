"""The process's standard streams, which native code writes to behind Python's back."""

import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def captured_output() -> Iterator[list[str]]:
    """Collect what native code prints on both standard streams: on stdout it would end up in a picture there.

    The list is filled when the block ends.
    """
    collected: list[str] = []
    saved = [(number, os.dup(number)) for number in (1, 2) if _is_open(number)]
    _flush()
    with tempfile.TemporaryFile() as file:
        for number, _ in saved:
            os.dup2(file.fileno(), number)
        try:
            yield collected
        finally:
            _flush()
            for number, copy in saved:
                os.dup2(copy, number)
                os.close(copy)
            file.seek(0)
            collected.append(file.read().decode(errors="replace"))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    with suppress(OSError, AttributeError, TypeError):  # no such library outside of POSIX
        ctypes.CDLL(None).fflush(None)  # native code has buffers of its own


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
