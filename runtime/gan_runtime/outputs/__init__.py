"""Write sampled images as a picture, an animation, arrays, a folder or shards."""

import io
import math
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from gan_runtime.errors import OutputError
from gan_runtime.files import atomic_write, check_space, check_writable
from gan_runtime.outputs.options import FOLDER, STDOUT, Options, Outcome, check_options, check_points
from gan_runtime.outputs.source import Source

__all__ = ["STDOUT", "Options", "Outcome", "check_options", "check_output", "check_stdout", "kind_of", "write_output"]

# Modules and functions, imported on demand, so that writing a grid does not load the other writers.
FILES = {  # written at once
    ".png": ("outputs.picture", "write_grid"),
    ".npy": ("outputs.arrays", "write_npy"),
    ".npz": ("outputs.arrays", "write_npz"),
    ".gif": ("outputs.animation", "write_gif"),
    ".webp": ("outputs.animation", "write_webp"),
}
MIX = "outputs.mixing", "write_mix"
POINTS = FILES | {".png": ("laboratory.output", "write_scatter")}  # for points, the kinds of `OF_POINTS`
JOBS = {  # resumable
    ".tar": ("outputs.shards", "check_shards", "write_shards"),
    FOLDER: ("outputs.folder", "check_folder", "write_folder"),
}


def kind_of(output: str) -> str:
    """The kind of output: a suffix, "/" for a folder, or "-".

    Raises:
        OutputError: the kind is unknown.
    """
    if output == STDOUT:
        return STDOUT
    if output.endswith(("/", os.sep)):
        return FOLDER
    suffix = Path(output).suffix.lower()
    if suffix in FILES or suffix in JOBS:
        return suffix
    if output and Path(output).is_dir():
        return FOLDER
    suffixes = ", ".join((*FILES, ".tar"))
    reason = f"unknown kind of output; end it in {suffixes}, or in a slash for a folder; - is a PNG on stdout"
    if "\\" in output and os.sep != "\\":
        reason += " (a backslash is part of a name here: folders are separated by /)"
    raise OutputError(f"{output}: {reason}")


def check_output(output: str) -> None:
    """Check the kind and the path of an output before any image is generated.

    Raises:
        OutputError: the kind is unknown or the path cannot be used.
    """
    kind = kind_of(output)
    if kind == STDOUT:
        check_stdout()
    elif kind in JOBS:
        _functions(JOBS[kind])[0](output)
    else:
        check_writable(Path(output))


def write_output(output: str, source: Source, options: Options | None = None) -> Outcome:
    """Generate the images of `source` and write them to `output`.

    Args:
        output: a path with a known suffix, a folder with a slash at its end, or "-" for a PNG on stdout.
        source: the images; `gan_runtime.outputs.sampled.draw` returns the source for a generator.
        options: layout of grids, length of animations, size of shards.

    Returns:
        The files that exist now.

    Raises:
        OutputError: the path cannot be used or the disk is full; no partial file remains.
        InputError: a picture would be too large, or an option does not apply to this kind of output.
    """
    kind, options = kind_of(output), options or Options()
    check_options(kind, options.changed())
    if source.unit == "points":
        check_points(output, kind, options)
    if kind in JOBS:
        outcome: Outcome = _functions(JOBS[kind])[1](output, source, options)
        return outcome
    files = POINTS if source.unit == "points" else FILES
    (write,) = _functions(MIX if options.mix else files[".png" if kind == STDOUT else kind])
    if kind == STDOUT:
        content = io.BytesIO()
        write(content, source, options)
        sys.stdout.buffer.write(content.getbuffer())
        sys.stdout.buffer.flush()
        return Outcome(output)
    path = Path(output)
    if kind == ".npy":  # the only kind whose size is known in advance
        check_space(path, math.prod(source.shape) * source.dtype.itemsize)
    with atomic_write(path) as file:
        write(file, source, options)
    return Outcome(output)


def check_stdout() -> None:
    """Raise OutputError if a picture cannot go to stdout."""
    if sys.stdout is None:
        raise OutputError("-: stdout is closed; name a file")
    if sys.stdout.isatty():
        raise OutputError("-: stdout is a terminal; send the PNG to a file or a program")


def _functions(names: tuple[str, ...]) -> list[Callable[..., Any]]:
    module, *functions = names
    return [getattr(import_module(f"gan_runtime.{module}"), function) for function in functions]
