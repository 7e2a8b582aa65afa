"""Scores of enlarged pictures: beside the photos that they should be, and their sharpness beside that of photos."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.metrics import frechet_distance_of
from gan_runtime.evaluation.metrics.luminance import OnLuma, gradient, grid_deviation, on_luma
from gan_runtime.evaluation.scores import TEST
from gan_runtime.evaluation.translation import with_channels
from gan_runtime.images.degradations import degrade
from gan_runtime.images.resample import cropped, reduced
from gan_runtime.manifest import ImageSize

BICUBIC = "bicubic"  # beside TEST, real photos, the column to read scores beside; and the usual degradation
GRIDDED = 3.0  # times the grid of the photos: from there on, pictures have a grid, and no scores of sharpness
PATCH = ImageSize(64, 64, 3)  # parts of pictures whose features are compared

Picture = NDArray[np.uint8]  # [h, w, c]


@dataclass(frozen=True)
class Pair:
    """A photo uint8 [h, w, c], and the same in low resolution, uint8 [h / scale, w / scale, c]."""

    low: Picture
    truth: Picture
    name: str = ""


@dataclass(frozen=True)
class UpscalingScores:
    """Scores of enlarged pictures.

    Attributes:
        psnr, ssim: means over the pictures, on luma (`luminance.PROTOCOL`); PSNR in dB.
        grid: mean of `luminance.grid_deviation`, in levels.
        gradient: mean of `luminance.gradient`, as a share of that of the photos.
        patches: Frechet distance of parts of 64 x 64 pixels to the same parts of the photos, in the features of a
            network; None for no more parts than the features have dimensions.

    `gradient` and `patches` are None for pictures with a grid (`GRIDDED`), which they would take for detail.
    """

    psnr: float
    ssim: float
    grid: float
    gradient: float | None = None
    patches: float | None = None

    def to_dict(self) -> dict[str, float]:
        """The scores that apply, for JSON."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, eq=False)
class Looks:
    """What a picture shows without a reference: grid, gradient, and features of its parts, float32 [k, d]."""

    grid: float
    gradient: float
    patches: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Measured:
    """One enlarged picture, measured: beside its photo, and by itself."""

    closeness: OnLuma
    looks: Looks


def pair_of(photo: Picture, scale: int, degradation: str, seed: int = 0, name: str = "") -> Pair:
    """A photo, cropped to multiples of `scale`, and what a key of `DEGRADATIONS` makes of it.

    Random numbers depend on the seed and on the pixels of the photo.
    """
    truth = cropped(photo, scale)
    return Pair(DEGRADATIONS[degradation](truth, scale, seed), truth, name)


def _degraded(truth: Picture, scale: int, seed: int) -> Picture:
    digest = int.from_bytes(hashlib.sha256(truth.tobytes()).digest()[:8], "little")
    random = np.random.Generator(np.random.Philox(key=seed | digest << 64))
    return degrade(truth, (truth.shape[0] // scale, truth.shape[1] // scale), random)


DEGRADATIONS: dict[str, Callable[[Picture, int, int], Picture]] = {
    BICUBIC: lambda truth, scale, seed: reduced(truth, scale),
    "real": _degraded,
}


def looks_of(picture: Picture, scale: int, network: FeatureNetwork | None) -> Looks:
    """Measure a picture without a reference; without a network, it has no patches."""
    parts = patches_of(picture) if network else np.empty((0, *PATCH.shape), np.uint8)
    found = network.measure(iter([parts])).features if network and len(parts) else np.empty((0, 0), np.float32)
    return Looks(grid_deviation(picture, scale), gradient(picture), found)


def patches_of(picture: Picture) -> NDArray[np.uint8]:
    """The parts of a picture that `UpscalingScores.patches` compares, in colour: uint8 [k, 64, 64, 3]."""
    rows, columns = (side // PATCH.height for side in picture.shape[:2])
    whole = with_channels(picture[None, : rows * PATCH.height, : columns * PATCH.width], 3)[0]
    tiles = whole.reshape(rows, PATCH.height, columns, PATCH.width, 3).swapaxes(1, 2)
    return np.asarray(tiles.reshape(-1, *PATCH.shape))


def measure(picture: Picture, truth: Picture, scale: int, network: FeatureNetwork | None) -> Measured:
    """Measure an enlarged picture, uint8 [h, w, c]. It is measured in grey if its photo is grey.

    Raises:
        InputError: as `on_luma`.
    """
    picture = with_channels(picture[None], truth.shape[2])[0]
    return Measured(on_luma(picture, truth, scale), looks_of(picture, scale, network))


def mean_scores(pictures: Sequence[Measured], truths: Sequence[Looks]) -> UpscalingScores:
    """The scores of enlarged pictures beside their photos."""
    looks = [one.looks for one in pictures]
    psnr, ssim = np.mean([one.closeness for one in pictures], axis=0)
    grid = _mean_grid(looks)
    if is_gridded(grid, _mean_grid(truths)):
        return UpscalingScores(float(psnr), float(ssim), grid)
    steep = sum(one.gradient for one in truths)
    share = sum(one.gradient for one in looks) / steep if steep else None
    return UpscalingScores(float(psnr), float(ssim), grid, share, _patch_distance(looks, truths))


def real_scores(truths: Sequence[Looks]) -> dict[str, float]:
    """The scores of photos that have no reference."""
    return {"grid": _mean_grid(truths), "gradient": 1.0}


def is_gridded(grid: float, real: float) -> bool:
    """Whether pictures have a grid that photos, whose grid is `real`, do not have."""
    return grid >= GRIDDED * real and grid > 0


def problems(scores: Mapping[str, Any], floors: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is wrong with enlarged pictures, in words; empty if nothing is.

    Args:
        scores: fields of `UpscalingScores` by name.
        floors: the scores of TEST, real photos, and others.
    """
    real = floors.get(TEST, {}).get("grid")
    if real is None or "grid" not in scores or not is_gridded(scores["grid"], real):
        return []
    return [f"the enlarged pictures have a grid: {scores['grid']:.2f} levels, real ones {real:.2f}"]


def _mean_grid(looks: Sequence[Looks]) -> float:
    return float(np.mean([one.grid for one in looks]))


def _patch_distance(looks: Sequence[Looks], truths: Sequence[Looks]) -> float | None:
    fake, real = (_patches(some) for some in (looks, truths))
    return frechet_distance_of(fake, real) if len(fake) > fake.shape[1] else None


def _patches(looks: Sequence[Looks]) -> NDArray[np.float32]:
    """The features of all parts; pictures that are smaller than a part have none."""
    found = [one.patches for one in looks if len(one.patches)]
    return np.concatenate(found) if found else np.empty((0, 0), np.float32)
