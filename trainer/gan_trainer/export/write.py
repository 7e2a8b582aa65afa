"""Write exported files that belong together."""

from collections.abc import Sequence
from contextlib import ExitStack

from gan_runtime.files import atomic_write
from gan_runtime.model_file import ModelFile


def write_together(files: Sequence[ModelFile]) -> None:
    """Write all files or none: all are complete on disk before the first one is renamed, the last of them first.

    Raises:
        OutputError: one of them cannot be written.
    """
    with ExitStack() as stack:
        for file in files:
            stack.enter_context(atomic_write(file.path)).write(file.content)
