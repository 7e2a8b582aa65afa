"""Compare an exported file with its network: equal outputs, and no row depends on the others in its batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_runtime.errors import ModelError
from gan_runtime.manifest import ImageAxes, ImageSize
from gan_runtime.model_file import ModelFile
from gan_runtime.onnx_runtime import one_line
from gan_runtime.session import open_session
from gan_trainer.export.onnx_file import ExportError, first_line

Rows: TypeAlias = tuple[NDArray[Any], ...]
"""The inputs or the outputs of a network or a file, with the same number of rows in each."""
Compute: TypeAlias = Callable[[Rows], Rows]
Feeds: TypeAlias = dict[str, NDArray[Any]]
"""Inputs by name."""

BATCHES = (1, 1, 3, 7, 13)  # batch sizes, none of them that of the trace; a batch of `batch_rows` follows
TRIED = ImageSize(64, 48, 3), ImageSize(1, 5, 3), ImageSize(400, 300, 3), ImageSize(28, 40, 1)
"""Sizes of images for networks that take any size: large and small, grey and colour, one of a single row."""
LARGE = 2**14  # values per image above which a batch has 16 images, not 64


@dataclass(frozen=True)
class Output:
    """An output to compare: the largest difference allowed, and its unit for messages."""

    unit: str
    tolerance: float


def batch_rows(shape: tuple[int, ...]) -> int:
    """The number of images of `shape` in a batch of a comparison."""
    return 64 if np.prod(shape) <= LARGE else 16


def network_rows(network: Callable[..., Any], convert: Callable[[Any], Sequence[Tensor]]) -> Compute:
    """`network` as a function of arrays, which are copied; `convert` maps its output to the values to compare.

    Raises, when called:
        ExportError: the network fails, or gives values that are not finite.
    """

    @torch.no_grad()
    def compute(rows: Rows) -> Rows:
        try:
            found = convert(network(*(torch.from_numpy(x.copy()) for x in rows)))
        except ExportError:
            raise
        except Exception as error:  # a user's network may raise anything
            raise ExportError(f"the network fails with a batch of {len(rows[0])}: {first_line(error)}") from error
        if not all(bool(torch.isfinite(part).all()) for part in found):
            raise ExportError(f"the network gives values that are not finite in a batch of {len(rows[0])}")
        return tuple(part.numpy() for part in found)

    return compute


def file_rows(file: ModelFile, outputs: list[str]) -> Compute:
    """A file as a function of arrays, in the order of its inputs and of `outputs`.

    Raises, here and when called:
        ExportError: ONNX Runtime cannot load or run it.
    """
    run = file_feeds(file, outputs)
    names = [port.name for port in file.inputs]
    return lambda rows: run(dict(zip(names, rows, strict=True)))


def file_feeds(file: ModelFile, outputs: list[str]) -> Callable[[Feeds], Rows]:
    """A file as a function of its inputs by name, of which optional ones may be left out. Errors as `file_rows`."""
    try:
        session = open_session(file, "cpu").onnx
    except ModelError as error:
        raise ExportError(str(error)) from error

    def compute(feeds: Feeds) -> Rows:
        try:
            return tuple(session.run(outputs, feeds))
        except Exception as error:  # ONNX Runtime derives straight from Exception
            rows = len(next(iter(feeds.values())))
            raise ExportError(
                f"the graph fails with a batch of {rows}, as if the network had the size of a batch built in: "
                f"{one_line(str(error))}; use x.shape[0] without int() or view(-1, ...)"
            ) from error

    return compute


def check_parity(
    network: Compute,
    file: Compute,
    blocks: Sequence[Rows],
    outputs: Sequence[Output],
    origin: str = "torch",
) -> None:
    """Raise ExportError if a file and its network give different outputs, or rows of a batch depend on each other.

    Args:
        network: the network that was exported.
        file: the exported file.
        blocks: batches of inputs, at least two. Rows of the first two are also compared one at a time, in small batches
            and in another order.
        outputs: the outputs to compare.
        origin: the name of the network in messages.
    """
    pool, again = (_joined(blocks[:2]), _joined([network(block) for block in blocks[:2]]))
    if not all(map(np.array_equal, again, _joined([network(block) for block in blocks[:2]]))):
        raise ExportError("the network gives other values for the same inputs: make all that is random an input")
    order = np.random.default_rng(0).permutation(len(pool[0]))
    starts = np.cumsum((0, *BATCHES))
    for chosen in [*map(slice, starts, starts[1:]), slice(0, len(blocks[0][0]))]:
        if not len(order[chosen]):
            continue  # the pool is too small for a batch of this size
        rows, expected = _taken(pool, order[chosen]), _taken(again, order[chosen])
        for output, found, one in zip(outputs, network(rows), expected, strict=True):
            _check_independence(output, found, one)
        compare(outputs, file(rows), expected, origin)
    for block in blocks:
        compare(outputs, file(block), network(block), origin)


def _check_independence(output: Output, found: NDArray[Any], expected: NDArray[Any]) -> None:
    change = _distance(found, expected)
    if change <= output.tolerance:
        return
    raise ExportError(
        f"what the network gives for a row depends on the others in its batch: by {change:.3g} {output.unit} in a "
        f"batch of {len(found)}; a file draws each row by itself, so take no means or other statistics of the batch, "
        "but stored ones"
    )


def compare(outputs: Sequence[Output], found: Rows, expected: Rows, origin: str = "torch") -> None:
    """Raise ExportError if what a file gives differs from what the network called `origin` gives for the same batch."""
    for output, here, there in zip(outputs, found, expected, strict=True):
        n = len(there)
        if here.shape != there.shape:
            raise ExportError(f"batch of {n}: the graph gives {list(here.shape)}, {origin} {list(there.shape)}")
        change = _distance(here, there)
        if not change <= output.tolerance:
            raise ExportError(
                f"batch of {n}: the graph differs from {origin} by {change:.3g} {output.unit}, allowed are "
                f"{output.tolerance:g}; does something in the network depend on the batch size or on Python values?"
            )


def _distance(found: NDArray[Any], expected: NDArray[Any]) -> float:
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(np.subtract(found, expected, dtype=np.float64)).max())


def _joined(blocks: Sequence[Rows]) -> Rows:
    return tuple(np.concatenate(parts) for parts in zip(*blocks, strict=True))


def _taken(rows: Rows, indices: NDArray[np.int64]) -> Rows:
    return tuple(np.ascontiguousarray(part[indices]) for part in rows)


def image_blocks(axes: ImageAxes, rows: int | None = None) -> list[Rows]:
    """Batches of images, the same ones each time: noise, smooth slopes, flat grey levels, and sparse strokes.

    Where an axis may have any length, batches of noise of other sizes follow. `rows` are those of a batch, by default
    fewer for large images.
    """
    first, *others = _sizes(axes)
    n = rows or batch_rows(first.shape)
    shape = (n, *first.shape)
    rng = np.random.Generator(np.random.Philox(0))
    noise = rng.integers(0, 256, shape)
    flat = np.broadcast_to(np.linspace(0, 255, n).reshape(n, 1, 1, 1), shape)
    ramp = np.linspace(0, 255, first.width).reshape(1, 1, -1, 1) * rng.random((n, 1, 1, first.channels))
    strokes = noise * (rng.random((n, *first.shape[:2], 1)) < 0.1)
    more = [rng.integers(0, 256, (n, *size.shape)) for size in others]
    return [(kind.astype(np.uint8),) for kind in (noise, np.broadcast_to(ramp, shape), flat, strokes, *more)]


def _sizes(axes: ImageAxes) -> list[ImageSize]:
    """`TRIED`, with those axes that are fixed as they are; one size where all are."""
    fixed = (axes.height, axes.width, axes.channels)
    chosen = [ImageSize(*(a or b for a, b in zip(fixed, size.shape, strict=True))) for size in TRIED]
    return list(dict.fromkeys(chosen))
