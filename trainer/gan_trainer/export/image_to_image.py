"""Export networks from images to images to verified ONNX files: what translators and upscalers have in common."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gan_runtime.errors import GanEdgeError
from gan_runtime.evaluation.fingerprint import PIXELS, difference, source_images, spread
from gan_runtime.image_to_image.model import IMAGES, SOURCE, ImageToImage
from gan_runtime.manifest import Fingerprint, ImageAxes, ImageSize, ImageToImageManifest, Tiling
from gan_runtime.model_file import ModelFile
from gan_runtime.opening import open_model
from gan_trainer.data.pixels import to_pixels
from gan_trainer.export.any_size import AnySize
from gan_trainer.export.context import FAR, check_tiles, context_of, near_context, tile_psnr
from gan_trainer.export.network import plain_copy
from gan_trainer.export.onnx_file import EXAMPLE_ROWS, ExportError, finish, to_onnx
from gan_trainer.export.parity import Compute, Output, Rows, check_parity, image_blocks, network_rows
from gan_trainer.export.probe import values_and_pixels
from gan_trainer.export.transposed import in_parts

FINGERPRINT_SEED, FINGERPRINT_IMAGES = 0, 5
ROWS = 6  # images in a batch of the comparison with torch
LEVELS_OFF = 1  # allowed after rounding
ANY = ("height", "width")

M = TypeVar("M", bound=ImageToImageManifest)


@dataclass(frozen=True)
class Kind:
    """The values of a network, and the images that it is tried with.

    Attributes:
        unit: of its values, for messages.
        levels: grey levels per unit.
        encode: pixels uint8 [n, h, w, c] -> what the network takes, float [n, c, h, w].
        decode: what it gives, float [n, c, h, w] -> grey levels.
        side: the usual side of images, in pixels.
        sizes: further heights and widths; the last one is that of the second trace.
    """

    unit: str
    levels: float
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]
    side: int
    sizes: tuple[tuple[int, int], ...]

    @property
    def compared(self) -> tuple[Output, Output]:
        """The outputs that are compared with torch's."""
        return Output(self.unit, 0.5 / self.levels), Output("grey levels", LEVELS_OFF)


class Deployed(nn.Module):
    """A network as it is deployed: images uint8 [n, h, w, c] to images uint8 [n, scale h, scale w, c']."""

    def __init__(self, network: nn.Module, kind: Kind) -> None:
        super().__init__()
        self.network = network
        self.kind = kind
        self.eval()  # the exporter restores the mode of this module, and would set `network` to training mode

    def forward(self, source: Tensor) -> Tensor:
        """The images that the network makes, rounded to pixels."""
        return to_pixels(self.kind.decode(self.values(source)))

    def values(self, source: Tensor) -> Tensor:
        """Float [n, c', scale h, scale w], before they become pixels."""
        values: Tensor = self.network(self.kind.encode(source)).float()
        return values


def for_any_size(network: nn.Module, channels: int, scale: int = 1) -> tuple[nn.Module, Tiling | None]:
    """The network for images of any size, and facts about it; itself and None if it takes one size.

    Args:
        network: in evaluation mode. Its attributes `multiple`, `least` and `norm` say what it takes; without a
            `multiple`, it takes one size.
        channels: of its inputs.
        scale: its results are so many times as high and wide.

    Raises:
        ExportError: it fails, or its results have another size.
    """
    multiple = getattr(network, "multiple", None)
    if multiple is None:
        return network, None
    least, norm = getattr(network, "least", multiple), getattr(network, "norm", "")
    context = context_of(network, channels, multiple, least, scale)
    tiling = Tiling(multiple, least, context, norm if isinstance(norm, str) else "")  # it may be a layer
    takes_all = max(multiple, least) == 1
    return network if takes_all else AnySize(network, multiple, least, scale), tiling


def image_to_image_file(
    network: nn.Module,
    manifest: ImageToImageManifest,
    path: Path,
    *,
    kind: Kind,
    opset: int,
    size: ImageSize,
    scale: int = 1,
    examples: NDArray[np.uint8] | None = None,
    check: Callable[[Tensor], None] = lambda values: None,
) -> ModelFile:
    """A verified file of `network`, which is not written yet.

    Args:
        network: a frozen copy, made `for_any_size`.
        manifest: of the file, with `network` if it takes images of any size; the fingerprint is added.
        path: where the file will be written, for messages.
        kind: its values and the sizes it is tried with.
        opset: the version of the ONNX operator set.
        size: of images in training, which a network of one size takes.
        scale: its results are so many times as high and wide.
        examples: real inputs for the comparison with torch, uint8 [n, h, w, c].
        check: is called with all values of the network; raises ExportError.

    Raises:
        ExportError: torch cannot express the network at this opset, the file gives other images, or its tiles do.
    """
    channels, tiling = manifest.output.channels or 0, manifest.network
    blocks = _blocks(size, tiling, kind, examples)
    first, other = (torch.from_numpy(block[:EXAMPLE_ROWS]) for (block,) in (blocks[0], blocks[-1]))
    plain = in_parts(plain_copy(network, (kind.encode(first).numpy(),)))
    axes = ("n", *ANY, "") if tiling else ("n",)
    model = to_onnx(Deployed(plain, kind), {SOURCE: first}, [IMAGES], opset, {SOURCE: other}, axes)
    larger = ANY if scale == 1 else tuple(f"{axis}_times_{scale}" for axis in ANY)
    shape: tuple[int | str, ...] = (*larger, channels) if tiling else (size.height, size.width, channels)
    shapes = {IMAGES: shape}
    file = finish(model, manifest, shapes, opset, path)
    reference = _values_and_pixels(Deployed(network, kind), channels, scale, check)
    check_parity(reference, values_and_pixels(file, model, kind.levels), blocks, kind.compared)
    inputs = source_images(manifest.source, FINGERPRINT_IMAGES, FINGERPRINT_SEED)
    with _opened(file) as opened:
        facts = _tried(opened, kind)
        pixels = spread(opened(inputs), PIXELS).tobytes()
    fingerprint = Fingerprint(FINGERPRINT_SEED, FINGERPRINT_IMAGES, pixels)
    levels_off = difference(fingerprint, reference((inputs,))[1])
    if levels_off > LEVELS_OFF:
        raise ExportError(f"the fingerprint would differ from torch by {levels_off} grey levels")
    return finish(model, replace(manifest, network=facts, fingerprint=fingerprint), shapes, opset, path)


def _blocks(size: ImageSize, tiling: Tiling | None, kind: Kind, examples: NDArray[np.uint8] | None) -> list[Rows]:
    """Batches of images for the comparison with torch; of several sizes for a network that takes any.

    A norm that takes its statistics from the image amplifies rounding errors without limit if the image has one colour.
    Networks with such a norm are compared without such images.
    """

    def random(height: int, width: int, n: int) -> NDArray[np.uint8]:
        return source_images(ImageAxes(height, width, size.channels), n)

    real = random(size.height, size.width, ROWS) if examples is None else examples[:ROWS]
    if tiling is None:
        return [*image_blocks(size, ROWS), (real,), (random(size.height, size.width, EXAMPLE_ROWS),)]
    side = max(kind.side, tiling.least)
    images = [block for (block,) in image_blocks(ImageSize(side, side + tiling.multiple // 2, size.channels), ROWS)]
    images += [*(random(*shape, 2) for shape in kind.sizes), real, random(*kind.sizes[-1], EXAMPLE_ROWS)]
    if tiling.context is None:
        images = [block for block in images if all(np.ptp(image, axis=(0, 1)).any() for image in block)]
    return [(block,) for block in images]


def _values_and_pixels(network: Deployed, channels: int, scale: int, check: Callable[[Tensor], None]) -> Compute:
    """The network as a function of pixels, with the results of `values_and_pixels` of its file.

    Raises, when called:
        ExportError: the network fails, or its results have another size, or `check` refuses their values.
    """
    kind = network.kind

    def levels(source: Tensor) -> Tensor:
        found = network.values(source)
        n, height, width, _ = source.shape
        expected = [n, channels, scale * height, scale * width]
        if list(found.shape) != expected:
            raise ExportError(f"the network gives {list(found.shape)}, not {expected}, for {list(source.shape)} pixels")
        check(found)
        return kind.decode(found)

    return network_rows(levels, lambda found: [found / kind.levels, to_pixels(found)])


@contextmanager
def _opened(file: ModelFile) -> Iterator[ImageToImage]:
    """The file, open on the CPU. What the runtime raises becomes an ExportError."""
    try:
        with open_model(file, "cpu", 1) as opened:
            yield opened
    except ExportError:
        raise
    except GanEdgeError as error:
        raise ExportError(f"the runtime cannot use the file: {error}") from error


def _tried(opened: ImageToImage, kind: Kind) -> Tiling | None:
    """Images of all kinds of sizes, and tiles: what is written about them into the manifest."""
    tiling, channels = opened.manifest.network, opened.manifest.source.channels
    if tiling is None:
        return None
    for size in kind.sizes:
        opened(source_images(ImageAxes(*size, channels), 1))
    if tiling.context is not None:
        check_tiles(opened)
        return replace(tiling, near=near_context(opened)) if tiling.context > FAR else tiling
    tile, psnr = tile_psnr(opened)
    return replace(tiling, tile=tile, tile_psnr=psnr)
