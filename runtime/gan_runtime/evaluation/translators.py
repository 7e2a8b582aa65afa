"""Measure translator files: on the held-out pictures of the data that they were trained on, or on other ones."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime import __version__
from gan_runtime.data import Dataset
from gan_runtime.data.domain_pictures import load_domains
from gan_runtime.data.domain_split import Parts, split_domains
from gan_runtime.data.domains import DIRECTIONS, Domains, PairOptions, domains_of
from gan_runtime.data.layout import place, shapes_differ
from gan_runtime.data.listing import is_pictures
from gan_runtime.data.named import load_pictures_as
from gan_runtime.data.split import MAX_SHARE, SHARE
from gan_runtime.errors import InputError
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.metrics.pixels import Pictures
from gan_runtime.evaluation.networks import find_features
from gan_runtime.evaluation.reference import measure_split
from gan_runtime.evaluation.translation import Target, problems, score_translation, translation_floors, with_channels
from gan_runtime.image_to_image.translator import Translator
from gan_runtime.images.choice import some_in_order
from gan_runtime.images.grids import grid, save_png
from gan_runtime.images.options import CHANNELS, PictureOptions, pictures_as
from gan_runtime.manifest import ImageSize, TranslateManifest, read_manifest
from gan_runtime.model_file import read_model_file
from gan_runtime.terminal.progress import progress
from gan_runtime.terminal.text import note

BATCH = 64  # pictures between two steps of the progress
SHOWN = 12  # columns of --picture
NAMED = 3  # pictures without a truth that a message names


@dataclass(frozen=True)
class Asked:
    """What translators are measured on, and how, as gan-eval's arguments of these names say.

    Args:
        data: a folder or archive with both domains; with `inputs`, one of the target domain.
        inputs: a folder or archive of pictures to translate; None for those in `data`.
        truth: a folder or archive with the picture that each input should become, by the same name; None if that
            follows from `data`, or nobody knows.
    """

    data: str
    inputs: str | None = None
    truth: str | None = None
    n: int | None = None
    features: str | None = None
    hold_out: float | None = None
    size: int | None = None
    device: str = "auto"
    threads: int | None = None
    quiet: bool = False


@dataclass(frozen=True)
class Test:
    """What decides which pictures are translated, and how they are read.

    Args:
        source, size: of inputs and outputs.
        prepared: a key of `PREPARATIONS`, if the training made its inputs; else "".
        direction: one of `DIRECTIONS`.
        paired: whether the training was on pairs.
        share: of the pictures that is held out.
    """

    source: ImageSize
    size: ImageSize
    prepared: str
    direction: str
    paired: bool
    share: float


@dataclass(frozen=True)
class Shown:
    """Pictures to translate, what they should become if that is known, and held-out pictures of the target domain."""

    inputs: Pictures
    truth: Pictures | None
    targets: Pictures


def evaluate_translators(
    names: Sequence[str], asked: Asked, like: PictureOptions, picture: Path | None = None
) -> dict[str, Any]:
    """The report of gan-eval on translator files.

    Args:
        names: files that take the same inputs.
        asked: the data.
        like: how pictures are decoded, except for their size and mode.
        picture: where a PNG is written: inputs, the outputs of each file, and the truth if it is known.

    Raises:
        ModelError, DeviceError: as `Translator.load`.
        DataError, InputError: the data cannot be read, do not fit the files, or nothing is held out.
    """
    for named in filter(None, (asked.data, asked.inputs, asked.truth)):
        if not is_pictures(named):
            raise InputError(f"{named}: translators are measured on a folder or .zip of images; name one that is there")
    translators = {name: Translator.load(name, asked.device, asked.threads, many=True) for name in names}
    test = _test({name: translator.manifest for name, translator in translators.items()}, asked)
    size, share = test.size, test.share
    domains = _domains(test, asked, like)
    if not (asked.quiet or domains.held_out):
        _tell_what_was_seen(translators, asked)
    parts = split_domains(domains, share)
    real = split_domains(domains, share or SHARE)  # without held-out images there would be no floor
    shown = _shown(asked, parts, real, size, like)
    network = _features(domains, size, asked)
    rows = real.train.images
    features = measure_split(domains.target, network, asked.quiet).features[rows]
    target = Target(network, features, shown.targets)
    floors = translation_floors(shown.inputs, target, shown.truth)
    measured = {name: _measure(translator, shown, target, asked.quiet) for name, translator in translators.items()}
    results = {name: result | {"problems": problems(result, floors)} for name, (result, _) in measured.items()}
    for name, result in results.items():
        for problem in result["problems"]:
            note(f"{name}: {problem}")
    if picture is not None:
        outputs = [output for _, output in measured.values()]
        _draw(picture, [shown.inputs, *outputs, *([] if shown.truth is None else [shown.truth])])
    return {
        "data": {"name": domains.name, "digest": domains.digest, "train": len(rows), "test": len(shown.inputs)}
        | ({} if domains.held_out else {"hold_out": share}),
        "features": {"name": network.name, "path": str(network.model.path), "sha256": network.model.sha256},
        "size": str(size),
        "results": results,
        "floors": floors,
        "remark": _remark(domains, len(rows), shown, network),
        "versions": {"gan-edge": __version__},
    }


def _manifest(name: str) -> TranslateManifest | None:
    manifest = read_manifest(read_model_file(name))
    return manifest if isinstance(manifest, TranslateManifest) else None


def _test(manifests: Mapping[str, TranslateManifest], asked: Asked) -> Test:
    """What all files are measured on. What a file does not say is as in the files that do.

    Raises:
        InputError: two files differ, so that the pictures of one are no test of the other.
    """
    facts = {name: _facts(manifest, asked) for name, manifest in manifests.items()}
    agreed: dict[str, Any] = {}
    for fact in next(iter(facts.values())):
        known = {name: found[fact] for name, found in facts.items() if found[fact] is not None}
        first = next(iter(known), "")
        for name, value in known.items():
            if value != known[first]:
                raise InputError(
                    f"{name}: {fact} {value or 'none'}, and {first} {known[first] or 'none'}; measure them separately"
                )
        agreed[fact] = known.get(first)
    otherwise = SHARE if asked.inputs is None else 0.0  # all inputs are translated if no training held out a part
    return Test(
        source=agreed["inputs"],
        size=agreed["outputs"],
        prepared=agreed["--input"] or "",
        direction=agreed["--direction"] or DIRECTIONS[0],
        paired=agreed["learns from"] == "pairs",
        share=otherwise if agreed["--hold-out"] is None else agreed["--hold-out"],
    )


def _facts(manifest: TranslateManifest, asked: Asked) -> dict[str, Any]:
    """What a file says about its training, by the name of the option or field; None where it does not."""
    source, size = _size_of(manifest, asked.size)
    return {
        "inputs": source,
        "outputs": size,
        "--input": manifest.prepared if manifest.prepared or "learns_from" in manifest.training else None,
        "--direction": manifest.training.get("direction"),
        "learns from": manifest.training.get("learns_from"),
        "--hold-out": _recorded_share(manifest) if asked.hold_out is None else asked.hold_out,
    }


def _recorded_share(manifest: TranslateManifest) -> float | None:
    """The share that a training held out; None if the file records none that can be."""
    recorded = manifest.training.get("hold_out")
    return float(recorded) if isinstance(recorded, float | int) and 0 <= recorded <= MAX_SHARE else None


def _size_of(manifest: TranslateManifest, asked: int | None) -> tuple[ImageSize, ImageSize]:
    """The sizes of inputs and outputs: of the file's training pictures, unless one is asked for."""
    source, output = manifest.source, manifest.output
    trained = asked or manifest.pictures.get("size") or PictureOptions.size
    height, width = (side if side is not None else int(trained) for side in (source.height, source.width))
    assert source.channels is not None
    assert output.channels is not None
    if asked and (height, width) != (asked, asked):
        raise InputError(f"--size {asked}: {manifest.name} takes {source}; leave it out")
    return ImageSize(height, width, source.channels), ImageSize(height, width, output.channels)


def _domains(test: Test, asked: Asked, like: PictureOptions) -> Domains:
    if asked.inputs is None:
        mode = next(mode for mode, channels in CHANNELS.items() if channels == test.source.channels)
        made = bool(test.prepared)
        pairs = PairOptions(test.prepared, DIRECTIONS[0] if made else test.direction, "" if made else mode, test.paired)
        return load_domains(Path(asked.data), pictures_as(asked.data, test.size, like), pairs, asked.quiet)
    if _domain(asked.data) + _domain(asked.inputs) == test.direction[0] + test.direction[-1] and not asked.quiet:
        note(f"--inputs {asked.inputs} {asked.data}: the files translate {test.direction}; are the folders exchanged?")
    inputs = load_pictures_as(asked.inputs, test.source, asked.quiet, like)
    targets = load_pictures_as(asked.data, test.size, asked.quiet, like)
    partners = _keys(inputs) == _keys(targets)
    if test.paired and test.share and (test.prepared or not partners):
        why = f"it made its inputs by {test.prepared}" if test.prepared else f"{asked.data} has other names"
        raise InputError(
            f"--inputs {asked.inputs}: which of these the training held out is not known, because {why}; name the data "
            "of the training alone, or translate all with --hold-out 0"
        )
    return domains_of(inputs, targets, test.paired and partners)


def _tell_what_was_seen(translators: Mapping[str, Translator], asked: Asked) -> None:
    for name, translator in translators.items():
        if reason := _may_have_seen(translator.manifest, asked):
            note(f"{name}: may have been trained on pictures that are measured: {reason}")


def _features(domains: Domains, size: ImageSize, asked: Asked) -> FeatureNetwork:
    path = find_features(asked.data, asked.features, quiet=asked.quiet)
    network = FeatureNetwork.load(path, asked.device, asked.threads).at(size)
    network.check_size(size, domains.name)
    return network


def _may_have_seen(manifest: TranslateManifest, asked: Asked) -> str:
    """Why pictures of data without folders for testing may be those of a file's training; "" if they are not."""
    recorded, share = _recorded_share(manifest), asked.hold_out
    if recorded is None and share is None and asked.inputs is None and "learns_from" in manifest.training:
        return f"those for testing that came with its data are not in {asked.data}"
    if recorded is None or share is None or 0 < share <= recorded or (asked.inputs and not share):
        return ""
    return f"it held out a share of {recorded:g}, not of {share:g} (--hold-out)"


def _domain(folder: str) -> str:
    """The domain that the name of a folder says, "A" or "B"; "" if it says none."""
    return place(f"{Path(folder).name}/picture").domain


def _keys(dataset: Dataset) -> list[str]:
    return [place(name).key for name in dataset.names]


def _shown(asked: Asked, parts: Parts, real: Parts, size: ImageSize, like: PictureOptions) -> Shown:
    """The inputs held out in `parts`, or all if none is, and the targets held out in `real`."""
    unseen, rows = parts.unseen, parts.held_out.source
    inputs = rows if len(rows) else np.arange(len(unseen.source.images))
    chosen = inputs[some_in_order(len(inputs), asked.n or len(inputs))]
    if asked.inputs is not None and len(inputs) < len(unseen.source.images) and not asked.quiet:
        note(
            f"{asked.inputs}: {len(inputs):,} of {len(unseen.source.images):,} pictures, those that the training held "
            "out; --hold-out 0 translates all"
        )
    truth: Pictures | None = np.asarray(unseen.images[chosen]) if unseen.paired else None
    if asked.truth is not None:
        truth = _truth(asked, unseen.source, chosen, size, like)
    pictures = np.asarray(unseen.source.images[chosen])
    return Shown(pictures, truth, np.asarray(unseen.images[real.held_out.images]) if truth is None else truth)


def _truth(asked: Asked, source: Dataset, chosen: NDArray[np.int64], size: ImageSize, like: PictureOptions) -> Pictures:
    """The pictures of the folder --truth that have the names of the chosen inputs, and their shapes."""
    assert asked.truth
    found = load_pictures_as(asked.truth, size, asked.quiet, like)
    rows: dict[str, int] = {}
    for row, key in enumerate(_keys(found)):
        if rows.setdefault(key, row) != row:
            both = f"{found.names[rows[key]]} and {found.names[row]}"
            raise InputError(f"--truth {asked.truth}: {both} belong to the same input; remove or rename one of them")
    keys = _keys(source)
    _refuse(asked, "has no picture for", [source.names[row] for row in chosen if keys[row] not in rows])
    partners = np.array([rows[keys[row]] for row in chosen])
    if source.sizes is not None and found.sizes is not None:
        sizes = zip(chosen, source.sizes[chosen].tolist(), found.sizes[partners].tolist(), strict=True)
        misshapen = [source.names[row] for row, one, other in sizes if shapes_differ(one, other)]
        _refuse(asked, "has a picture of another ratio of width and height for", misshapen)
    return np.asarray(found.images[partners])


def _refuse(asked: Asked, why: str, names: Sequence[str]) -> None:
    """Raise InputError for the folder --truth if there are such inputs."""
    if names:
        more = "" if len(names) <= NAMED else f" and {len(names) - NAMED} more"
        raise InputError(f"--truth {asked.truth}: {why} {', '.join(names[:NAMED])}{more}")


def _measure(translator: Translator, shown: Shown, target: Target, quiet: bool) -> tuple[dict[str, Any], Pictures]:
    """The column of a translator in the report, and its outputs."""
    began = time.perf_counter()
    outputs = _translated(translator, shown.inputs, quiet)
    inverse = _inverse(translator, quiet)
    returned = None if inverse is None else _translated(inverse, outputs, quiet)
    scores = score_translation(outputs, shown.inputs, target, shown.truth, returned)
    about = {"sha256": translator.model.sha256, "device": translator.session.device}
    seconds = round(time.perf_counter() - began, 2)
    return {"n": len(outputs), **about, **scores.to_dict(), "seconds": seconds}, outputs


def _translated(translator: Translator, pictures: Pictures, quiet: bool) -> Pictures:
    parts = []
    with progress(f"translating with {translator.model.path}", len(pictures), "images", quiet=quiet) as advance:
        for first in range(0, len(pictures), BATCH):
            parts.append(translator(pictures[first : first + BATCH]))
            advance(len(parts[-1]))
    return np.concatenate(parts)


def _inverse(translator: Translator, quiet: bool) -> Translator | None:
    """The file of the opposite direction; None if there is none, or another one in its place, which is said."""
    other = translator.manifest.counterpart
    if other is None:
        return None
    path = translator.model.path.with_name(other.file)
    manifest = _manifest(str(path)) if path.is_file() else None
    if manifest is None or manifest.counterpart is None or manifest.counterpart.weights != other.weights:
        if not quiet:
            why = "is of another training" if path.is_file() else "is missing"
            note(f"{path}: {why}; the cycle error of {translator.model.path} is not measured")
        return None
    return Translator.load(path, **translator.place)


def _draw(path: Path, rows: list[Pictures]) -> None:
    channels, chosen = max(row.shape[3] for row in rows), some_in_order(len(rows[0]), SHOWN)
    save_png(path, grid(np.concatenate([with_channels(row[chosen], channels) for row in rows]), len(chosen)))


def _remark(domains: Domains, train: int, shown: Shown, network: FeatureNetwork) -> str:
    """What the numbers below a table compare."""
    pixels = "" if shown.truth is None else "L1, PSNR and SSIM against the truth of each input; "
    return (
        f"{pixels}FID and KID against {train:,} images of {domains.name}; features {network.name}, SHA-256 "
        f"{network.model.sha256[:16]}"
    )
