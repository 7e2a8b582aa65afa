"""gan-eval: measure exported models and collections of images, next to reference values of real images."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gan_runtime import __version__
from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.flags import DataDir, Device, Json, Offline, Quiet, Threads, Version
from gan_runtime.terminal.foreign_flags import with_assumptions
from gan_runtime.terminal.help import DATA
from gan_runtime.terminal.picture_flags import FollowLinks, MaxPixels, OwnBackground, OwnLevels
from gan_runtime.terminal.text import note

if TYPE_CHECKING:
    from gan_runtime.evaluation.features import FeatureNetwork, Measured
    from gan_runtime.evaluation.reference import Reference
    from gan_runtime.evaluation.sources import Source
    from gan_runtime.foreign import Assumptions
    from gan_runtime.images.options import PictureOptions

SHOWN = 16  # samples in each half of --picture


@with_assumptions
def evaluate(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE… DATA",
            help="SOURCE is a .onnx, .npz or .npy file, folder or .zip of images. DATA is the data set to compare to.",
            show_default=False,
        ),
    ],
    n: Annotated[
        int | None,
        typer.Option(
            "--n",
            "-n",
            min=1,
            max=10**7,
            help="Number of images per source.",
            show_default="10000; for a folder as many as are held out, at least 1000",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**64 - 1, help="Seed of the latents.")] = 0,
    truncation: Annotated[
        float | None,
        typer.Option(
            min=-1,
            max=2,
            help="Generators with styles: how far styles are from their mean, as of gan-sample.",
            show_default="as the file says, usually 1",
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            help="Feature network: an .onnx file, or any.",
            show_default="that of the data set, else that of gan-features, else any, the general one",
        ),
    ] = None,
    hold_out: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=0.5,
            help="Folder or .zip: fraction of the images that was held out in training.",
            show_default="as the model says, else 0.1",
            rich_help_panel=DATA,
        ),
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(
            help="Translators: folder or .zip of images to translate; DATA are then images of the target domain. "
            "Upscalers: low resolution of the photos in DATA, under the same names.",
            show_default="those in DATA",
            rich_help_panel=DATA,
        ),
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option(
            help="Translators: folder or .zip with what each of the inputs should become, under the same name.",
            show_default="the pairs in DATA",
            rich_help_panel=DATA,
        ),
    ] = None,
    degradation: Annotated[
        str | None,
        typer.Option(
            help="Upscalers: how low resolution is made of DATA: bicubic, or real, with the random numbers of --seed.",
            show_default="as in the training",
            rich_help_panel=DATA,
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="Write a .png: samples and those closest to a training image, each with its nearest training images. "
            "For points: a scatter plot. Translators: inputs, outputs and truth. Upscalers: the hardest places.",
            show_default=False,
        ),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write a card (Markdown, JSON) next to each source.")] = False,
    size: Annotated[
        int | None,
        typer.Option(
            min=28,
            max=256,
            help="Side length of the images, for feature networks of any size.",
            show_default="that of the generator, data set or array, else 64",
            rich_help_panel=DATA,
        ),
    ] = None,
    background: OwnBackground = None,
    levels: OwnLevels = None,
    max_pixels: MaxPixels = None,
    follow_links: FollowLinks = False,
    data_dir: DataDir = None,
    offline: Offline = False,
    device: Device = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: Json = False,
    version: Version = False,
    *,
    assumptions: "Assumptions | None",
) -> None:
    """Measure the images of exported files with ONNX Runtime: FID, KID, precision, recall, density, coverage, modes.

    Translators are measured on held-out images: L1, PSNR and SSIM where the truth is known, FID, KID, cycle error.
    Upscalers are measured on photos: PSNR and SSIM on luma, and how sharp they are.
    """
    from gan_runtime.data import KNOWN, check_source
    from gan_runtime.data.registry import own_evaluation
    from gan_runtime.data.split import SHARE
    from gan_runtime.errors import InputError
    from gan_runtime.evaluation.image_files import check_options, shared_task
    from gan_runtime.evaluation.reference import FULL, samples_for
    from gan_runtime.evaluation.sources import (
        check_assumptions,
        open_source,
        open_sources,
        recorded_hold_out,
    )
    from gan_runtime.evaluation.table import card_path, table, write_card
    from gan_runtime.evaluation.translators import Asked, evaluate_translators
    from gan_runtime.evaluation.upscalers import PhotosAsked, evaluate_upscalers
    from gan_runtime.files import check_writable

    *named, data = sources
    names = list(dict.fromkeys(named))  # a source that is named twice is measured once
    if not names:
        raise InputError(f"{data}: name the sources and then the data set: gan-eval x.onnx mnist")
    reading: dict[str, Any] = {
        "background": background,
        "levels": levels,
        "max_pixels": max_pixels,
        "follow_links": follow_links or None,
    }
    own = own_evaluation(data)
    if own:
        given = {
            "features": features,
            "size": size,
            "hold_out": hold_out,
            "truncation": truncation,
            **reading,
            "data_dir": data_dir,
            "offline": offline or None,
        }
        own.check_options(data, given, assumptions)
    task = "" if own else shared_task(names)
    check_options(names[0], task, inputs=inputs, truth=truth, degradation=degradation, size=size, truncation=truncation)
    for path in (*([picture] if picture else []), *(card_path(name) for name in names if write)):
        check_writable(path)  # before the measurement, which takes long
    if picture is not None and picture.suffix.lower() != ".png":
        raise InputError(f"{picture}: --picture writes PNG files; end the name in .png")
    if own:
        report = own.evaluate(names, data, n or FULL, seed, device, threads, quiet, picture)
    elif task == "translate":
        asked = Asked(data, inputs, truth, n, features, hold_out, size, device, threads, quiet)
        report = evaluate_translators(names, asked, _pictures(names, reading, quiet), picture)
    elif task == "upscale":
        photos = PhotosAsked(data, inputs, n, seed, features, hold_out, degradation, device, threads, quiet)
        report = evaluate_upscalers(names, photos, _pictures(names, reading, quiet), picture)
    else:
        check_source(data)
        if hold_out is not None and data in KNOWN:
            raise InputError(f"--hold-out: {data} has test images of its own; leave it out")
        share = next((one for one in (hold_out, recorded_hold_out(names)) if one is not None), SHARE)
        n = n or samples_for(data, share)
        network = _open_features(data, features, device, threads, quiet)
        like = _pictures(names, reading, quiet)
        network = _at_size(network, data, size, data_dir, offline, quiet)
        opened, network = open_sources(
            names,
            network,
            lambda name, network: open_source(
                name, data, n, seed, network, device, threads, quiet, like, assumptions, truncation
            ),
        )
        check_assumptions(opened, assumptions)
        report = _measure_images(opened, data, network, data_dir, offline, quiet, picture, like, share)
    for name in names if write else []:
        card = write_card(name, report)
        if not quiet:
            note(f"card: {card}")
    print_result(table(report), report if as_json else None)


def eval_main() -> None:
    """Entry point of gan-eval."""
    run(evaluate, "gan-eval")


def _measure_images(
    opened: "list[Source]",
    data: str,
    network: "FeatureNetwork",
    data_dir: Path | None,
    offline: bool,
    quiet: bool,
    picture: Path | None,
    like: "PictureOptions",
    hold_out: float,
) -> dict[str, Any]:
    from gan_runtime.data.named import how_decoded
    from gan_runtime.evaluation.reference import load_reference
    from gan_runtime.evaluation.scores import check_n, floors, score

    for source in opened:  # before the time that measuring the data set takes
        check_n(source.n, network.dim, source.name)
    reference = load_reference(data, network, data_dir, offline=offline, quiet=quiet, like=like, hold_out=hold_out)
    least = min(source.n for source in opened)
    if any(source.n != least for source in opened) and not quiet:
        note(f"the sources have different numbers of images; the reference values use {least:,} images")
    results: dict[str, Any] = {}
    for source in opened:
        began = time.perf_counter()
        measured, seen = source.measure(network, quiet), source.saw_test_images(reference)
        scores = score(measured, reference, source.labels, seen=seen)
        if picture is not None and source is opened[0]:
            _write_neighbours(picture, source, measured, network, reference)
        if seen and not quiet:
            note(
                f"{source.name}: memorisation is not measured: nothing says that its training left out the test images"
            )
        if scores.memorised:
            note(f"{source.name}: repeats training images: see copied and nearer; --picture shows the closest pairs")
        seconds = round(time.perf_counter() - began, 2)
        results[source.name] = {"n": source.n, **source.about, **scores.to_dict(), "seconds": seconds}
    return {
        "data": reference.facts(),
        "features": {"name": network.name, "path": str(network.model.path), "sha256": network.model.sha256},
        "size": str(network.size),
        **how_decoded([*(source.name for source in opened), data], like),
        "results": results,
        "floors": floors(reference, least),
        "versions": {"gan-edge": __version__},
    }


def _pictures(names: list[str], given: dict[str, Any], quiet: bool) -> "PictureOptions":
    """How image files are decoded: as in the training of the measured models, unless flags override it."""
    from gan_runtime.images.recorded import pictures_for
    from gan_runtime.model_file import read_model_file

    models = [read_model_file(name) for name in names if name.lower().endswith(".onnx")]
    return pictures_for(models, given, (lambda remark: None) if quiet else note)


def _open_features(data: str, features: str | None, device: str, threads: int | None, quiet: bool) -> "FeatureNetwork":
    from gan_runtime.evaluation.features import FeatureNetwork
    from gan_runtime.evaluation.networks import find_features

    path = find_features(data, features, quiet=quiet)
    network = FeatureNetwork.load(path, device, threads)
    if device == "auto" and not quiet:
        note(f"device: {network.session.device}, {network.session.reason}")
    return network


def _at_size(
    network: "FeatureNetwork", data: str, size: int | None, data_dir: Path | None, offline: bool, quiet: bool
) -> "FeatureNetwork":
    """A network of any size for images of --size or, of a known data set, of its size; else unchanged."""
    from gan_runtime.data import KNOWN, load_dataset
    from gan_runtime.errors import InputError
    from gan_runtime.manifest import ImageSize

    if size is not None and (isinstance(network.size, ImageSize) or data in KNOWN):
        kind = data if data in KNOWN else network.model.path
        raise InputError(f"--size: the images of {kind} have one size; leave it out")
    if isinstance(network.size, ImageSize):
        return network
    if data in KNOWN:
        test = load_dataset(data, "test", data_dir, offline=offline, quiet=quiet)
        return network.at(ImageSize(*test.images.shape[1:]))
    return network if size is None else network.at(ImageSize(size, size, 3))


def _write_neighbours(
    path: Path, source: "Source", measured: "Measured", network: "FeatureNetwork", reference: "Reference"
) -> None:
    """Sixteen samples, and the sixteen that are closest to a training image, each next to its nearest ones."""
    import numpy as np

    from gan_runtime.evaluation.nearest import beside_nearest, closest_pairs
    from gan_runtime.images.grids import save_png

    closest = source.at(closest_pairs(measured, reference, SHOWN))
    save_png(path, beside_nearest(np.concatenate([source.first(SHOWN), closest]), network, reference))


if __name__ == "__main__":
    eval_main()
