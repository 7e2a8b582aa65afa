"""Measure upscaler files on photos: those that their training held out, or other ones."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gan_runtime import __version__
from gan_runtime.data.photos import Photos
from gan_runtime.data.split import MAX_SHARE
from gan_runtime.errors import InputError
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.hardest import SIDE, Hardest
from gan_runtime.evaluation.metrics.luminance import PROTOCOL
from gan_runtime.evaluation.networks import ANY, find_features
from gan_runtime.evaluation.scores import TEST
from gan_runtime.evaluation.translation import with_channels
from gan_runtime.evaluation.upscaler_photos import Chosen, choose, choose_pairs
from gan_runtime.evaluation.upscaling import (
    BICUBIC,
    DEGRADATIONS,
    PATCH,
    Looks,
    Measured,
    Pair,
    Picture,
    looks_of,
    mean_scores,
    measure,
    problems,
    real_scores,
)
from gan_runtime.image_to_image.upscaler import Upscaler
from gan_runtime.images.grids import save_png
from gan_runtime.images.options import CHANNELS, PictureOptions
from gan_runtime.images.resample import enlarged
from gan_runtime.terminal.progress import progress
from gan_runtime.terminal.text import note

MODES = {channels: mode for mode, channels in CHANNELS.items()}
Upscalers = Mapping[str, Upscaler]


@dataclass(frozen=True)
class PhotosAsked:
    """What upscalers are measured on, and how, as gan-eval's arguments of these names say.

    Args:
        data: a folder or archive of photos.
        inputs: a folder or archive with their low resolution; None if it is made of them.
        degradation: how it is made, a key of `DEGRADATIONS`; None: as in the training of the files.
    """

    data: str
    inputs: str | None = None
    n: int | None = None
    seed: int = 0
    features: str | None = None
    hold_out: float | None = None
    degradation: str | None = None
    device: str = "auto"
    threads: int | None = None
    quiet: bool = False


@dataclass
class Found:
    """The measures of the enlarged photos by what enlarged them, of the photos, and the seconds of each file."""

    truths: list[Looks] = field(default_factory=list)
    pictures: dict[str, list[Measured]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)


def evaluate_upscalers(
    names: Sequence[str], asked: PhotosAsked, like: PictureOptions, picture: Path | None = None
) -> dict[str, Any]:
    """The report of gan-eval on upscaler files.

    Args:
        names: files of one scale.
        asked: the data.
        like: how pictures are decoded, except for their mode.
        picture: where a PNG is written: the hardest places, by bicubic interpolation, each file, and in the photos.

    Raises:
        ModelError, DeviceError: as `Upscaler.load`.
        DataError, InputError: the data cannot be read, do not fit the files, or nothing is held out.
    """
    upscalers = {name: Upscaler.load(name, asked.device, asked.threads) for name in names}
    scale, channels = _shared(upscalers)
    degradation = "" if asked.inputs else _degradation(upscalers, asked.degradation)
    _check(asked)
    chosen = _choose(upscalers, asked, replace(like, mode=MODES[channels]), scale, degradation)
    if chosen.left_out and not asked.quiet:
        note(f"{asked.data}: left out, smaller than the measures need: {', '.join(chosen.left_out)}")
    path = find_features(asked.data, asked.features or ANY)  # the same for all photos unless the user names others
    network = FeatureNetwork.load(path, asked.device, asked.threads).at(PATCH)
    network.check_size(PATCH, "patches")
    hardest = Hardest(min(SIDE, chosen.least_side // scale * scale))
    found = _measure_all(upscalers, chosen, scale, network, hardest, asked.quiet)
    if picture is not None:
        save_png(picture, hardest.picture())
    return _report(upscalers, asked, chosen, degradation, network, found)


def _shared(upscalers: Upscalers) -> tuple[int, int]:
    """The scale and the channels of all files. Raises InputError where they differ."""
    known = {name: (one.scale, one.manifest.source.channels or 0) for name, one in upscalers.items()}
    first, *others = known
    for other in others:
        if known[other] != known[first]:
            (scale, channels), (factor, planes) = known[first], known[other]
            modes = f"for {MODES[planes]}, {first} for {MODES[channels]}"
            what = modes if factor == scale else f"x{factor}, {first} x{scale}"
            raise InputError(f"{other} is {what}; measure them separately")
    return known[first]


def _check(asked: PhotosAsked) -> None:
    for name, value in {"hold-out": asked.hold_out, "degradation": asked.degradation}.items():
        if asked.inputs is not None and value is not None:
            raise InputError(f"--{name} {value}: all pairs of --inputs are measured as they are; leave it out")


def _degradation(upscalers: Upscalers, asked: str | None) -> str:
    """How low resolution is made: as asked for, or as in the training of all files."""
    if asked is not None and asked not in DEGRADATIONS:
        raise InputError(f"--degradation {asked}: unknown; choose one of {', '.join(DEGRADATIONS)}")
    trained = {name: one.manifest.training.get("degradation") for name, one in upscalers.items()}
    known = {name: made if made in DEGRADATIONS else BICUBIC for name, made in trained.items()}
    first, *others = known
    for other in others:
        if asked is None and known[other] != known[first]:
            raise InputError(
                f"{other} was trained with --degradation {known[other]}, {first} with {known[first]}; give the one to "
                "measure with"
            )
    return asked or known[first]


def _choose(upscalers: Upscalers, asked: PhotosAsked, options: PictureOptions, scale: int, degradation: str) -> Chosen:
    if asked.inputs is not None:
        return choose_pairs(asked.inputs, asked.data, options, scale, asked.n, asked.quiet)

    def share_of(photos: Photos) -> tuple[float, str]:
        return _share(upscalers, asked, photos)

    return choose(asked.data, options, scale, degradation, asked.seed, asked.n, share_of, asked.quiet)


def _share(upscalers: Upscalers, asked: PhotosAsked, photos: Photos) -> tuple[float, str]:
    """The share of the photos that is held out, and what is measured: by --hold-out, or by the training on them."""
    if asked.hold_out is not None:
        return asked.hold_out, "those that --hold-out selects" if asked.hold_out else "all"
    trained = {
        name: one.manifest.training.get("hold_out")
        for name, one in upscalers.items()
        if one.manifest.training.get("digest") == photos.digest
    }
    shares = {share for share in trained.values() if isinstance(share, float | int) and 0 <= share <= MAX_SHARE}
    if len(shares) > 1:
        raise InputError(
            f"{asked.data}: {', '.join(trained)} held out different shares of it in training; give --hold-out"
        )
    if not shares:
        return 0.0, "all"
    share = float(shares.pop())
    words = "those that the training held out" if share else "all, and the training held out none of them"
    return share, words


def _measure_all(
    upscalers: Upscalers, chosen: Chosen, scale: int, network: FeatureNetwork, hardest: Hardest, quiet: bool
) -> Found:
    found = Found(pictures={name: [] for name in (*upscalers, BICUBIC)}, seconds=dict.fromkeys(upscalers, 0.0))
    with progress("enlarging photos", len(chosen.rows), "images", quiet=quiet) as advance:
        for pair in chosen.pairs():
            outputs = {name: _enlarge(upscaler, name, pair, found) for name, upscaler in upscalers.items()}
            plain = enlarged(pair.low, scale)
            found.names.append(pair.name)
            found.truths.append(looks_of(pair.truth, scale, network))
            for name, output in (outputs | {BICUBIC: plain}).items():
                found.pictures[name].append(measure(output, pair.truth, scale, network))
            hardest.add(plain, [*outputs.values()], pair.truth)
            advance(1)
    return found


def _enlarge(upscaler: Upscaler, name: str, pair: Pair, found: Found) -> Picture:
    began = time.perf_counter()
    output: Picture = upscaler.upscale(with_channels(pair.low[None], upscaler.manifest.source.channels or 3)[0])
    found.seconds[name] += time.perf_counter() - began
    return output


def _report(
    upscalers: Upscalers, asked: PhotosAsked, chosen: Chosen, degradation: str, network: FeatureNetwork, found: Found
) -> dict[str, Any]:
    scores = {name: mean_scores(pictures, found.truths).to_dict() for name, pictures in found.pictures.items()}
    n = {"n": len(found.truths)}
    floors = {BICUBIC: n | scores.pop(BICUBIC), TEST: n | real_scores(found.truths)}
    results: dict[str, Any] = {}
    for name, upscaler in upscalers.items():
        about = {"sha256": upscaler.model.sha256, "device": upscaler.session.device}
        results[name] = n | about | scores[name] | {"seconds": round(found.seconds[name], 2)}
        results[name] |= {"problems": problems(scores[name], floors), "photos": _each(found, name)}
        for problem in results[name]["problems"]:
            note(f"{name}: {problem}")
    photos, scale = chosen.photos, next(iter(upscalers.values())).scale
    data = {"name": photos.name, "digest": photos.digest, "photos": len(photos.images), "test": len(found.truths)}
    return {
        "data": data | {"which": chosen.which, "left_out": list(chosen.left_out)},
        "scale": scale,
        "low": degradation or asked.inputs,
        "protocol": PROTOCOL,
        "features": {"name": network.name, "path": str(network.model.path), "sha256": network.model.sha256},
        "results": results,
        "floors": floors,
        "remark": _remark(chosen, scale, degradation or f"from {asked.inputs}", network),
        "versions": {"gan-edge": __version__},
    }


def _each(found: Found, name: str) -> list[dict[str, Any]]:
    """The scores of each photo."""
    return [
        {"name": photo, "psnr": one.closeness.psnr, "ssim": one.closeness.ssim, "grid": one.looks.grid}
        for photo, one in zip(found.names, found.pictures[name], strict=True)
    ]


def _remark(chosen: Chosen, scale: int, low: str, network: FeatureNetwork) -> str:
    """What the numbers below a table compare."""
    photos = f"{len(chosen.rows):,} of {len(chosen.photos.images):,} photos of {chosen.photos.name} ({chosen.which})"
    stored = f", {chosen.grey:,} of them stored in grey" if chosen.grey else ""
    return (
        f"{photos}{stored}; x{scale}, low resolution {low}\nPSNR and SSIM: {PROTOCOL}\n"
        f"FID of patches of {PATCH.height} x {PATCH.width} pixels in features {network.name}, SHA-256 "
        f"{network.model.sha256[:16]}"
    )
