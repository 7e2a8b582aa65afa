"""A file that enlarges in int8, as gan-export makes it: its size, its PSNR beside that of the file, and its speed.

    python benchmarks/upscaling_int8.py x4.onnx DATA --work DIR

DATA is a folder with `super-resolution/train-photos.zip`, of which crops calibrate the ranges of the activations, and
`super-resolution/set14.zip`, which gan-eval measures both files on.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from budget import call
from interleave import Row, interleave, machine, new_parser, publish
from numpy.typing import NDArray

from gan_runtime.data.photos import load_photos
from gan_runtime.evaluation.fingerprint import source_images
from gan_runtime.image_to_image.model import SOURCE
from gan_runtime.image_to_image.upscaler import Upscaler
from gan_runtime.images.choice import some_of
from gan_runtime.images.options import PictureOptions
from gan_runtime.images.resample import reduced
from gan_runtime.manifest import ImageAxes
from gan_runtime.model_file import read_model_file
from gan_trainer.export.precision import INT8, reduced_file

CROPS, SIDE = 24, 64  # that calibrate, and their side in low resolution
SPEED_SIDE = 128
LOST = 0.05  # dB


def main() -> None:
    """Quantise, measure, and print the table."""
    options = _parse()
    work, photos = options.work.resolve(), options.data.resolve() / "super-resolution"
    file, small = options.file.resolve(), work / f"{options.file.stem}-int8.onnx"
    with Upscaler.load(file, "cpu", 1) as upscaler:
        quantise(file, small, crops_of(photos / "train-photos.zip", upscaler.scale))
    report = call(work, "gan-eval", file, small, photos / "set14.zip", "--threads", 1, "--quiet", "--json")
    assert report is not None
    seconds = _seconds({"fp32": file, "int8": small}, options.rounds)
    found = {name: report["results"][str(path)] for name, path in (("fp32", file), ("int8", small))}
    rows = [_row(name, path, found[name], seconds) for name, path in (("fp32", file), ("int8", small))]
    lost = found["fp32"]["psnr"] - found["int8"]["psnr"]
    publish(machine(1), rows, [f"{lost:.3f} dB are lost"] if lost > LOST else [], options)


def quantise(file: Path, output: Path, pictures: list[NDArray[np.uint8]]) -> None:
    """Write `file` in int8, as gan-export does, with ranges of the activations from pictures uint8 [h, w, c]."""
    typical = [{SOURCE: picture[None]} for picture in pictures]
    output.write_bytes(reduced_file(read_model_file(file), INT8, typical).content)


def crops_of(photos: Path, scale: int) -> list[NDArray[np.uint8]]:
    """Squares in low resolution from the middle of some photos."""
    found, side = load_photos(photos, PictureOptions(), quiet=True).images, SIDE * scale
    large = [photo for photo in found if min(photo.shape[:2]) >= side]
    chosen = [large[row] for row in some_of(len(large), CROPS)]
    places = [[(length - side) // 2 for length in photo.shape[:2]] for photo in chosen]
    return [reduced(photo[y : y + side, x : x + side], scale) for photo, (y, x) in zip(chosen, places, strict=True)]


def _seconds(files: dict[str, Path], rounds: int) -> dict[str, float]:
    picture = source_images(ImageAxes(SPEED_SIDE, SPEED_SIDE, 3), 1)
    opened = {name: Upscaler.load(path, "cpu", 1) for name, path in files.items()}
    times = interleave({name: lambda one=one: one(picture, 0) for name, one in opened.items()}, rounds)
    return {name: one.median for name, one in times.items()}


def _row(name: str, file: Path, scores: dict[str, Any], seconds: dict[str, float]) -> Row:
    return {
        "file": name,
        "bytes": f"{file.stat().st_size:,}",
        "PSNR": f"{scores['psnr']:.3f}",
        "SSIM": f"{scores['ssim']:.4f}",
        "ms for 128x128": f"{seconds[name] * 1e3:.0f}",
        "x fp32": f"{seconds['fp32'] / seconds[name]:.2f}",
    }


def _parse() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("file", type=Path, help="an exported file that enlarges")
    parser.add_argument("data", type=Path, help="folder with super-resolution/")
    parser.add_argument("--work", type=Path, required=True, help="folder for the file that is written; must exist")
    parser.add_argument("--rounds", type=int, default=15, help="number of measurements per variant")
    return parser.parse_args()


if __name__ == "__main__":
    main()
