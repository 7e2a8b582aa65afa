"""gan-eval: measure exported models and collections of images, next to reference values of real images."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.flags import DataDir, Device, Json, Offline, Quiet, Threads, Version
from gan_runtime.terminal.foreign_flags import with_assumptions
from gan_runtime.terminal.help import DATA
from gan_runtime.terminal.picture_flags import FollowLinks, MaxPixels, OwnBackground, OwnLevels
from gan_runtime.terminal.text import note

if TYPE_CHECKING:
    from gan_runtime.foreign import Assumptions
    from gan_runtime.images.options import PictureOptions


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
    from gan_runtime.data.registry import own_evaluation
    from gan_runtime.evaluation.image_files import check_options, shared_task
    from gan_runtime.evaluation.reference import FULL
    from gan_runtime.evaluation.table import card_path, table, write_card
    from gan_runtime.files import check_writable

    *named, data = sources
    names = _distinct(named, data)
    reading: dict[str, Any] = {"background": background, "levels": levels, "max_pixels": max_pixels}
    reading |= {"follow_links": follow_links or None}
    own = own_evaluation(data)
    if own:
        given = {"features": features, "size": size, "hold_out": hold_out, "truncation": truncation, **reading}
        own.check_options(data, given | {"data_dir": data_dir, "offline": offline or None}, assumptions)
    task = "" if own else shared_task(names)
    check_options(names[0], task, inputs=inputs, truth=truth, degradation=degradation, size=size, truncation=truncation)
    for path in (*([picture] if picture else []), *(card_path(name) for name in names if write)):
        check_writable(path)  # before the measurement, which takes long
    _check_picture(picture)
    if own:
        report = own.evaluate(names, data, n or FULL, seed, device, threads, quiet, picture)
    elif task == "translate":
        from gan_runtime.evaluation.translators import Asked, evaluate_translators

        asked = Asked(data, inputs, truth, n, features, hold_out, size, device, threads, quiet)
        report = evaluate_translators(names, asked, _pictures(names, reading, quiet), picture)
    elif task == "upscale":
        from gan_runtime.evaluation.upscalers import PhotosAsked, evaluate_upscalers

        photos = PhotosAsked(data, inputs, n, seed, features, hold_out, degradation, device, threads, quiet)
        report = evaluate_upscalers(names, photos, _pictures(names, reading, quiet), picture)
    else:
        from gan_runtime.commands.evaluate_images import ImagesAsked, evaluate_images

        images = ImagesAsked(data, n, seed, features, hold_out, size, data_dir, offline, device, threads, quiet)
        like = partial(_pictures, names, reading, quiet)
        report = evaluate_images(names, images, truncation, assumptions, like, picture)
    for name in names if write else []:
        card = write_card(name, report)
        if not quiet:
            note(f"card: {card}")
    print_result(table(report), report if as_json else None)


def eval_main() -> None:
    """Entry point of gan-eval."""
    run(evaluate, "gan-eval")


def _distinct(named: list[str], data: str) -> list[str]:
    """The sources without those that are named twice. Raises InputError where there are none."""
    from gan_runtime.errors import InputError

    if not named:
        raise InputError(f"{data}: name the sources and then the data set: gan-eval x.onnx mnist")
    return list(dict.fromkeys(named))


def _check_picture(path: Path | None) -> None:
    from gan_runtime.errors import InputError

    if path is not None and path.suffix.lower() != ".png":
        raise InputError(f"{path}: --picture writes PNG files; end the name in .png")


def _pictures(names: list[str], given: dict[str, Any], quiet: bool) -> "PictureOptions":
    """How image files are decoded: as in the training of the measured models, unless flags override it."""
    from gan_runtime.images.recorded import pictures_for
    from gan_runtime.model_file import read_model_file

    models = [read_model_file(name) for name in names if name.lower().endswith(".onnx")]
    return pictures_for(models, given, (lambda remark: None) if quiet else note)


if __name__ == "__main__":
    eval_main()
