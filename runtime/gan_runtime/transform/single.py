"""One picture or animation into a file or to stdout."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from gan_runtime.errors import DataError, DeviceError, InputError
from gan_runtime.files import atomic_write
from gan_runtime.images.remarks import summarise
from gan_runtime.outputs.options import STDOUT
from gan_runtime.terminal.progress import Advance, progress
from gan_runtime.tiling import Done
from gan_runtime.transform.inputs import Input, read_file
from gan_runtime.transform.places import Place
from gan_runtime.transform.report import Report
from gan_runtime.transform.transform import Transform

IN_MEMORY = 2**26  # bytes of a result for stdout; a larger one is in a temporary file until it is complete


def transform_file(place: Place, file: Input, truth: Input | None, transform: Transform, *, quiet: bool) -> Report:
    """Write the output of one file.

    Raises:
        DataError, InputError: the picture cannot be used.
        DeviceError: the device fails. All messages on the picture begin with its name.
        OutputError: the output cannot be written; what was there before is unchanged.
    """
    notices: list[tuple[str, float]] = []
    with _naming(file):
        content, beside = read_file(file), read_file(truth) if truth else None
        with _parts_shown(f"{transform.model.doing} {file.shown}", transform.parts(content), quiet) as done:
            out = _stdout if place.output == STDOUT else partial(atomic_write, Path(place.output))
            made = transform(content, out, beside, done, lambda *notice: notices.append(notice))
    return Report.of(place.output, 1, [made], remarks=summarise([file.shown], [notices]))


@contextmanager
def _stdout() -> Iterator[BinaryIO]:
    """A temporary file, which is copied to stdout at the end of the block if nothing failed."""
    from tempfile import SpooledTemporaryFile  # noqa: PLC0415  (a file does without)

    with SpooledTemporaryFile(IN_MEMORY) as file:
        yield cast(BinaryIO, file)
        file.seek(0)
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()


@contextmanager
def _naming(file: Input) -> Iterator[None]:
    try:
        yield
    except (DataError, DeviceError, InputError) as error:
        raise type(error)(f"{file.shown}: {error}") from None


@contextmanager
def _parts_shown(what: str, unit: str, quiet: bool) -> Iterator[Done]:
    """A bar for the tiles or frames, if there is more than one."""
    with ExitStack() as stack:
        bars: list[Advance] = []

        def done(part: int, of: int) -> None:
            if not bars and of > 1:
                bars.append(stack.enter_context(progress(what, of, unit, quiet=quiet)))
            if bars:
                bars[0](1)

        yield done
