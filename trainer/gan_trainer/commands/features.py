"""gan-features: train and export the network in whose features gan-eval measures."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.flags import DataDir, Json, Offline, Quiet, Threads, Version
from gan_runtime.terminal.text import note
from gan_trainer.commands.requirements import require

if TYPE_CHECKING:
    from gan_runtime.model_file import ModelFile


def features(
    data: Annotated[str, typer.Argument(help="Data set: mnist, fashion-mnist or stacked-mnist.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write.", show_default="exported/features/<data>.onnx"),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Passes over the data.", show_default="those of the data set's recipe"),
    ] = None,
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
    """Train the feature network in which gan-eval measures images, and export it.

    It is a classifier of a labelled data set, trained on the CPU. That of stacked-mnist is made of that of mnist.
    """
    require("gan-features")
    from gan_runtime.errors import InputError
    from gan_runtime.files import check_writable
    from gan_runtime.laboratory.stacked import STACKED
    from gan_trainer.features.network import FEATURE_RECIPES

    if data not in (*FEATURE_RECIPES, *STACKED):
        raise InputError(f"data set {data!r}: choose one of {', '.join([*FEATURE_RECIPES, *STACKED])}")
    idle = {"epochs": epochs, "seed": seed, "threads": threads, "data-dir": data_dir, "offline": offline or None}
    for name, value in idle.items():
        if data in STACKED and value is not None:
            raise InputError(f"--{name}: {data} is measured in the features of {STACKED[data].of}; leave it out")
    path = output or Path("exported") / "features" / f"{data}.onnx"
    if output is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    check_writable(path)
    if data in STACKED:
        report = _compose(data, STACKED[data].of, path)
    else:
        report = _train(data, path, epochs, seed or 0, threads, data_dir, offline, quiet)
    print_result(str(path), report if as_json else None)


def features_main() -> None:
    """Entry point of gan-features."""
    run(features, "gan-features")


def _train(
    data: str,
    path: Path,
    epochs: int | None,
    seed: int,
    threads: int | None,
    data_dir: Path | None,
    offline: bool,
    quiet: bool,
) -> dict[str, Any]:
    from dataclasses import asdict, replace

    from gan_runtime.data import load_dataset
    from gan_runtime.manifest import ImageSize
    from gan_runtime.terminal.progress import progress
    from gan_runtime.threads import available_cpus
    from gan_trainer.features.export import export_features
    from gan_trainer.features.network import FEATURE_RECIPES, accuracy, train_features
    from gan_trainer.runs.folder import software

    recipe = FEATURE_RECIPES[data]
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


def _written(file: "ModelFile") -> dict[str, Any]:
    return {"output": str(file.path), "sha256": file.sha256, "bytes": len(file.content)}
