"""Whatever gan-eval can measure: a generator's file, or images from anywhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.datasets import PictureOptions
from gan_runtime.datasets.known import KNOWN
from gan_runtime.errors import InputError
from gan_runtime.features import FeatureNetwork, Measured
from gan_runtime.generator import Generator
from gan_runtime.manifest import ImageSize, Points
from gan_runtime.outputs.work import batches
from gan_runtime.progress import progress
from gan_runtime.reference import DAMAGE, load_pictures_as

BATCH = 1024
ARRAYS = (".npy", ".npz")


@dataclass(frozen=True)
class Candidate:
    """Images to measure: the first `n` of them, batch by batch, and the classes that were asked for."""

    name: str
    n: int
    labels: NDArray[np.int64] | None
    about: dict[str, Any]
    generator: Generator | None
    images: NDArray[np.uint8] | None
    seed: int

    def measure(self, network: FeatureNetwork, quiet: bool) -> Measured:
        """Draw or read the images, and measure them meanwhile."""
        if self.generator is not None:
            with batches(self.generator.draw(self.n, self.seed), quiet=quiet) as drawn:
                return network.measure(drawn)
        with progress(f"measuring {self.name}", self.n, "images", quiet=quiet) as advance:
            return network.measure(self._read(advance))

    def first(self, count: int) -> NDArray[np.uint8]:
        """The first images, uint8 [at most count, h, w, c]."""
        if self.generator is not None:
            return self.generator.sample(min(count, self.n), self.seed)
        assert self.images is not None
        return self.images[: min(count, self.n)]

    def _read(self, advance: Any) -> Iterator[NDArray[np.uint8]]:
        assert self.images is not None
        for first in range(0, self.n, BATCH):
            batch = np.asarray(self.images[first : min(first + BATCH, self.n)])
            yield batch
            advance(len(batch))


def open_candidate(
    source: str,
    data: str,
    n: int,
    seed: int,
    network: FeatureNetwork,
    device: str,
    threads: int | None,
    quiet: bool,
    like: PictureOptions | None = None,
) -> Candidate:
    """A generator (.onnx), an array of images (.npy, .npz), or a folder or .zip of pictures, to be measured as `data`.

    Pictures become images as `like` says, but for their size.

    Raises:
        ModelError, DeviceError: as `Generator.load`.
        DataError, InputError: the images cannot be read, or are not of the size that the features take.
    """
    if source.lower().endswith(".onnx"):
        generator = Generator.load(source, device, threads)
        if isinstance(generator.size, Points):
            raise InputError(f"{source}: draws points, and {data} has images; measure it against what it imitates")
        network.check_size(generator.size, source)
        _refuse_other_data(generator, data)
        known = generator.classes == network.classes  # with others, nobody knows which is which
        labels = np.arange(n, dtype=np.int64) % generator.classes if known else None
        about = {"sha256": generator.model.sha256, "seed": seed, "device": generator.session.device}
        return Candidate(source, n, labels, about, generator, None, seed)
    images, labels = _load_images(source, network, quiet, like)
    if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
        raise InputError(f"{source}: {images.dtype} {list(images.shape)}; images are uint8 [n, h, w, c], at least one")
    network.check_size(ImageSize(*images.shape[1:]), source)
    n = min(n, len(images))
    return Candidate(source, n, None if labels is None else labels[:n], {}, None, images, seed)


def _refuse_other_data(generator: Generator, data: str) -> None:
    """Digits are no bad shoes: a file that says what it draws is measured against that."""
    trained = generator.manifest.training.get("data") if generator.manifest else None
    if trained in KNOWN and data in KNOWN and trained != data:
        raise InputError(f"{generator.model.path}: was trained on {trained}; measure it against that, not {data}")


def _load_images(
    source: str, network: FeatureNetwork, quiet: bool, like: PictureOptions | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    from gan_runtime.datasets.pictures import is_pictures  # noqa: PLC0415

    if Path(source).suffix.lower() in ARRAYS:
        return load_arrays(source)
    if not is_pictures(source):
        raise InputError(f"{source}: no .onnx, .npy, .npz or .zip file, and no folder; name something to measure")
    return load_pictures_as(source, network.size, quiet, like).images, None


def load_arrays(source: str) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    """The images of a .npy, or those of a .npz and its labels. Raises InputError where they cannot be read."""
    try:
        if source.lower().endswith(".npy"):
            return np.load(source, allow_pickle=False, mmap_mode="r"), None
        with Path(source).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return archive["images"], archive.get("labels")
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror or error}") from None
    except (*DAMAGE, AttributeError, TypeError, SyntaxError, TokenError):  # a header is read as Python
        raise InputError(f"{source}: not a .npy of images, nor a .npz with `images` in it") from None
