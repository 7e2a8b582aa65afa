"""Write exported files: one when it is made, or several that belong together."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec

from torch import nn

from gan_runtime.files import atomic_write, check_writable
from gan_runtime.model_file import ModelFile

P = ParamSpec("P")


def written(
    name: str, build: Callable[Concatenate[nn.Module, Path, P], ModelFile]
) -> Callable[Concatenate[nn.Module, str | Path, P], ModelFile]:
    """`build` as a function called `name` that also writes the file. After any error an older file is unchanged.

    Raises:
        OutputError: it cannot be written; other errors are those of `build`.
    """

    @wraps(build)
    def export(module: nn.Module, path: str | Path, *arguments: P.args, **options: P.kwargs) -> ModelFile:
        check_writable(Path(path))
        file = build(module, Path(path), *arguments, **options)
        write_together([file])
        return file

    export.__name__ = export.__qualname__ = name
    return export  # type: ignore[return-value]  # mypy takes the names of the first two arguments for a difference


def write_together(files: Sequence[ModelFile]) -> None:
    """Write all files or none: all are complete on disk before the first one is renamed, the last of them first.

    Raises:
        OutputError: one of them cannot be written.
    """
    with ExitStack() as stack:
        for file in files:
            stack.enter_context(atomic_write(file.path)).write(file.content)
