"""Translator: uint8 images in, uint8 images of the same size out."""

from dataclasses import dataclass

from gan_runtime.image_to_image.model import ImageToImage, Picture
from gan_runtime.manifest import TranslateManifest
from gan_runtime.model_file import ModelFile
from gan_runtime.signature import manifest_as
from gan_runtime.tiling import Done


@dataclass(frozen=True, eq=False, repr=False)
class Translator(ImageToImage):
    """A translator file, open on a device.

    >>> from gan_runtime import Translator
    >>> with Translator.load("sketch.onnx") as translator:
    ...     images = translator(sketches)  # uint8 [n, h, w, 1] -> uint8 [n, h, w, 3]
    """

    manifest: TranslateManifest

    @classmethod
    def manifest_of(cls, model: ModelFile) -> TranslateManifest:
        """The manifest of a translator. Raises ModelError where `model` is none, or contradicts its manifest."""
        return manifest_as(model, TranslateManifest)

    def translate(self, picture: Picture, tile: int | None = None, done: Done | None = None) -> Picture:
        """Translate one picture of any size: `run_picture` by the name of the task."""
        return self.run_picture(picture, tile, done)
