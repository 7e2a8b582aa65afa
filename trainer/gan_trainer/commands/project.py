"""gan-project: find the styles or latents that draw given images. torch is imported when the command runs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.flags import Json, Quiet, Threads, Version
from gan_runtime.terminal.picture_flags import FollowLinks, Force, MaxPixels, OwnBackground, OwnLevels
from gan_runtime.terminal.text import note
from gan_trainer.commands.flags import RUNS_DIR, RunsDir
from gan_trainer.commands.requirements import require

if TYPE_CHECKING:
    from gan_trainer.projection import Projection
    from gan_trainer.projection.generators import Projected


def project(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGES… OUT.npz",
            help="IMAGES are image files, folders, .zip, .npy or .npz files. OUT.npz is the output.",
            show_default=False,
        ),
    ],
    source: Annotated[
        Path,
        typer.Option(
            "--from",
            metavar="RUN or WEIGHTS",
            help="Name or folder of a run; or published weights of StyleGAN2: a .pkl, .pt or .pth file.",
            show_default=False,
        ),
    ],
    space: Annotated[
        str | None,
        typer.Option(
            metavar="w|w+",
            help="Of a generator with styles: one style for all layers of an image (w), or one for each (w+), which "
            "comes nearer to images that the generator would not draw.",
            show_default="w",
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="Name or number of the class of the images, for a generator with classes and without styles.",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=10**6, help="Steps of the search for each image.")] = 500,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the noise in the search.")] = 0,
    strip: Annotated[
        bool,
        typer.Option(
            help="Also write OUT.png, a row for each image: the image, what is drawn on the way, and the result."
        ),
    ] = True,
    background: OwnBackground = None,
    levels: OwnLevels = None,
    max_pixels: MaxPixels = None,
    follow_links: FollowLinks = False,
    force: Force = False,
    runs_dir: RunsDir = RUNS_DIR,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Find what draws given images: the styles of a StyleGAN2, or the latents of another generator, by optimisation.

    OUT.npz has the arrays latents and space, which gan-sample --latents takes, and the PSNR of each image.
    """
    require("gan-project")
    from gan_runtime.data.named import load_images
    from gan_runtime.terminal.progress import progress
    from gan_trainer.projection import project_images
    from gan_trainer.projection.generators import open_generator
    from gan_trainer.training.config import choose_device

    began = time.perf_counter()
    *images, output = files
    path, picture = _outputs(images, output, strip, force)
    generator = open_generator(source, runs_dir)
    device, why = choose_device(device)
    for remark in () if quiet else (f"generator: {generator.origin}", f"device: {device}, {why}"):
        note(remark)
    given = {"background": background, "levels": levels, "max_pixels": max_pixels, "follow_links": follow_links or None}
    like = _reading(generator, given)
    pictures = load_images(images, generator.size, offline=True, quiet=quiet, like=like)
    if picture is not None:
        _check_strip(pictures.images.shape)
    with progress("projecting", len(pictures.images) * steps, "steps", quiet=quiet) as advance:
        done = project_images(generator, pictures.images, space, label, steps, seed, device, threads, advance)
    _write(path, picture, done, pictures.names)
    if not quiet:
        _remark(done, pictures.names, source)
    report = {
        "output": output, "strip": None if picture is None else str(picture), "n": len(done.images),
        "space": done.space, "label": done.label, "steps": steps, "seed": seed,
        "psnr": dict(zip(pictures.names, [round(value, 3) for value in done.psnr.tolist()], strict=True)),
        "generator": generator.origin, "device": device, "seconds": round(time.perf_counter() - began, 3),
    }  # fmt: skip
    print_result(output, report if as_json else None)


def project_main() -> None:
    """Entry point of gan-project."""
    run(project, "gan-project")


def _outputs(images: list[str], output: str, strip: bool, force: bool) -> tuple[Path, Path | None]:
    """The files to write, which are none of the images. Raises InputError, OutputError if they cannot be written."""
    from gan_runtime.data.named import check_output_is_new
    from gan_runtime.errors import InputError, OutputError
    from gan_runtime.files import check_writable

    path = Path(output)
    if path.suffix.lower() != ".npz" or not images:
        raise InputError(f"{output}: name the images and then the .npz file to write: gan-project a.png b.png out.npz")
    picture = path.with_suffix(".png") if strip else None
    for written in (path, picture):
        if written is not None:
            check_output_is_new(images, str(written))
            check_writable(written)
            if written.exists() and not force:
                raise OutputError(f"{written}: exists already; name another file, or add --force to overwrite it")
    return path, picture


def _reading(generator: "Projected", given: dict[str, Any]) -> Any:
    """How pictures are decoded: as those that the generator learnt from, but for what is given."""
    from dataclasses import replace

    from gan_runtime.images.options import PictureOptions

    usual = generator.pictures or PictureOptions()
    return replace(usual, **{name: value for name, value in given.items() if value is not None})


def _check_strip(shape: tuple[int, ...]) -> None:
    from gan_runtime.errors import InputError
    from gan_runtime.images.grids import MAX_PIXELS
    from gan_trainer.projection import SHOWN

    n, height, width, _ = shape
    if n * height * width * (len(SHOWN) + 2) > MAX_PIXELS:
        raise InputError(f"--strip: the picture for {n:,} images would be too large; add --no-strip")


def _write(path: Path, picture: Path | None, done: "Projection", names: tuple[str, ...]) -> None:
    import numpy as np

    from gan_runtime.files import atomic_write
    from gan_runtime.images.grids import grid, save_png

    arrays = {"latents": done.latents, "space": np.array(done.space), "psnr": done.psnr, "names": np.array(names)}
    if done.label is not None:
        arrays["labels"] = np.full(len(done.latents), done.label)
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    if picture is not None:
        columns = done.trail.shape[1]
        save_png(picture, grid(done.trail.reshape(-1, *done.trail.shape[2:]), columns))


def _remark(done: "Projection", names: tuple[str, ...], source: Path) -> None:
    for name, value in zip(names, done.psnr, strict=True):
        note(f"{name}: PSNR {value:.1f} dB")
    parts = "styles need x-synthesis.onnx beside x.onnx: " if done.space == "w" else ""
    flag = " --parts" if done.space == "w" else ""
    note(f"gan-sample --latents draws them with the exported file; {parts}gan-export {source}{flag}")


if __name__ == "__main__":
    project_main()
