"""Export networks that translate images to verified ONNX files of the task "translate"."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gan_runtime.errors import GanEdgeError
from gan_runtime.evaluation.fingerprint import PIXELS, difference, source_images, spread
from gan_runtime.image_to_image.model import IMAGES, SOURCE
from gan_runtime.image_to_image.translator import Translator
from gan_runtime.images.options import PictureOptions
from gan_runtime.images.recorded import record
from gan_runtime.manifest import Counterpart, Fingerprint, ImageAxes, ImageSize, Tiling, TranslateManifest
from gan_runtime.model_file import ModelFile
from gan_runtime.models import inverse_path
from gan_trainer.data.pixels import GREY, denormalise, normalise, to_pixels
from gan_trainer.export.any_size import AnySize
from gan_trainer.export.context import check_tiles, context_of, tile_psnr
from gan_trainer.export.network import frozen_copy, plain_copy
from gan_trainer.export.onnx_file import EXAMPLE_ROWS, ExportError, check_opset, finish, to_onnx
from gan_trainer.export.parity import Compute, Output, Rows, check_parity, image_blocks, network_rows
from gan_trainer.export.probe import values_and_pixels
from gan_trainer.export.transposed import in_parts
from gan_trainer.training.determinism import settle_math_library

COMPARED = Output("values in [-1, 1]", 0.5 / GREY), Output("grey levels", 1)
FINGERPRINT_SEED, FINGERPRINT_IMAGES = 0, 5
ROWS = 6  # images in a batch of the comparison with torch
SIDE = 64  # pixels, the usual side of these images
SLACK = 1e-4  # how far values may be outside of [-1, 1]
SIZES = (1, 1), (2, 7), (67, 65), (200, 300)
ANY = ("height", "width")


class Deployed(nn.Module):
    """A translator as it is deployed: images uint8 [n, h, w, c] to images uint8 [n, h, w, c']."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, source: Tensor) -> Tensor:
        """The translated images, rounded to pixels."""
        return to_pixels(denormalise(self.values(source)))

    def values(self, source: Tensor) -> Tensor:
        """Float [n, c', h, w] in [-1, 1], before they are rounded."""
        values: Tensor = self.network(normalise(source)).float()
        return values


def translator_file(
    module: nn.Module,
    path: Path,
    *,
    source: ImageSize,
    images: ImageSize,
    examples: NDArray[np.uint8] | None = None,
    prepared: str = "",
    counterpart: Counterpart | None = None,
    opset: int = 17,
    name: str | None = None,
    training: dict[str, Any] | None = None,
    quality: list[dict[str, Any]] | None = None,
    pictures: PictureOptions | None = None,
) -> ModelFile:
    """A verified file of `module` for `gan_runtime.Translator`, which is not written yet.

    Args:
        module: images float [n, c, h, w] in [-1, 1] -> float [n, c', h, w] in [-1, 1]. If it has the attributes
            `multiple` (height and width have to be multiples of it) and `least` (the smallest height and width), the
            file takes images of any size from 1x1 up, padded and cropped in the graph; otherwise those of the size of
            `source` alone. Its attribute `norm` is recorded.
        path: where the file will be written, for messages.
        source, images: the sizes of images in training, of the input and the output domain.
        examples: real inputs for the comparison with torch, uint8 [n, h, w, c].
        prepared: how the inputs were made from pictures, such as "sketch"; "" if they were not.
        counterpart: the file of the opposite direction, if there is one; `translator_pair` knows it.
        opset: the version of the ONNX operator set of the file, 13 to 20.
        name: the name of the model in its manifest; the stem of `path` if None.
        training: any JSON object for the manifest.
        quality: any JSON objects for the manifest.
        pictures: how pictures became the training images.

    Raises:
        ExportError: torch cannot express the network at this opset, its values are outside of [-1, 1], or the file
            gives other images.
        InputError: the opset is out of range.
    """
    check_opset(opset)
    settle_math_library()
    network, tiling = _for_any_size(frozen_copy(module), source)
    manifest = TranslateManifest(
        name=name or path.stem,
        source=_axes(source, tiling),
        output=_axes(images, tiling),
        network=tiling,
        prepared=prepared,
        counterpart=counterpart,
        training=training or {},
        quality=quality or [],
        pictures=record(pictures),
    )
    shapes = {IMAGES: (*ANY, images.channels) if tiling else images.shape}
    blocks = _blocks(source, tiling, examples)
    first, other = (torch.from_numpy(block[:EXAMPLE_ROWS]) for (block,) in (blocks[0], blocks[-1]))
    plain = in_parts(plain_copy(network, (normalise(first).numpy(),)))
    axes = ("n", *ANY, "") if tiling else ("n",)
    model = to_onnx(Deployed(plain), {SOURCE: first}, [IMAGES], opset, {SOURCE: other}, axes)
    file = finish(model, manifest, shapes, opset, path)
    reference = _values_and_pixels(Deployed(network), images.channels)
    check_parity(reference, values_and_pixels(file, model), blocks, COMPARED)
    inputs = source_images(manifest.source, FINGERPRINT_IMAGES, FINGERPRINT_SEED)
    with _opened(file) as translator:
        network_facts = _tried(translator)
        pixels = spread(translator(inputs), PIXELS).tobytes()
    fingerprint = Fingerprint(FINGERPRINT_SEED, FINGERPRINT_IMAGES, pixels)
    levels_off = difference(fingerprint, reference((inputs,))[1])
    if levels_off > COMPARED[1].tolerance:
        raise ExportError(f"the fingerprint would differ from torch by {levels_off} grey levels")
    return finish(model, replace(manifest, network=network_facts, fingerprint=fingerprint), shapes, opset, path)


def translator_pair(
    networks: Mapping[str, nn.Module],
    path: Path,
    *,
    source: ImageSize,
    images: ImageSize,
    examples: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None,
    of_inverse: Mapping[str, Any] | None = None,
    **about: Any,
) -> dict[str, ModelFile]:
    """The verified files of both directions, which name each other: "generator" at `path`, "inverse" beside it.

    Args:
        networks: "generator", from the images of `source` to those of `images`, and "inverse", the other way round.
        path: where the file of the generator will be written; the other one at `gan_runtime.models.inverse_path`.
        source, images: the sizes of images in training.
        examples: real images of both domains.
        of_inverse: arguments of `about` that differ for the inverse, such as `training`.
        about: as for `translator_file`; `name` is given the suffix "-inverse" for the inverse.
    """
    inverse, weights = inverse_path(path), _digest(networks)
    name, prepared = about.pop("name", None) or path.stem, about.pop("prepared", "")
    there, back = examples or (None, None)
    return {
        "generator": translator_file(
            networks["generator"],
            path,
            source=source,
            images=images,
            examples=there,
            prepared=prepared,
            counterpart=Counterpart(inverse.name, weights),
            name=name,
            **about,
        ),
        "inverse": translator_file(
            networks["inverse"],
            inverse,
            source=images,
            images=source,
            examples=back,
            counterpart=Counterpart(path.name, weights),
            name=f"{name}-inverse",
            **about | dict(of_inverse or {}),
        ),
    }


def _digest(networks: Mapping[str, nn.Module]) -> str:
    """SHA-256 of the weights of both networks."""
    digest = hashlib.sha256()
    for name in ("generator", "inverse"):
        for key, value in networks[name].state_dict().items():
            digest.update(f"{name}.{key} {value.dtype} {list(value.shape)} ".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _for_any_size(network: nn.Module, source: ImageSize) -> tuple[nn.Module, Tiling | None]:
    """The network for images of any size, and facts about it; the network itself and None if it takes one size."""
    multiple = getattr(network, "multiple", None)
    if multiple is None:
        return network, None
    least, norm = getattr(network, "least", multiple), getattr(network, "norm", "")
    context = context_of(network, source.channels, multiple, least)
    return AnySize(network, multiple, least), Tiling(multiple, least, context, norm)


def _axes(size: ImageSize, tiling: Tiling | None) -> ImageAxes:
    """The axes of a file: any height and width for a network that takes any size."""
    return ImageAxes(None, None, size.channels) if tiling else ImageAxes(*size.shape)


def _blocks(source: ImageSize, tiling: Tiling | None, examples: NDArray[np.uint8] | None) -> list[Rows]:
    """Batches of images for the comparison with torch; of several sizes for a network that takes any.

    A norm that takes its statistics from the image amplifies rounding errors without limit if the image has one colour.
    Networks with such a norm are compared without such images.
    """

    def random(height: int, width: int, n: int) -> NDArray[np.uint8]:
        return source_images(ImageAxes(height, width, source.channels), n)

    real = random(source.height, source.width, ROWS) if examples is None else examples[:ROWS]
    if tiling is None:
        return [*image_blocks(source, ROWS), (real,), (random(source.height, source.width, EXAMPLE_ROWS),)]
    side = max(SIDE, tiling.least)
    images = [block for (block,) in image_blocks(ImageSize(side, side + tiling.multiple // 2, source.channels), ROWS)]
    images += [*(random(*size, 2) for size in SIZES), real, random(*SIZES[-1], EXAMPLE_ROWS)]
    if tiling.context is None:
        images = [block for block in images if all(np.ptp(image, axis=(0, 1)).any() for image in block)]
    return [(block,) for block in images]


def _values_and_pixels(network: Deployed, channels: int) -> Compute:
    """The network as a function of pixels, with the results of `values_and_pixels` of its file.

    Raises, when called:
        ExportError: the network fails, or its results are not images of the size of its input in [-1, 1].
    """

    def values(source: Tensor) -> Tensor:
        found = network.values(source)
        expected = [len(source), channels, *source.shape[1:3]]
        if list(found.shape) != expected:
            raise ExportError(f"the network gives {list(found.shape)}, not {expected}, for {list(source.shape)} pixels")
        largest = float(found.abs().max())
        if largest > 1 + SLACK:
            raise ExportError(f"the network's values reach {largest:.4g}, outside of [-1, 1]: end it with tanh")
        return found

    return network_rows(values, lambda found: [denormalise(found) / GREY, to_pixels(denormalise(found))])


@contextmanager
def _opened(file: ModelFile) -> Iterator[Translator]:
    """The file, open on the CPU. What the runtime raises becomes an ExportError."""
    try:
        with Translator.open(file, "cpu", 1) as translator:
            yield translator
    except ExportError:
        raise
    except GanEdgeError as error:
        raise ExportError(f"the runtime cannot use the file: {error}") from error


def _tried(translator: Translator) -> Tiling | None:
    """Images of all kinds of sizes, and tiles: what is written about them into the manifest."""
    tiling, channels = translator.manifest.network, translator.manifest.source.channels
    if tiling is None:
        return None
    for size in SIZES:
        translator(source_images(ImageAxes(*size, channels), 1))
    if tiling.context is not None:
        check_tiles(translator)
        return tiling
    tile, psnr = tile_psnr(translator)
    return replace(tiling, tile=tile, tile_psnr=psnr)
