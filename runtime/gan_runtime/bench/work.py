"""The work that a model is measured at: what the commands have it do, without files."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.bench.setting import Setting
from gan_runtime.drawing import Drawing
from gan_runtime.encoder import Encoder
from gan_runtime.errors import DeviceError, InputError
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.generator import Generator
from gan_runtime.image_reader import ImageReader
from gan_runtime.image_to_image.model import ImageToImage
from gan_runtime.manifest import Tiling
from gan_runtime.onnx_model import OnnxModel
from gan_runtime.outputs.encoded import batch_size
from gan_runtime.parts import PIECE, Mapping, Synthesis
from gan_runtime.tiling import least_window, spans
from gan_runtime.transform.model import DOING, model_of
from gan_runtime.transform.tiles import AutoTile

Call = Callable[[], Any]

FACTOR = 4  # between the batches that are measured if none are asked for
ANY_SIDE = 64  # pixels of images for networks that take images of any size, as for gan-eval


def batches_near(automatic: Setting) -> list[Setting]:
    """Batches below and above that of `auto`, and a single row."""
    batches = {1, automatic.batch // FACTOR, automatic.batch, automatic.batch * FACTOR} - {0}
    return [replace(automatic, batch=batch) for batch in batches]


@dataclass(frozen=True)
class Work:
    """A model and inputs for it.

    Attributes:
        model: open on a device.
        what: a call does, in words.
        unit: of what a call gives.
        tiled: whether settings have tiles.
        automatic: gives the setting of `auto`, which the commands take by themselves.
        prepare: gives a function that does the work once, with inputs that are in memory.
        runs: how many runs of the session a call consists of.
        amount: what a call gives, in `unit`.
        rows: images or, of networks for any size, pixels of the input that a call computes.
        near: settings to measure, of which the first argument is that of `auto`.
    """

    model: OnnxModel
    what: str
    automatic: Callable[[], Setting]
    prepare: Callable[[Setting], Call]
    runs: Callable[[Setting], int]
    unit: str = "images"
    tiled: bool = False
    amount: Callable[[Setting], float] = lambda setting: setting.batch
    rows: Callable[[Setting], float] = lambda setting: setting.batch
    near: Callable[[Setting], Sequence[Setting]] = batches_near

    @property
    def flops(self) -> int:
        """Floating-point operations of a row in convolutions and matrix products; 0 if the file does not say."""
        return self.model.manifest.flops if self.model.manifest else 0


def work_of(model: OnnxModel, picture: tuple[int, int]) -> Work:
    """What the open `model` is measured at; `picture` has a width and a height, for networks that take any size."""
    match model:
        case ImageToImage():
            return _tiles(model, *picture) if model.window else _convert(model)
        case Drawing():
            return _draw(model)
        case Mapping():
            return _map(model)
        case ImageReader():
            return _read(model)
    raise InputError(f"{model.model.path}: gan-bench does not know what files of this task are used for")


def _reopened(model: ImageToImage, threads: int, *, many: bool) -> ImageToImage:
    """The same file with other threads, which belong to a session of their own."""
    return type(model).load(model.model.path, **{**model.place, "threads": threads, "many": many})


def _draw(model: Drawing) -> Work:
    """A generator, from a seed to pixels; or its part that draws images from styles."""

    def prepare(setting: Setting) -> Call:
        drawing, batch = model.with_threads(setting.threads), setting.batch
        if isinstance(drawing, Generator):
            request = drawing.request(batch, batch_size=batch)
            return lambda: drawing.array(request)
        assert isinstance(drawing, Synthesis)
        styles = _normal(batch, drawing.manifest.styles.layers, drawing.manifest.styles.dim)
        return lambda: drawing(styles, batch)

    return Work(
        model,
        f"draw {model.size} from {'a seed' if isinstance(model, Generator) else 'styles'}",
        automatic=lambda: Setting(model.batch_size(), _threads(model)),
        prepare=prepare,
        runs=lambda setting: _parts(setting.batch, model.with_threads(setting.threads).piece_size(setting.batch)),
        unit="points" if model.points else "images",
        near=lambda automatic: [one for one in batches_near(automatic) if _fits(model, one.batch)],
    )


def _fits(model: Drawing, batch: int) -> bool:
    """Whether a batch is within the limits of batches and of the memory."""
    try:
        return model.batch_size(batch) == batch
    except (DeviceError, InputError):
        return False


def _map(model: Mapping) -> Work:
    """The part of a generator that makes styles of latents."""

    def prepare(setting: Setting) -> Call:
        mapping, latents = model.with_threads(setting.threads), _normal(setting.batch, model.manifest.latents.dim)
        return lambda: mapping(latents)

    return Work(
        model,
        "make styles of latents",
        automatic=lambda: Setting(_threads(model) * PIECE, _threads(model)),
        prepare=prepare,
        runs=lambda setting: _parts(setting.batch, min(_parts(setting.batch, setting.threads), PIECE)),
        unit="styles",
    )


def _read(model: ImageReader) -> Work:
    """An encoder or a feature network, from pixels to vectors."""
    shape = model.size.height or ANY_SIDE, model.size.width or ANY_SIDE, model.size.channels or 3
    values = math.prod(shape)

    def prepare(setting: Setting) -> Call:
        reader, images = model.with_threads(setting.threads), _pixels(setting.batch, *shape)
        if isinstance(reader, Encoder):
            return lambda: reader(images)
        assert isinstance(reader, FeatureNetwork)
        return lambda: reader.measure(iter([images]))

    return Work(
        model,
        f"read images of {' x '.join(map(str, shape))}",
        automatic=lambda: Setting(batch_size(model, values), _threads(model)),
        prepare=prepare,
        runs=lambda setting: _parts(setting.batch, model.piece_size(values)),
        rows=lambda setting: setting.batch * (math.prod(shape[:2]) if None in vars(model.size).values() else 1),
    )


def _convert(model: ImageToImage) -> Work:
    """A network from images of one size to images, of which a folder has many: each thread has one at a time."""
    source = model.manifest.source

    def prepare(setting: Setting) -> Call:
        network = _reopened(model, setting.threads, many=True)
        images = _pixels(setting.batch, source.height or 0, source.width or 0, source.channels or 0)
        return lambda: network(images)

    return Work(
        model,
        f"make {model.manifest.output} of {source}",
        automatic=lambda: Setting(_threads(model), _threads(model)),
        prepare=prepare,
        runs=lambda setting: min(setting.batch, setting.threads),
    )


def _tiles(model: ImageToImage, width: int, height: int) -> Work:
    """A network from images of any size to images: tiles from the middle of a large picture, as many as threads."""

    def prepare(setting: Setting) -> Call:
        side, network = setting.tile or 0, _reopened(model, setting.threads, many=False)
        length = strip(setting.threads, side, _tiling(model, side))
        picture = _pixels(1, side, length, model.manifest.source.channels or 0)[0]
        return lambda: network.run_picture(picture, side)

    def kept(setting: Setting) -> float:
        """Megapixels of the output, without what neighbouring tiles have in common."""
        side = setting.tile or 0
        return setting.threads * (model.scale * _stride(side, _tiling(model, side))) ** 2 / 1e6

    return Work(
        model,
        f"{DOING[model.manifest.task]} a picture of {width} x {height} pixels in tiles; speed in pixels of the output",
        automatic=lambda: Setting(1, _threads(model), AutoTile(model_of(model)).side(height, width)),
        prepare=prepare,
        runs=lambda setting: setting.threads,
        unit="megapixels",
        tiled=True,
        amount=kept,
        rows=lambda setting: setting.threads * (setting.tile or 0) ** 2,
        near=lambda automatic: _tiles_near(automatic, model),
    )


def strip(tiles: int, side: int, tiling: Tiling) -> int:
    """The length of an axis that so many tiles cover exactly."""
    return spans(3 * side, side, tiling)[0].stop + (tiles - 1) * _stride(side, tiling)


def _stride(side: int, tiling: Tiling) -> int:
    """Pixels from the beginning of a tile to that of the next one, in the middle of a large picture."""
    return spans(3 * side, side, tiling)[1].start


def _tiles_near(automatic: Setting, model: ImageToImage) -> list[Setting]:
    """Half and twice the side, as far as the usual one; of blended tiles the same, since they give another picture."""
    side = automatic.tile or 0
    tiling = _tiling(model, side)
    if tiling.context is None:
        return [automatic]
    most = max(side, model.window or 0)
    sides = [each for each in (side // 2, side, 2 * side) if least_window(tiling) <= each <= most]
    return [replace(automatic, tile=each) for each in sides]


def _tiling(model: ImageToImage, side: int) -> Tiling:
    """How tiles of this side are run. Raises InputError if they are too small."""
    tiling = model.tiling(side)
    assert tiling
    if side < least_window(tiling):
        raise InputError(f"tile {side}: too small for this network, which needs at least {least_window(tiling)}")
    return tiling


def _threads(model: OnnxModel) -> int:
    """Of `auto`: all that this process may use. Those of a GPU cannot be chosen."""
    return model.threads if model.on_cpu else 1


def _parts(whole: int, part: int) -> int:
    """How many parts of at most `part` there are."""
    return -(-whole // part)


def _normal(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def _pixels(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)
