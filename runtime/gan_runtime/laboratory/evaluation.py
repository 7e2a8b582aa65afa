"""Evaluate generators of points, with scores of real points and of a perfect sampler for comparison."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime import __version__
from gan_runtime.data import load_dataset
from gan_runtime.errors import InputError
from gan_runtime.foreign import Assumptions
from gan_runtime.generator import Generator
from gan_runtime.images.array_files import SUFFIXES, open_arrays, pick
from gan_runtime.images.choice import described, some_in_order
from gan_runtime.images.grids import save_png
from gan_runtime.laboratory.metrics import CEILING, PointScores, point_scores
from gan_runtime.laboratory.points import POINTS
from gan_runtime.laboratory.scatter import scatter
from gan_runtime.outputs.picture import whole
from gan_runtime.outputs.pipeline import batches
from gan_runtime.outputs.sampled import draw

TEST, PERFECT = "test points", "perfect sampler"
Found = tuple[NDArray[np.float32], dict[str, Any]]


def check_options(data: str, given: dict[str, Any], assumptions: Assumptions | None) -> None:
    """Raise InputError for options of gan-eval that have no meaning for points."""
    for name, value in given.items():
        if value is not None:
            raise InputError(
                f"--{name.replace('_', '-')}: {data} has points, which need no features and no files; leave it out"
            )
    if assumptions:
        raise InputError(f"{', '.join(assumptions.given())}: {data} has points; leave it out")


def evaluate(
    sources: list[str],
    data: str,
    n: int,
    seed: int,
    device: str,
    threads: int | None,
    quiet: bool,
    picture: Path | None,
) -> dict[str, Any]:
    """The report of gan-eval on the points of each source; `picture` is where a scatter plot of the first one goes."""
    found = {source: load_points(source, data, n, seed, device, threads, quiet) for source in sources}
    report = point_report(found, data) | {"versions": {"gan-edge": __version__}}
    if picture is not None:
        save_png(picture, scatter(found[sources[0]][0], POINTS[data].extent, POINTS[data]))
    return report


def score_points(points: NDArray[np.float32], data: str) -> PointScores:
    """Score points [n, 2] against `data`, a key of `POINTS`. Raises InputError as `point_scores`."""
    return point_scores(points, POINTS[data].modes, POINTS[data].deviation)


def real_points(data: str, split: str) -> NDArray[np.float32]:
    """The points of a split in the units of the data, float32 [n, 2]."""
    return load_dataset(data, split).images.reshape(-1, 2) * np.float32(POINTS[data].extent)


def load_points(
    source: str, data: str, n: int, seed: int = 0, device: str = "auto", threads: int | None = None, quiet: bool = True
) -> Found:
    """At most n points of a file, float32 [n, 2], and facts about them for the report.

    Args:
        source: a generator of points (.onnx), or an array [n, 2] (.npy, or `points` in a .npz).
        data: the key of `POINTS` to measure them against.
        n, seed: number of points, and seed of a generator.
        device, threads, quiet: as `Generator.load` and gan-eval.

    Raises:
        ModelError, DeviceError: as `Generator.load`.
        InputError: the file has no points, or the generator was trained on another data set.
    """
    if not source.lower().endswith(".onnx"):
        return _load_array(source, n)
    generator = Generator.load(source, device, threads)
    if generator.points is None or generator.points.coordinates != 2:
        raise InputError(f"{source}: draws no points in the plane, and {data} are such; name another data set")
    trained = generator.trained_on
    if trained in POINTS and trained != data:
        raise InputError(f"{source}: was trained on {trained}; measure it against that, not {data}")
    drawn = draw(generator, n, seed)
    with batches(drawn, quiet=quiet) as made:
        points = whole(drawn, made)
    return points, {"sha256": generator.model.sha256, "seed": seed, "device": generator.session.device}


def point_report(found: dict[str, Found], data: str) -> dict[str, Any]:
    """The report of gan-eval on the points of each source."""
    train, test = (load_dataset(data, split) for split in ("train", "test"))
    results = {
        name: {"n": len(points), **about, **vars(score_points(points, data))} for name, (points, about) in found.items()
    }
    least = min(len(points) for points, _ in found.values())
    return {
        "data": {"name": data, "digest": train.digest, "train": len(train.images), "test": len(test.images)},
        "results": results,
        "floors": point_floors(data, least),
    }


def point_floors(data: str, n: int) -> dict[str, dict[str, Any]]:
    """Scores of n real points, or of all if there are fewer, and expected scores of a perfect sampler."""
    real = real_points(data, "test")[:n]
    perfect = PointScores(CEILING, len(POINTS[data].modes), 0.0)
    return {TEST: {"n": len(real), **vars(score_points(real, data))}, PERFECT: {"n": None, **vars(perfect)}}


def _load_array(source: str, n: int) -> Found:
    if Path(source).suffix.lower() not in SUFFIXES:
        raise InputError(f"{source}: no .onnx, .npy or .npz file; name something that holds points")
    with open_arrays(source) as arrays:
        array, assumed = pick(
            arrays, "points", lambda shape: len(shape) == 2 and shape[1] == 2, "points, floats [n, 2]", source
        )
        total = array.shape[0] if array.shape else 0
        if array.dtype.kind != "f" or array.shape[1:] != (2,) or not total:
            raise InputError(f"{source}: {array}; points are floats [n, 2], at least one")
        points = array.read(None if n >= total else some_in_order(total, n))
    with np.errstate(over="ignore"):  # infinite values are refused when they are scored
        return points.astype(np.float32), {"chosen": described(total, n), "assumed": [assumed] if assumed else []}
