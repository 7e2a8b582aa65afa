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
        InputError: an input has no truth, or two: files that differ in the suffix alone, none of which is its own.
        DataError: as `open_inputs`.
    """
    if source is None:
        yield [None] * len(inputs.files)
        return
    with open_inputs([source], follow_links=follow_links) as truths:
        if are_many([source]):
            by_key: dict[str, list[Input]] = {}
            for truth in truths.files:
                by_key.setdefault(truth.key, []).append(truth)
            found = [_truth_of(file, source, by_key.get(file.key, [])) for file in inputs.files]
        elif many:
            raise InputError(f"--truth {source}: is one picture; name the folder with the truth of all pictures")
        else:
            found = list(truths.files)
        missing = [file.shown for file, truth in zip(inputs.files, found, strict=True) if truth is None]
        if missing:
            more = f" and {len(missing) - SHOWN:,} more" if len(missing) > SHOWN else ""
            raise InputError(f"--truth {source}: has no picture called like {', '.join(missing[:SHOWN])}{more}")
        yield found


def _truth_of(file: Input, source: str, alike: Sequence[Input]) -> Input | None:
    """The one of the pictures with the name of `file` that has its suffix, too, or else the only one."""
    found = [truth for truth in alike if truth.name == file.name] or alike
    if len(found) > 1:
        names = " and ".join(truth.name for truth in found[:2])
        raise InputError(f"--truth {source}: {names} are both called like {file.shown}; remove or rename one of them")
    return found[0] if found else None
