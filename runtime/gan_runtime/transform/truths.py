"""The truth of each picture: the file of the same name in another folder or archive."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gan_runtime.errors import InputError
from gan_runtime.transform.inputs import Input, Inputs, are_many, open_inputs

SHOWN = 3


@contextmanager
def open_truths(
    source: str | None, inputs: Inputs, *, many: bool, follow_links: bool = False
) -> Iterator[Sequence[Input | None]]:
    """The truth of each of `inputs`, to be read within the block; None for all if `source` is None.

    Args:
        source: a picture if there is one input, else a folder or .zip with pictures of the same names. Suffixes may
            differ.
        inputs: the pictures.
        many: whether `inputs` came from a folder, an archive or several files.
        follow_links: as for `open_inputs`.

    Raises:
        InputError: an input has no truth.
        DataError: as `open_inputs`.
    """
    if source is None:
        yield [None] * len(inputs.files)
        return
    with open_inputs([source], follow_links=follow_links) as truths:
        if are_many([source]):
            by_stem = {file.stem: file for file in truths.files}
            found = [by_stem.get(file.stem) for file in inputs.files]
        elif many:
            raise InputError(f"--truth {source}: is one picture; name the folder with the truth of all pictures")
        else:
            found = list(truths.files)
        missing = [file.shown for file, truth in zip(inputs.files, found, strict=True) if truth is None]
        if missing:
            more = f" and {len(missing) - SHOWN:,} more" if len(missing) > SHOWN else ""
            raise InputError(f"--truth {source}: has no picture called like {', '.join(missing[:SHOWN])}{more}")
        yield found
