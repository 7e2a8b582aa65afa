"""The data sets that are known by name: their files, where they can be had, and on which terms; or what makes them."""

import math
from collections import ChainMap
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class IdxFile:
    """A file of LeCun's IDX format; size in bytes and digest are those of its uncompressed content."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class IdxSource:
    """Images and labels of each split as IDX files; each mirror has `<file>.gz` under its address."""

    splits: dict[str, tuple[IdxFile, IdxFile]]
    classes: tuple[str, ...]
    licence: str
    mirrors: tuple[str, ...] = ()


@dataclass(frozen=True)
class StackedSource:
    """Images in colour, each channel a grey image of the data set `of`, drawn at random; how many in each split."""

    of: str
    images: dict[str, int]


@dataclass(frozen=True)
class PointsSource:
    """Points in the plane, as many of each Gaussian around one of the `modes`; how many in each split.

    `extent` is what no coordinate reaches: networks see points divided by it, pictures show a square of twice its side.
    """

    modes: tuple[tuple[float, float], ...]
    deviation: float
    extent: float
    points: dict[str, int]


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

# 128,000 training images as Lin et al. 2018, "PacGAN", section 4; 26,000 are what it and Srivastava et al. 2017,
# "VEEGAN", section 4, count modes among
STACKED = {"stacked-mnist": StackedSource("mnist", {"train": 128_000, "test": 26_000})}

# Srivastava et al. 2017, "VEEGAN", section 4.1, and Lin et al. 2018, "PacGAN", section 4.1. Metz et al. 2017 have the
# ring twice as large as those, and its deviation, too: the same task.
_DIAGONAL, _STEPS = math.sqrt(2.0), (-4.0, -2.0, 0.0, 2.0, 4.0)
_RING = ((2.0, 0.0), (_DIAGONAL, _DIAGONAL), (0.0, 2.0), (-_DIAGONAL, _DIAGONAL))
_POINTS = {"train": 100_000, "test": 100_000}
POINTS = {
    "ring8": PointsSource((*_RING, *((-x, -y) for x, y in _RING)), 0.02, 2.5, _POINTS),
    "grid25": PointsSource(tuple((x, y) for x in _STEPS for y in _STEPS), 0.05, 5.0, _POINTS),
}

# every name: files that are found, what is made of them, and what is made of nothing
KNOWN: ChainMap[str, Any] = ChainMap(POINTS, STACKED, SOURCES)
