"""Which library compresses: zlib-ng if it is installed (the extra `fast`), else zlib of the standard library."""

import zlib
from functools import cache
from typing import Any

SMALL = 2**11  # bytes


def compressor_for(level: int, size: int) -> tuple[Any, int]:
    """The module, with the functions of `zlib`, that compresses `size` bytes at `level`, and what it calls this level.

    Level 1 of zlib-ng has fixed Huffman codes. For the 800 bytes of a digit that takes a fifth of the time of codes of
    their own, and 2 % more space. Images of 32x32 in colour would need 25 % more: they get its level 2, which takes
    less time and space than level 1 of zlib. Without compression nothing is gained.

    Args:
        level: 0 (none, fast) to 9 (small).
        size: bytes of one picture.
    """
    fast = _zlib_ng() if level else None
    if fast is None:
        return zlib, level
    return fast, 2 if level == 1 and size > SMALL else level


def compressor_name(level: int = 1) -> str:
    """The library that compresses many images at this level, and its version."""
    library, _ = compressor_for(level, 0)
    return f"zlib {zlib.ZLIB_RUNTIME_VERSION}" if library is zlib else f"zlib-ng {library.ZLIBNG_RUNTIME_VERSION}"


@cache
def _zlib_ng() -> Any:
    """The module of zlib-ng; None if it is not installed."""
    try:
        from zlib_ng import zlib_ng  # noqa: PLC0415
    except ImportError:
        return None
    return zlib_ng
