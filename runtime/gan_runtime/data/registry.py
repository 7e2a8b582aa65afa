"""The data sets known by name: their files, mirrors and licences, or the module that computes them."""

from collections import ChainMap
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from gan_runtime.data.dataset import Dataset
from gan_runtime.records import record


@record(frozen=True)
class IdxFile:
    """A file in LeCun's IDX format. Size in bytes and SHA-256 are those of the uncompressed content."""

    name: str
    size: int
    sha256: str


@record(frozen=True)
class IdxSource:
    """Images and labels of each split as IDX files. Each mirror serves `<mirror><file>.gz`."""

    splits: dict[str, tuple[IdxFile, IdxFile]]
    classes: tuple[str, ...]
    licence: str
    mirrors: tuple[str, ...] = ()


class ComputedSource(Protocol):
    """A data set that is computed, from nothing or from the files of another data set."""

    @property
    def of(self) -> str:
        """The key of `SOURCES` whose files are needed; "" if none are."""

    @property
    def kind(self) -> str:
        """What its samples are: "images", or "points"."""

    @property
    def evaluation(self) -> str:
        """The module that measures generators of such data; "" if a feature network does, as for all images."""

    def load(self, name: str, split: str, data_dir: str | Path | None, offline: bool, quiet: bool) -> Dataset:
        """As `load_dataset`."""

    def counts(self, split: str) -> dict[str, int]:
        """Size of a split by its unit: {"images": 26000}."""

    def facts(self) -> dict[str, Any]:
        """What it is made of, and the number of its modes, for gan-data."""


SOURCES = {
    "mnist": IdxSource(
        splits={
            "train": (
                IdxFile(
                    "train-images-idx3-ubyte",
                    47_040_016,
                    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                ),
                IdxFile(
                    "train-labels-idx1-ubyte",
                    60_008,
                    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                ),
            ),
            "test": (
                IdxFile(
                    "t10k-images-idx3-ubyte",
                    7_840_016,
                    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                ),
                IdxFile(
                    "t10k-labels-idx1-ubyte",
                    10_008,
                    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                ),
            ),
        },
        classes=tuple("0123456789"),
        licence="CC BY-SA 3.0",
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    ),
    "fashion-mnist": IdxSource(
        splits={
            "train": (
                IdxFile(
                    "train-images-idx3-ubyte",
                    47_040_016,
                    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                ),
                IdxFile(
                    "train-labels-idx1-ubyte",
                    60_008,
                    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                ),
            ),
            "test": (
                IdxFile(
                    "t10k-images-idx3-ubyte",
                    7_840_016,
                    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                ),
                IdxFile(
                    "t10k-labels-idx1-ubyte",
                    10_008,
                    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                ),
            ),
        },
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        licence="MIT",
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
    ),
}

COMPUTED = {  # module and table of each `ComputedSource`; the modules are above this one and imported on demand
    "stacked-mnist": "gan_runtime.laboratory.stacked:STACKED",
    "ring8": "gan_runtime.laboratory.points:POINTS",
    "grid25": "gan_runtime.laboratory.points:POINTS",
}

KNOWN: ChainMap[str, Any] = ChainMap(COMPUTED, SOURCES)  # every name


def find_computed(name: str) -> ComputedSource | None:
    """The computed data set of this name; None for any other name."""
    if name not in COMPUTED:
        return None
    module, table = COMPUTED[name].split(":")
    source: ComputedSource = getattr(import_module(module), table)[name]
    return source


def kind_of(name: str) -> str:
    """What the samples of a data set are: as `ComputedSource.kind`; "images" for files, folders and archives."""
    computed = find_computed(name)
    return computed.kind if computed else "images"


def files_needed(name: str) -> str:
    """The key of `SOURCES` whose files a key of `KNOWN` needs; "" if it needs none."""
    computed = find_computed(name)
    return computed.of if computed else name


def own_evaluation(name: str) -> Any:
    """The module that measures generators of this data, with `check_options` and `evaluate`; None for images."""
    computed = find_computed(name)
    return import_module(computed.evaluation) if computed and computed.evaluation else None
