"""Generate images ahead of writing, count them for the progress bar, and encode them as PNG."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gan_runtime.images.png_writing import png_files
from gan_runtime.outputs.prefetch import prefetch
from gan_runtime.outputs.source import Source
from gan_runtime.terminal.progress import progress

Images: TypeAlias = NDArray[np.uint8]
Encode: TypeAlias = Callable[[Images], Iterable[bytes]]
"""The PNG files of a batch, in order."""

# Values that a thread encodes at a time: enough to be worth a thread, few enough that all of a batch have work.
PIECE_VALUES, MOST_THREADS = 64 * 28 * 28, 8


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
def png_encoder(source: Source, level: int) -> Iterator[Encode]:
    """The encoder for the batches of `source`, in threads, with this level of compression."""
    threads, piece = min(source.threads, MOST_THREADS), max(1, PIECE_VALUES // math.prod(source.shape[1:]))
    if threads == 1 or source.n <= piece:
        yield partial(png_files, level=level)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (few small images do without)

    def encode(images: Images) -> Iterator[bytes]:
        pieces = (images[first : first + piece] for first in range(0, len(images), piece))
        return chain.from_iterable(pool.map(lambda some: list(png_files(some, level)), pieces))

    with ThreadPoolExecutor(threads) as pool:
        yield encode
