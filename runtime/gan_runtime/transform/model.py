"""A model that gives pictures of pictures, as this room sees it, whatever its task."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from gan_runtime.errors import InputError
from gan_runtime.image_to_image.model import ImageToImage
from gan_runtime.manifest import ImageAxes, ImageSize, Tiling, TranslateManifest, UpscaleManifest
from gan_runtime.records import record
from gan_runtime.tiling import Done, Pixels

DOING = {TranslateManifest.task: "translating", UpscaleManifest.task: "upscaling"}
MODES = {1: "L", 3: "RGB"}  # by the number of channels


class Run(Protocol):
    """A function from one picture, uint8 [h, w, c], to bands of another from the top, in tiles of `tile` pixels."""

    def __call__(self, picture: Pixels, tile: int | None, done: Done | None) -> Iterator[Pixels]:
        """Calls `done` after each tile. Raises InputError or DeviceError."""


@record(frozen=True)
class PictureModel:
    """A model, open on a device.

    Attributes:
        task: of the file, as in its manifest.
        doing: what it does to pictures, as in "translating", for messages.
        path, sha256: its file.
        source: the pictures that it takes.
        channels: of those that it gives.
        scale: its results are so many times as high and wide.
        tiling: how it is run in tiles of a side, None for the usual one and 0 for none; None if it takes pictures of
            one size.
        window: the side of its tiles in pixels if none is asked for; None if it takes pictures of one size.
        device, threads: where it runs.
        runs: how many runs there are at a time. Each run on a GPU has it for itself.
        prepared: how the inputs of its training were made, a key of `PREPARATIONS`; "" if they were pictures.
        keeps_grey: grey pictures give grey results and colour pictures colour ones, whatever the model takes.
        run: the model itself, which any number of threads may call at once.
        opened: what it was made of. A model is pickled as this, and opened again.
    """

    task: str
    doing: str
    path: Path
    sha256: str
    source: ImageAxes
    channels: int
    scale: int
    tiling: Callable[[int | None], Tiling | None]
    window: int | None
    device: str
    threads: int
    runs: int
    prepared: str
    keeps_grey: bool
    run: Run
    opened: ImageToImage | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return model_of, (self.opened,)

    @property
    def mode(self) -> str:
        """How pictures are read for it: "L" or "RGB". Raises InputError if it takes other ones."""
        if self.source.channels not in MODES:
            raise InputError(
                f"{self.path}: takes images of {self.source.channels} channels, and pictures are read as grey or "
                "colour; run it in Python with gan_runtime.load"
            )
        return MODES[self.source.channels]

    def exact(self, tile: int | None) -> bool:
        """Whether tiles give what the whole picture gives: the bytes on a CPU, to one grey level elsewhere."""
        tiling = self.tiling(tile)
        return tiling is None or (tiling.context is not None and tiling == self.tiling(0))

    def tiles(self, tile: int | None) -> str:
        """How a picture that is run in tiles differs from one that is run as a whole, in words."""
        if self.exact(tile):
            return "as the whole" if self.device == "cpu" else "as the whole, to one grey level"
        used, network = self.tiling(tile), self.tiling(0)
        assert used
        assert network
        if used.context is not None:
            text = f"which see {used.context} of the {network.context} pixels around them that the network can see"
            return (
                f"{text}, from which they were within one grey level of the whole at export; --tile 0 takes the whole"
            )
        text = f"blended: {used.norm} norm takes its statistics from each tile" if used.norm else "blended"
        if used.tile_psnr is not None:
            text += f"; at export, tiles of {used.tile} pixels were {used.tile_psnr:.1f} dB from the whole"
        return f"{text}; --tile 0 takes the whole"

    def check(self, height: int, width: int) -> None:
        """Raise InputError if the model does not take pictures of this size."""
        if not self.source.takes(ImageSize(height, width, self.source.channels or 0)):
            raise InputError(
                f"{width} x {height} pixels; {self.path} takes {self.source.width} x {self.source.height} alone: "
                "resize it"
            )


def model_of(opened: ImageToImage) -> PictureModel:
    """A translator or upscaler as a model of pictures."""
    manifest = opened.manifest
    return PictureModel(
        task=manifest.task,
        doing=DOING[manifest.task],
        path=opened.model.path,
        sha256=opened.model.sha256,
        source=manifest.source,
        channels=manifest.output.channels or 0,
        scale=opened.scale,
        tiling=opened.tiling,
        window=opened.window,
        device=opened.session.device,
        threads=opened.threads,
        runs=opened.runs,
        prepared=manifest.prepared if isinstance(manifest, TranslateManifest) else "",
        keeps_grey=opened.KEEPS_GREY,
        run=opened.bands,
        opened=opened,
    )
