"""Upscaler: uint8 images in, uint8 images `scale` times as high and wide out."""

from dataclasses import dataclass
from typing import ClassVar

from gan_runtime.image_to_image.model import ImageToImage, Picture
from gan_runtime.manifest import Tiling, UpscaleManifest
from gan_runtime.model_file import ModelFile
from gan_runtime.signature import manifest_as
from gan_runtime.tiling import Done, least_window, nearly


@dataclass(frozen=True, eq=False, repr=False)
class Upscaler(ImageToImage):
    """An upscaler file, open on a device.

    >>> from gan_runtime import Upscaler
    >>> with Upscaler.load("x4.onnx") as upscaler:
    ...     large = upscaler.upscale(picture)  # uint8 [h, w, 3] -> uint8 [4 h, 4 w, 3]
    """

    KEEPS_GREY: ClassVar[bool] = True

    manifest: UpscaleManifest

    @classmethod
    def manifest_of(cls, model: ModelFile) -> UpscaleManifest:
        """The manifest of an upscaler. Raises ModelError where `model` is none, or contradicts its manifest."""
        return manifest_as(model, UpscaleManifest)

    @property
    def scale(self) -> int:
        """How many times as high and wide its outputs are."""
        return self.manifest.scale

    def tiling(self, tile: int | None) -> Tiling | None:
        """How a picture is run in tiles: those of a network that sees far are exact if `tile` is large enough."""
        network = self.manifest.network
        if network is None or tile == 0 or (tile is not None and tile >= least_window(network)):
            return network
        return nearly(network)

    def upscale(self, picture: Picture, tile: int | None = None, done: Done | None = None) -> Picture:
        """Enlarge one picture of any size: `run_picture` by the name of the task."""
        return self.run_picture(picture, tile, done)
