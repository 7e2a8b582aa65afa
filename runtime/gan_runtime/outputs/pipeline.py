"""Generate images ahead of writing, count them for the progress bar, and encode them as PNG."""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gan_runtime.images.grids import write_png
from gan_runtime.outputs.prefetch import prefetch
from gan_runtime.outputs.source import Source
from gan_runtime.terminal.progress import progress

Images: TypeAlias = NDArray[np.uint8]
Encode: TypeAlias = Callable[[Images], Iterable[bytes]]
"""The PNG files of a batch, in order."""

# Compression level 1 takes three quarters of the time of Pillow's default level for small images and less than half for
# large ones, whose files grow by a tenth. Threads are faster only for images of at least this many values: for smaller
# ones, they contend for Python's lock.
COMPRESS_LEVEL = 1
THREADED_VALUES, MOST_THREADS = 32 * 32 * 3, 8


@contextmanager
def batches(
    source: Source,
    ranges: Iterable[tuple[int, int]] | None = None,
    *,
    done: tuple[int, int] | None = None,
    quiet: bool = False,
) -> Iterator[Iterator[Images]]:
    """The images of `source` in batches, generated while the block writes earlier ones, with a progress bar.

    Args:
        source: the images.
        ranges: only these images of it, as (first, count); no batch spans two ranges.
        done: number of images that exist already, and of all that this call is for; 0 of `source.n` if None.
        quiet: no progress bar.
    """
    parts = [source] if ranges is None else (source.part(first, count) for first, count in ranges)
    made = chain.from_iterable(part.batches() for part in parts)
    kept, n = done or (0, source.n)
    with closing(prefetch(made)) as ready, progress("sampling", n, source.unit, kept, quiet) as advance:

        def counted() -> Iterator[Images]:
            for batch in ready:
                advance(len(batch))
                yield batch

        yield counted()


@contextmanager
def png_encoder(source: Source) -> Iterator[Encode]:
    """The encoder for the batches of `source`; it uses threads for large images."""
    threads = min(source.threads, MOST_THREADS)
    if threads == 1 or np.prod(source.shape[1:]) < THREADED_VALUES:
        yield lambda images: map(_encode, images)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (small images do without)

    with ThreadPoolExecutor(threads) as pool:
        yield lambda images: pool.map(_encode, images)


def _encode(image: Images) -> bytes:
    file = io.BytesIO()
    write_png(file, image, COMPRESS_LEVEL)
    return file.getvalue()
