"""gan-eval on files that give images, and on images: measured in the features of a network, beside real images."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gan_runtime import __version__
from gan_runtime.data import KNOWN, check_source, load_dataset
from gan_runtime.data.named import how_decoded
from gan_runtime.data.split import SHARE
from gan_runtime.errors import InputError
from gan_runtime.evaluation.features import FeatureNetwork, Measured
from gan_runtime.evaluation.nearest import beside_nearest, closest_pairs
from gan_runtime.evaluation.networks import find_features
from gan_runtime.evaluation.reference import Reference, load_reference, samples_for
from gan_runtime.evaluation.scores import check_n, floors, score
from gan_runtime.evaluation.sources import Source, check_assumptions, open_source, open_sources, recorded_hold_out
from gan_runtime.foreign import Assumptions
from gan_runtime.images.grids import save_png
from gan_runtime.images.options import PictureOptions
from gan_runtime.manifest import ImageSize
from gan_runtime.terminal.text import note

SHOWN = 16  # samples in each half of --picture


@dataclass(frozen=True)
class ImagesAsked:
    """What is measured, and how; options of gan-eval by their names."""

    data: str
    n: int | None
    seed: int
    features: str | None
    hold_out: float | None
    size: int | None
    data_dir: Path | None
    offline: bool
    device: str
    threads: int | None
    quiet: bool


def evaluate_images(
    names: list[str],
    asked: ImagesAsked,
    truncation: float | None,
    assumptions: Assumptions | None,
    reading: Callable[[], PictureOptions],
    picture: Path | None,
) -> dict[str, Any]:
    """The report on the sources called `names`; `reading` says how image files are decoded.

    Raises:
        GanEdgeError: a source or the data cannot be measured, or an option has no effect on them.
    """
    check_source(asked.data)
    if asked.hold_out is not None and asked.data in KNOWN:
        raise InputError(f"--hold-out: {asked.data} has test images of its own; leave it out")
    share = next((one for one in (asked.hold_out, recorded_hold_out(names)) if one is not None), SHARE)
    n = asked.n or samples_for(asked.data, share)
    network = _open_features(asked)
    like = reading()
    network = _at_size(network, asked)
    opened, network = open_sources(
        names,
        network,
        lambda name, network: open_source(
            name, asked.data, n, asked.seed, network, asked.device, asked.threads, asked.quiet, like, assumptions,
            truncation,
        ),
    )  # fmt: skip
    check_assumptions(opened, assumptions)
    return _measure(opened, network, asked, picture, like, share)


def _measure(
    opened: list[Source],
    network: FeatureNetwork,
    asked: ImagesAsked,
    picture: Path | None,
    like: PictureOptions,
    hold_out: float,
) -> dict[str, Any]:
    for source in opened:  # before the time that measuring the data set takes
        check_n(source.n, network.dim, source.name)
    reference = load_reference(
        asked.data, network, asked.data_dir, offline=asked.offline, quiet=asked.quiet, like=like, hold_out=hold_out
    )
    least = min(source.n for source in opened)
    if any(source.n != least for source in opened) and not asked.quiet:
        note(f"the sources have different numbers of images; the reference values use {least:,} images")
    shown = {opened[0].name: picture}
    return {
        "data": reference.facts(),
        "features": {"name": network.name, "path": str(network.model.path), "sha256": network.model.sha256},
        "size": str(network.size),
        **how_decoded([*(source.name for source in opened), asked.data], like),
        "results": {one.name: _result(one, network, reference, shown.get(one.name), asked.quiet) for one in opened},
        "floors": floors(reference, least),
        "versions": {"gan-edge": __version__},
    }


def _result(
    source: Source, network: FeatureNetwork, reference: Reference, picture: Path | None, quiet: bool
) -> dict[str, Any]:
    """The numbers of one source; those of its images that are closest to training images are drawn to `picture`."""
    began = time.perf_counter()
    measured, seen = source.measure(network, quiet), source.saw_test_images(reference)
    scores = score(measured, reference, source.labels, seen=seen)
    if picture is not None:
        _write_neighbours(picture, source, measured, network, reference)
    if seen and not quiet:
        note(f"{source.name}: memorisation is not measured: nothing says that its training left out the test images")
    if scores.memorised:
        note(f"{source.name}: repeats training images: see copied and nearer; --picture shows the closest pairs")
    return {"n": source.n, **source.about, **scores.to_dict(), "seconds": round(time.perf_counter() - began, 2)}


def _open_features(asked: ImagesAsked) -> FeatureNetwork:
    network = FeatureNetwork.load(
        find_features(asked.data, asked.features, quiet=asked.quiet), asked.device, asked.threads
    )
    if asked.device == "auto" and not asked.quiet:
        note(f"device: {network.session.device}, {network.session.reason}")
    return network


def _at_size(network: FeatureNetwork, asked: ImagesAsked) -> FeatureNetwork:
    """A network of any size for images of --size or, of a known data set, of its size; else unchanged."""
    data, size = asked.data, asked.size
    if size is not None and (isinstance(network.size, ImageSize) or data in KNOWN):
        kind = data if data in KNOWN else network.model.path
        raise InputError(f"--size: the images of {kind} have one size; leave it out")
    if isinstance(network.size, ImageSize):
        return network
    if data in KNOWN:
        test = load_dataset(data, "test", asked.data_dir, offline=asked.offline, quiet=asked.quiet)
        return network.at(ImageSize(*test.images.shape[1:]))
    return network if size is None else network.at(ImageSize(size, size, 3))


def _write_neighbours(
    path: Path, source: Source, measured: Measured, network: FeatureNetwork, reference: Reference
) -> None:
    """Sixteen samples, and the sixteen that are closest to a training image, each next to its nearest ones."""
    closest = source.at(closest_pairs(measured, reference, SHOWN))
    save_png(path, beside_nearest(np.concatenate([source.first(SHOWN), closest]), network, reference))
