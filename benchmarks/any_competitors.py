"""Sets of images that differ little from real ones, each in another way, for measures to rank."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gan_trainer.features.distortions import FAMILIES, Distort, Images

N = 1000  # images of every set


def shifted(images: Images, pixels: int) -> Images:
    """Moved to the right and down; what comes in is the edge again."""
    padded = np.pad(images, ((0, 0), (pixels, 0), (pixels, 0), (0, 0)), "edge")
    return padded[:, : images.shape[1], : images.shape[2]]


def thicker(images: Images, share: float) -> Images:
    """Strokes grow by this share of a pixel to each side: a grey dilation, faded in."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), "edge").astype(np.float32)
    h, w = images.shape[1:3]
    largest = np.max([padded[:, y : y + h, x : x + w] for y in range(3) for x in range(3)], axis=0)
    return (images * (1 - share) + largest * share).round().clip(0, 255).astype(np.uint8)


Make = Callable[[Images, NDArray[np.int64], Images, np.random.Generator], Images]


def competitors() -> dict[str, Make]:
    """Sets that differ little from real ones, each in another way, as functions of real images, their classes,
    generated images and chance. They return N images; there have to be several times as many real ones.
    """
    sets: dict[str, Make] = {}
    for share in (0.1, 0.25, 0.5, 1.0):
        sets[f"{share:.0%} generated"] = partial(_mixed, share)
    for count in (1, 2, 4):
        sets[f"{count} classes missing"] = partial(_without, count)
    for share in (0.3, 0.6):
        sets[f"one class in {share:.0%}"] = partial(_unbalanced, share)
    for share in (0.2, 0.05):
        sets[f"{share:.0%} of the images, repeated"] = partial(_repeated, share)
    weak = {"blur": (1.0, 2.0), "noise": (10.0, 25.0), "jpeg": (60.0, 85.0), "elastic": (1.5, 3.0)}
    weak |= {"occlusion": (0.15,), "colour": (0.15,)}
    for name, strengths in weak.items():
        for strength in strengths:
            sets[f"{name} {strength:g}"] = partial(_distorted, FAMILIES[name][0], strength)
    sets |= {"shifted by 1": partial(_shifted, 1), "shifted by 2": partial(_shifted, 2)}
    sets |= {"a little thicker": partial(_thicker, 0.3), "thicker": partial(_thicker, 0.7)}
    return sets


def _mixed(share: float, real: Images, _: NDArray[np.int64], fake: Images, __: np.random.Generator) -> Images:
    count = round(share * N)
    return np.concatenate([fake[:count], real[: N - count]])


def _without(count: int, real: Images, labels: NDArray[np.int64], _: Images, __: np.random.Generator) -> Images:
    return real[labels >= count][:N]


def _unbalanced(share: float, real: Images, labels: NDArray[np.int64], _: Images, __: np.random.Generator) -> Images:
    count = round(share * N)
    return np.concatenate([real[labels == 3][:count], real[labels != 3][: N - count]])


def _repeated(share: float, real: Images, _: NDArray[np.int64], __: Images, ___: np.random.Generator) -> Images:
    return np.resize(real[: round(share * N)], (N, *real.shape[1:]))


def _distorted(
    distort: Distort, strength: float, real: Images, _: NDArray[np.int64], __: Images, rng: np.random.Generator
) -> Images:
    return distort(real[:N], strength, rng)


def _shifted(pixels: int, real: Images, _: NDArray[np.int64], __: Images, ___: np.random.Generator) -> Images:
    return shifted(real[:N], pixels)


def _thicker(share: float, real: Images, _: NDArray[np.int64], __: Images, ___: np.random.Generator) -> Images:
    return thicker(real[:N], share)


def rank_agreement(one: list[float], other: list[float]) -> float:
    """Spearman's correlation of two lists of distances without ties."""
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])
