"""gan-encode: compute the latents of images."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gan_runtime import __version__
from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.flags import DataDir, Device, Json, Offline, Quiet, Threads, Version
from gan_runtime.terminal.picture_flags import FollowLinks, MaxPixels, OwnBackground, OwnLevels
from gan_runtime.terminal.text import note

if TYPE_CHECKING:
    from gan_runtime.encoder import Encoder


def encode(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGES… OUT.npz",
            help="IMAGES are image files, folders, .zip, .npy or .npz files, or a data set. OUT.npz is the output.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="The .onnx of the encoder or of its generator.  [default: the newest encoder in ./exported]",
            show_default=False,
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Split of a data set: train or test.")] = "train",
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
) -> None:
    """Compute the latents of images with the encoder of a BiGAN or VAE, and write them to a .npz file."""
    from gan_runtime.data.named import how_decoded, load_images
    from gan_runtime.images.recorded import pictures_for
    from gan_runtime.onnx_runtime import import_onnxruntime
    from gan_runtime.outputs.encoded import encode_images

    began = time.perf_counter()
    *sources, output = files
    path = _checked(output, sources)
    encoder = _open_encoder(model, device, threads, quiet)
    given = {"background": background, "levels": levels, "max_pixels": max_pixels, "follow_links": follow_links}
    like = pictures_for([encoder.model], given, (lambda remark: None) if quiet else note)
    pictures = load_images(
        sources, encoder.manifest.images, split=split, data_dir=data_dir, offline=offline, quiet=quiet, like=like
    )
    latents = encode_images(encoder, pictures.images, quiet=quiet)
    _write(path, latents, pictures.names, pictures.labels)
    report = {
        "output": output,
        "n": len(latents),
        "latents": {"dim": encoder.latents.dim, "distribution": encoder.latents.distribution},
        "labels": pictures.labels is not None,
        "assumed": list(pictures.remarks),
        **how_decoded(sources, like),
        "model": {"path": str(encoder.model.path), "sha256": encoder.model.sha256},
        "device": encoder.session.device,
        "threads": encoder.threads,
        "versions": {"gan-edge": __version__, "onnxruntime": import_onnxruntime().__version__},
        "seconds": round(time.perf_counter() - began, 3),
    }
    print_result(output, report if as_json else None)


def encode_main() -> None:
    """Entry point of gan-encode."""
    run(encode, "gan-encode")


def _checked(output: str, sources: list[str]) -> Path:
    """The file to write, which is none of the sources. Raises InputError, OutputError if it cannot be written."""
    from gan_runtime.data.named import check_output_is_new
    from gan_runtime.errors import InputError
    from gan_runtime.files import check_writable

    path = Path(output)
    if path.suffix.lower() != ".npz" or not sources:
        raise InputError(f"{output}: name the images and then the .npz file to write: gan-encode a.png b.png out.npz")
    check_output_is_new(sources, output)
    check_writable(path)
    return path


def _open_encoder(model: str | None, device: str, threads: int | None, quiet: bool) -> "Encoder":
    from gan_runtime.commands.find_encoder import find_encoder
    from gan_runtime.encoder import Encoder

    file, remarks = find_encoder(model)
    encoder = Encoder.open(file, device, threads)
    chosen = f"device: {encoder.session.device}, {encoder.session.reason or 'asked for'}"
    for remark in () if quiet else (*remarks, f"encoder: {file.path}", chosen):
        note(remark)
    return encoder


def _write(path: Path, latents: object, names: tuple[str, ...], labels: object) -> None:
    import numpy as np

    from gan_runtime.files import atomic_write

    arrays = {"latents": latents, "names": np.array(names)} | ({} if labels is None else {"labels": labels})
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


if __name__ == "__main__":
    encode_main()
