"""The sources that gan-eval measures: generators, arrays, and pictures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.data.listing import is_pictures, packed_otherwise
from gan_runtime.data.named import load_pictures_as
from gan_runtime.data.registry import KNOWN, SOURCES
from gan_runtime.data.split import MAX_SHARE
from gan_runtime.errors import InputError
from gan_runtime.evaluation.features import FeatureNetwork, Measured
from gan_runtime.evaluation.reference import Reference
from gan_runtime.foreign import Assumptions
from gan_runtime.generator import Generator
from gan_runtime.images.array_files import SUFFIXES
from gan_runtime.images.arrays import array_size, load_image_array
from gan_runtime.images.choice import described, some_in_order
from gan_runtime.images.options import PictureOptions
from gan_runtime.manifest import METADATA_KEY, ImageSize, read_manifest
from gan_runtime.model_file import read_model_file
from gan_runtime.outputs.pipeline import batches
from gan_runtime.outputs.sampled import draw
from gan_runtime.terminal.progress import progress
from gan_runtime.terminal.text import note

BATCH = 1024
DEFAULT_SIZE = ImageSize(PictureOptions.size, PictureOptions.size, 3)


@dataclass(frozen=True)
class Source:
    """n images to measure, and their labels.

    They are the first n images of a generator, or the `rows` of `images` (None: all).
    """

    name: str
    n: int
    labels: NDArray[np.int64] | None
    about: dict[str, Any]
    generator: Generator | None
    images: NDArray[np.uint8] | None
    seed: int
    rows: NDArray[np.int64] | None = None
    truncation: float | None = None
    """Of the styles of a generator; None for that of the file."""

    @property
    def size(self) -> ImageSize:
        """The size of the images."""
        if self.generator is not None:
            assert isinstance(self.generator.size, ImageSize)
            return self.generator.size
        assert self.images is not None
        return ImageSize(*self.images.shape[1:])

    def measure(self, network: FeatureNetwork, quiet: bool) -> Measured:
        """Generate or read the images in batches and measure them."""
        if self.generator is not None:
            request = draw(self.generator, self.n, self.seed, truncation=self.truncation)
            with batches(request, quiet=quiet) as drawn:
                return network.measure(drawn, self.n)
        with progress(f"measuring {self.name}", self.n, "images", quiet=quiet) as advance:
            return network.measure(self._read(advance), self.n)

    def saw_test_images(self, reference: Reference) -> bool:
        """Whether the test images of a folder may have been among the training images of this generator."""
        if self.generator is None or reference.hold_out is None:
            return False
        manifest = self.generator.manifest
        return manifest is None or manifest.training.get("hold_out") != reference.hold_out

    def first(self, count: int) -> NDArray[np.uint8]:
        """The first images of a generator, or a random choice of other images, uint8 [at most count, h, w, c]."""
        if self.generator is not None:
            return self.generator.sample(min(count, self.n), self.seed, truncation=self.truncation)
        return self._at(some_in_order(self.n, count))

    def at(self, chosen: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The measured images with these indices, uint8 [n, h, w, c]."""
        if self.generator is not None:
            each = (self.generator.sample(1, self.seed, int(index), truncation=self.truncation) for index in chosen)
            return np.concatenate(list(each))
        return self._at(chosen)

    def _read(self, advance: Any) -> Iterator[NDArray[np.uint8]]:
        for first in range(0, self.n, BATCH):
            batch = self._at(np.arange(first, min(first + BATCH, self.n)))
            yield batch
            advance(len(batch))

    def _at(self, chosen: NDArray[np.int64]) -> NDArray[np.uint8]:
        assert self.images is not None
        return np.asarray(self.images[chosen if self.rows is None else self.rows[chosen]])


def open_source(
    source: str,
    data: str,
    n: int,
    seed: int,
    network: FeatureNetwork,
    device: str,
    threads: int | None,
    quiet: bool,
    like: PictureOptions | None = None,
    assumptions: Assumptions | None = None,
    truncation: float | None = None,
) -> Source:
    """Open a generator (.onnx), an array of images (.npy, .npz), or a folder or .zip of pictures.

    `data` is the data set to measure it against. `like` has the options of decoding except for the size; `assumptions`
    are about a generator without a manifest, `truncation` is that of a generator with styles.

    Raises:
        ModelError, DeviceError: as `Generator.load`.
        DataError, InputError: the images cannot be read, or have another size than the feature network takes.
    """
    if _is_generator(source):
        generator = _open_generator(source, device, threads, assumptions, quiet)
        if not isinstance(generator.size, ImageSize):
            raise InputError(
                f"{source}: draws {generator.signature.output_name}, and {data} has images; "
                "name the data that it imitates"
            )
        if truncation is not None:
            generator.inputs.check_styled(f"--truncation {truncation:g}")
        network.check_size(generator.size, source)
        _refuse_other_data(generator, data)
        labels = _labels_of(generator, data, network, n, quiet)
        about = {"sha256": generator.model.sha256, "seed": seed, "device": generator.session.device}
        about |= generator.signature.report() | ({} if truncation is None else {"truncation": truncation})
        return Source(source, n, labels, about, generator, None, seed, truncation=truncation)
    if truncation is not None:
        raise InputError(f"--truncation {truncation:g}: {source} is no generator; measure it separately")
    return _open_images(source, network, n, seed, quiet, like)


def open_sources(
    names: list[str], network: FeatureNetwork, open_one: Callable[[str, FeatureNetwork], Source]
) -> tuple[list[Source], FeatureNetwork]:
    """Open all sources, and the network for images of the size that they have.

    A network of any size is fixed to the images of the first generator, else to those of the first array, else to
    pictures of the default size.

    Args:
        names: the sources.
        network: the feature network.
        open_one: opens a source for a network.
    """
    opened: dict[str, Source] = {}
    for name in sorted(names, key=_without_size):
        if not isinstance(network.size, ImageSize) and not _is_generator(name):
            network = network.at(array_size(name) if _is_array(name) else DEFAULT_SIZE)
        opened[name] = open_one(name, network)
        network = network.at(opened[name].size)
    return [opened[name] for name in names], network


def _is_generator(name: str) -> bool:
    return name.lower().endswith(".onnx")


def _is_array(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES


def _without_size(name: str) -> tuple[bool, bool]:
    """For sorting: generators, arrays, pictures."""
    return not _is_generator(name), not _is_array(name)


def recorded_hold_out(names: list[str]) -> float | None:
    """The share of its data that the first generator among the sources left for tests; None if none says so."""
    for name in filter(_is_generator, names):
        manifest = read_manifest(read_model_file(name))
        share = manifest.training.get("hold_out") if manifest else None
        if isinstance(share, float | int) and 0 <= share <= MAX_SHARE:
            return float(share)
    return None


def check_assumptions(sources: list[Source], assumptions: Assumptions | None) -> None:
    """Raise InputError if there are `assumptions` but no generator without a manifest."""
    if assumptions and not any(source.generator and source.generator.signature.assumed for source in sources):
        raise InputError(f"{', '.join(assumptions.given())}: belongs to an .onnx without a manifest; there is none")


def _open_generator(
    source: str, device: str, threads: int | None, assumptions: Assumptions | None, quiet: bool
) -> Generator:
    """Open a generator; `assumptions` are ignored for a file with a manifest."""
    model = read_model_file(source)
    generator = Generator.open(model, device, threads, None if METADATA_KEY in model.metadata else assumptions)
    if generator.signature.assumed and not quiet:
        note(f"model: {source}, {generator.signature.assumed}")
    return generator


def _refuse_other_data(generator: Generator, data: str) -> None:
    """Raise InputError if the file was trained on another known data set."""
    trained = generator.trained_on
    if trained in KNOWN and data in KNOWN and trained != data:
        raise InputError(f"{generator.model.path}: was trained on {trained}; measure it against that, not {data}")


def _labels_of(
    generator: Generator, data: str, network: FeatureNetwork, n: int, quiet: bool
) -> NDArray[np.int64] | None:
    """The labels of the first n images in the numbering of the network; None if the classes cannot be matched.

    A network of known data numbers the classes as these do.
    """
    classes = network.classes
    if not classes or generator.classes != classes:
        return None
    labels = np.arange(n, dtype=np.int64) % classes
    expected = SOURCES[data].classes if data in SOURCES else network.class_names
    names = generator.class_names
    if not expected or not names:  # the order of a known data set is assumed
        return labels if data in SOURCES else None
    if names == expected:
        return labels
    if set(names) != set(expected):
        if not quiet:
            note(f"{generator.model.path}: its classes are not called as those of {data}; label accuracy is left out")
        return None
    return np.array([expected.index(name) for name in names], np.int64)[labels]


def _open_images(
    source: str, network: FeatureNetwork, n: int, seed: int, quiet: bool, like: PictureOptions | None
) -> Source:
    if _is_array(source):
        found = load_image_array(source, network.fixed_size(source), n)
        for remark in () if quiet else found.remarks:
            note(f"{source}: {remark}")
        about = {"chosen": described(found.total, n), "assumed": list(found.remarks)}
        return Source(source, len(found.images), found.labels, about, None, found.images, seed)
    if not is_pictures(source):
        known = "no .onnx, .npy, .npz or .zip file, and no folder; name a source to measure"
        raise InputError(f"{source}: {packed_otherwise(source) or known}")
    images = load_pictures_as(source, network.fixed_size(source), quiet, like).images
    rows = some_in_order(len(images), n)
    return Source(source, len(rows), None, {"chosen": described(len(images), n)}, None, images, seed, rows)
