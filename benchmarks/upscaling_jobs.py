"""What becomes of a folder of awkward pictures, and whether a job that is killed twice ends as one that is not.

`awkward`: 30 pictures of unusual kinds and damaged ones are enlarged into a folder of PNGs; a row each says what came
of it. `killed`: a folder of small pictures is enlarged twice: at one go, and by processes of which two are killed with
SIGKILL after a third of the files each. The outputs must be equal, byte for byte; otherwise a target is missed.
The network is one of those of the recipe `sr` with random weights.
"""

import hashlib
import json
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from interleave import Row, machine, new_parser, publish
from PIL import Image, ImageCms
from upscaling_memory import network, photo

UPSCALE = [sys.executable, "-c", "from gan_runtime.commands.upscale import upscale_main; upscale_main()"]
KILLS = 2
ORIENTATION = 274
SIDE = (40, 60)  # height and width of most pictures


def main() -> None:
    """Run the part that is asked for, and print its table."""
    parser = new_parser(__doc__)
    parser.add_argument("part", choices=("awkward", "killed"))
    parser.add_argument("--n", type=int, default=500, help="pictures of the part killed")
    parser.add_argument("--width", type=int, default=32, help="channels of the network")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network(folder / "x.onnx", "compact", options.width, 4)
        rows, missed = awkward(folder) if options.part == "awkward" else killed(folder, options.n)
    publish(machine(), rows, missed, options)


def awkward(folder: Path) -> tuple[list[Row], list[str]]:
    """A row for each picture, and what was missed."""
    pictures = awkward_pictures()
    (folder / "in").mkdir()
    for name, content in pictures.items():
        (folder / "in" / name).write_bytes(content)
    done = subprocess.run(
        [*UPSCALE, "--model", "x.onnx", "in", "out/", "--json"], cwd=folder, capture_output=True, text=True, check=False
    )
    bad = {Path(entry["name"]).name: entry["reason"] for entry in json.loads(done.stdout)["bad"]}
    rows = [{"picture": name, "becomes": bad.get(name) or _shown(folder, name, pictures)} for name in pictures]
    missed = [] if done.returncode == 4 else [f"exit code {done.returncode}, wanted 4"]
    return rows, [*missed, *(f"{row['picture']}: no output" for row in rows if row["becomes"] == "")]


def _shown(folder: Path, name: str, pictures: dict[str, bytes]) -> str:
    """The size and mode of an output. Of two inputs a.gif and a.png, the outputs are a.gif.png and a.png.png."""
    stem = Path(name).stem
    twice = sum(Path(other).stem == stem for other in pictures) > 1
    path = folder / "out" / f"{name if twice else stem}.png"
    if not path.is_file():
        return ""
    with Image.open(path) as image:
        image.load()
        return f"{image.width} x {image.height}, {image.mode}"


def awkward_pictures() -> dict[str, bytes]:
    """The pictures by name; a network of scale 4 makes those that are sound four times as large."""
    rgb = Image.fromarray(photo(*SIDE))
    grey, alpha = rgb.convert("L"), Image.linear_gradient("L").resize(rgb.size)
    rgba = Image.merge("RGBA", (*rgb.split(), alpha))
    frames = [Image.new("RGB", rgb.size, (60 * i, 90, 200)) for i in range(3)]
    turned = Image.Exif()
    turned[ORIENTATION] = 6
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    png, jpeg = _saved(rgb, "png"), _saved(rgb, "jpeg")
    return {
        "01-one-pixel.png": _saved(rgb.crop((0, 0, 1, 1)), "png"),
        "02-one-row.png": _saved(Image.fromarray(photo(1, 300)), "png"),
        "03-one-column.png": _saved(Image.fromarray(photo(300, 1)), "png"),
        "04-wide.png": _saved(Image.fromarray(photo(2, 20_000)), "png"),
        "05-grey.png": _saved(grey, "png"),
        "06-one-bit.png": _saved(grey.convert("1"), "png"),
        "07-grey-16-bits.png": _saved(Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), "png"),
        "08-colour-16-bits.png": _png_of_16_bits(np.asarray(rgb).astype(np.uint16) * 257),
        "09-grey-alpha.png": _saved(Image.merge("LA", (grey, alpha)), "png"),
        "10-colour-alpha.png": _saved(rgba, "png"),
        "11-palette.png": _saved(rgb.quantize(16), "png"),
        "12-palette-transparent.png": _saved(rgb.quantize(16), "png", transparency=3),
        "13-cmyk.jpg": _saved(rgb.convert("CMYK"), "jpeg"),
        "14-cmyk.tif": _saved(rgb.convert("CMYK"), "tiff"),
        "15-lab.tif": _saved(rgb.convert("LAB"), "tiff"),
        "16-wrong-profile.png": _saved(rgb, "png", icc_profile=lab),
        "17-turned.jpg": _saved(rgb, "jpeg", exif=turned),
        "18-progressive.jpg": _saved(rgb, "jpeg", progressive=True),
        "19-animation.gif": _saved(frames[0], "gif", save_all=True, append_images=frames[1:]),
        "20-animation.webp": _saved(frames[0], "webp", save_all=True, append_images=frames[1:]),
        "21-pages.tif": _saved(frames[0], "tiff", save_all=True, append_images=frames[1:]),
        "22-jpeg-named.png": jpeg,
        "23-spaces and ümläuts.bmp": _saved(rgb, "bmp"),
        "24-float.tif": _saved(grey.convert("F"), "tiff"),
        "25-truncated.jpg": jpeg[: len(jpeg) // 2],
        "26-damaged.png": png[:2000] + bytes(20) + png[2020:],
        "27-empty.png": b"",
        "28-text.png": b"no picture",
        "29-no-pixels.png": _header(0, 40),
        "30-bomb.png": _header(60_000, 60_000),
    }


def _saved(image: Any, kind: str, **settings: Any) -> bytes:
    import io

    content = io.BytesIO()
    image.save(content, kind, **settings)
    return content.getvalue()


def _png_of_16_bits(samples: np.ndarray) -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    return _png(samples.shape[1], samples.shape[0], 16, 2, rows)


def _header(width: int, height: int) -> bytes:
    """A PNG with few data, whatever its header says."""
    return _png(width, height, 8, 0, bytes(99))


def _png(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def killed(folder: Path, n: int) -> tuple[list[Row], list[str]]:
    """A row for each process, and what was missed."""
    (folder / "in").mkdir()
    rng = np.random.default_rng(0)
    for number in range(n):
        height, width = rng.integers(20, 100, 2)
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(folder / "in" / f"{number:04d}.png")
    rows = [_process(folder, "whole", lambda files: False, n)]
    for kill in range(1, KILLS + 1):
        rows.append(_process(folder, "killed", lambda files, most=kill * n // (KILLS + 1): files >= most, n))
    rows.append(_process(folder, "killed", lambda files: False, n))
    whole, parts = (digests(folder / name) for name in ("whole", "killed"))
    differences = {name for name in whole.keys() | parts.keys() if whole.get(name) != parts.get(name)}
    missed = [f"{len(differences)} of {n} files differ, {sorted(differences)[:3]}"] if differences else []
    return [{**row, "files that differ": len(differences)} for row in rows], missed


def _process(folder: Path, output: str, enough: Callable[[int], bool], n: int) -> Row:
    """A process that runs to its end, or until `enough` files are there."""
    process = subprocess.Popen([*UPSCALE, "--model", "x.onnx", "in", f"{output}/", "--quiet"], cwd=folder)
    began, before = time.perf_counter(), len(list((folder / output).glob("*.png")))
    while process.poll() is None:
        if enough(len(list((folder / output).glob("*.png")))):
            process.send_signal(signal.SIGKILL)
            process.wait()
        time.sleep(0.01)
    files = len(list((folder / output).glob("*.png")))
    return {
        "output": output,
        "files before": before,
        "files after": f"{files} of {n}",
        "ended by": "SIGKILL" if process.returncode == -signal.SIGKILL else f"code {process.returncode}",
        "s": f"{time.perf_counter() - began:.1f}",
    }


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the pictures of a folder by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.png"))}


if __name__ == "__main__":
    main()
