"""Write NPY and NPZ files."""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gan_runtime.outputs.options import Options
from gan_runtime.outputs.pipeline import batches
from gan_runtime.outputs.sampled import SampledImages
from gan_runtime.outputs.source import Source

LATENTS_AT_ONCE = 4096


def write_npy(file: BinaryIO, source: Source, options: Options) -> None:
    """One array: images uint8 [n, height, width, channels], or points float32 [n, coordinates]."""
    with batches(source, quiet=options.quiet) as images:
        _write_array(file, source.shape, source.dtype, images)


def write_npz(file: BinaryIO, source: Source, options: Options) -> None:
    """Write `images` or `points`; `latents` float32 [n, d] of a generator; `labels` int64 [n] if they exist."""
    import zipfile  # noqa: PLC0415  (only .npz pays for its import)

    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:

        def add(name: str, shape: tuple[int, ...], dtype: Any, parts: Iterator[NDArray[Any]]) -> None:
            entry = zipfile.ZipInfo(f"{name}.npy")  # no timestamp: the same request gives the same file
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as member:
                _write_array(member, shape, dtype, parts)

        with batches(source, quiet=options.quiet) as images:
            add(source.unit, source.shape, source.dtype, images)
        if isinstance(source, SampledImages):
            _add_latents(add, source)
        if source.classes:
            add("labels", (source.n,), np.int64, in_pieces(source.n, source.labels))


def _add_latents(add: Callable[..., None], source: SampledImages) -> None:
    """`latents`, and of a generator with styles the `space` that they are in: "z", or "w" if they are styles."""
    request = source.request
    if request.own_styles is None:
        add("latents", (source.n, request.space.dim), np.float32, in_pieces(source.n, request.latents))
    else:
        add("latents", request.own_styles.shape, np.float32, iter([request.own_styles]))
    if source.generator.style_space:
        space = np.array("z" if request.own_styles is None else "w")
        add("space", (), space.dtype, iter([space.reshape(1).view(np.uint8)]))


def in_pieces(n: int, part: Callable[[int, int], Any]) -> Iterator[Any]:
    """The results of `part(first, count)` for n rows, a few thousand rows each."""
    for first in range(0, n, LATENTS_AT_ONCE):
        yield part(first, min(LATENTS_AT_ONCE, n - first))


def _write_array(file: Any, shape: tuple[int, ...], dtype: Any, parts: Iterator[NDArray[Any]]) -> None:
    """Write NPY in parts: the memory is that of one part, for any length of the array."""
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for part in parts:
        file.write(np.ascontiguousarray(part).data)
