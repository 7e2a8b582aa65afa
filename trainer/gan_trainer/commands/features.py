"""gan-features: train and export a feature network for gan-eval."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.flags import DataDir, Json, Offline, Quiet, Threads, Version
from gan_runtime.terminal.picture_flags import (
    Background,
    FollowLinks,
    LabelsFrom,
    Levels,
    MaxPixels,
    Mode,
    Size,
    SkipBad,
)
from gan_runtime.terminal.text import note
from gan_trainer.commands.requirements import require

if TYPE_CHECKING:
    from gan_runtime.model_file import ModelFile


def features(
    data: Annotated[
        str | None,
        typer.Argument(
            help="A folder or .zip of images, or mnist, fashion-mnist or stacked-mnist.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write.",
            show_default="for a folder a file in the cache, which gan-train and gan-eval find; "
            "else exported/features/<data>.onnx, or inception.onnx there",
        ),
    ] = None,
    inception: Annotated[
        Path | None,
        typer.Option(
            help="Convert the published weights of Inception, the .pth file of pytorch-fid or torch-fidelity.",
            show_default=False,
        ),
    ] = None,
    resize: Annotated[
        str | None,
        typer.Option(
            help="Tool whose resizing and scaling the file of --inception has: torch-fidelity (as TensorFlow 1), "
            "pytorch-fid or clean-fid (antialiased).",
            show_default="torch-fidelity",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, max=1000, help="Known data set: passes over it.", show_default="those of the data set's recipe"
        ),
    ] = None,
    images: Annotated[
        int | None,
        typer.Option(
            min=64, max=10**8, help="Folder or .zip: number of images seen in training.", show_default="32000"
        ),
    ] = None,
    mirror: Annotated[
        bool | None,
        typer.Option(
            "--mirror/--no-mirror",
            help="Folder or .zip: whether mirrored images count as alike; not for letters and digits.",
            show_default="mirror",
        ),
    ] = None,
    size: Size = None,
    mode: Mode = None,
    background: Background = None,
    levels: Levels = None,
    max_pixels: MaxPixels = None,
    labels: LabelsFrom = None,
    skip_bad: SkipBad = False,
    follow_links: FollowLinks = False,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=2**32 - 1, help="The same seed gives the same network on the same machine.", show_default="0"
        ),
    ] = None,
    threads: Threads = None,
    data_dir: DataDir = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Train the feature network in which gan-eval measures images, on the CPU, and export it.

    On a folder or .zip of images: the general features, trained on these images, and a classifier with --labels
    folders. The report says how they judge distorted images. Known data sets: a classifier.

    With --inception nothing is trained: published weights become a file for comparison with papers.
    """
    require("gan-features")
    from gan_runtime.data.listing import is_pictures
    from gan_runtime.errors import InputError
    from gan_runtime.files import check_writable
    from gan_runtime.laboratory.stacked import STACKED
    from gan_trainer.commands.own_features import table, train_own
    from gan_trainer.features.network import FEATURE_RECIPES

    elsewhere = {"epochs": epochs, "data-dir": data_dir, "offline": offline or None}
    pictures = {"size": size, "mode": mode, "background": background, "levels": levels, "max_pixels": max_pixels}
    pictures |= {"labels": labels, "skip_bad": skip_bad or None, "follow_links": follow_links or None}
    own = {"images": images, "mirror": mirror} | pictures
    training = elsewhere | {"seed": seed, "threads": threads} | own
    shown: str | None = None
    if inception is not None:
        _refuse(training | {"DATA": data}, "nothing is trained with --inception")
        report = _convert(inception, resize or "torch-fidelity", _target(output, "inception"), quiet)
    elif resize is not None:
        raise InputError("--resize: belongs to --inception; the size of a data set's images is known")
    elif data is not None and is_pictures(data) and data not in FEATURE_RECIPES:
        _refuse(elsewhere, f"has no effect on {data}, which is a folder or .zip of images")
        if output is not None:
            check_writable(output)
        report = train_own(data, output, images, mirror is not False, pictures, seed or 0, threads, quiet)
        shown = table(report)
    elif data in STACKED:
        _refuse(training, f"{data} is measured in the features of {STACKED[data].of}")
        report = _compose(data, STACKED[data].of, _target(output, data))
    else:
        _refuse(own, "is for a folder or .zip of images")
        report = _train(_known(data), output, epochs, seed or 0, threads, data_dir, offline, quiet)
    print_result(shown or report["output"], report if as_json else None)


def features_main() -> None:
    """Entry point of gan-features."""
    run(features, "gan-features")


def _known(data: str | None) -> str:
    """A data set that features can be trained on."""
    from gan_runtime.errors import InputError
    from gan_runtime.laboratory.stacked import STACKED
    from gan_trainer.features.network import FEATURE_RECIPES

    known = ", ".join([*FEATURE_RECIPES, *STACKED])
    if data is None:
        raise InputError(
            f"name a folder or .zip of images, a data set ({known}), or --inception with a file of weights"
        )
    if data not in FEATURE_RECIPES:
        raise InputError(f"data set {data!r}: name a folder or .zip of images, or choose one of {known}")
    return data


def _refuse(options: dict[str, Any], reason: str) -> None:
    """Raise InputError if one of `options`, which have no effect, was given."""
    from gan_runtime.errors import InputError

    for name, value in options.items():
        if value is not None:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(f"{name if name.isupper() else flag}: {reason}; leave it out")


def _target(output: Path | None, name: str) -> Path:
    """The file to write, whose folder exists. Raises OutputError if it cannot be written."""
    from gan_runtime.files import check_writable

    path = output or Path("exported") / "features" / f"{name}.onnx"
    if output is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    check_writable(path)
    return path


def _train(
    data: str,
    output: Path | None,
    epochs: int | None,
    seed: int,
    threads: int | None,
    data_dir: Path | None,
    offline: bool,
    quiet: bool,
) -> dict[str, Any]:
    from dataclasses import asdict, replace

    from gan_runtime.data import load_dataset
    from gan_runtime.devices.processors import available_cpus
    from gan_runtime.manifest import ImageSize
    from gan_runtime.terminal.progress import progress
    from gan_trainer.features.export import export_features
    from gan_trainer.features.network import FEATURE_RECIPES, accuracy, train_features
    from gan_trainer.runs.folder import software

    path, recipe = _target(output, data), FEATURE_RECIPES[data]
    recipe = replace(recipe, epochs=epochs or recipe.epochs)
    train, test = (load_dataset(data, split, data_dir, offline=offline, quiet=quiet) for split in ("train", "test"))
    began, total, seen = time.perf_counter(), recipe.epochs * len(train.images), 0
    with progress(f"training features of {data}", total, "images", quiet=quiet) as advance:

        def report(images: int, loss: float, right: float) -> None:
            nonlocal seen
            advance(images - seen)
            seen = images

        network = train_features(train, recipe, seed, threads or available_cpus(), report)
    share = accuracy(network, test)
    seconds = round(time.perf_counter() - began, 1)
    if not quiet:
        note(f"{share:.2%} of the {len(test.images):,} test images are read right, after {seconds:,.0f} s")
    file = export_features(
        network,
        path,
        size=ImageSize(*train.images.shape[1:]),
        class_names=train.classes,
        name=data,
        training={"data": data, "recipe": asdict(recipe), "seconds": seconds, "seed": seed, "software": software()},
        quality=[{"metric": "accuracy", "value": share, "data": data, "split": "test", "n": len(test.images)}],
    )
    return _written(file) | {"accuracy": share, "seconds": seconds}


def _compose(data: str, of: str, path: Path) -> dict[str, Any]:
    """Three times the features that ship for the data set `of`, in one file."""
    from gan_runtime.errors import InputError
    from gan_runtime.models import shipped_features
    from gan_trainer.features.stacked import stack_features

    source = shipped_features(of)
    if source is None:
        raise InputError(f"{data}: is measured in the features of {of}, which are missing; install gan-edge again")
    return _written(stack_features(source, path, data)) | {"parts": str(source)}


def _convert(weights: Path, tool: str, path: Path, quiet: bool) -> dict[str, Any]:
    """The published weights of Inception as a feature network that prepares images as `tool` does."""
    import hashlib

    from gan_runtime.errors import InputError
    from gan_runtime.manifest import ImageAxes
    from gan_trainer.convert.inception import PUBLISHED, ROWS, TOOLS, InceptionFeatures, load_inception
    from gan_trainer.features.export import export_features
    from gan_trainer.runs.folder import software

    if tool not in TOOLS:
        raise InputError(f"--resize {tool!r}: choose one of {', '.join(TOOLS)}")
    network = load_inception(weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    if not quiet:
        if not digest.startswith(PUBLISHED):
            note(f"{weights}: its SHA-256 begins with {digest[:8]}, that of the published file with {PUBLISHED}")
        note("converting, and comparing the file with torch, takes about half a minute")
    file = export_features(
        InceptionFeatures(network, TOOLS[tool]),
        path,
        size=ImageAxes(),
        class_names=(),
        name=f"inception as in {tool}, 2,048 values",
        training={"weights": {"name": weights.name, "sha256": digest}, "resize": tool, "software": software()},
        rows=ROWS,
    )
    return _written(file) | {"resize": tool, "weights": digest}


def _written(file: "ModelFile") -> dict[str, Any]:
    return {"output": str(file.path), "sha256": file.sha256, "bytes": len(file.content)}


if __name__ == "__main__":
    features_main()
