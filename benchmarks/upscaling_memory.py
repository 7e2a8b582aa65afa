"""Peak memory and time of `gan-upscale`, by the size of the picture and of the tiles.

Each row is a process of its own: its largest resident memory, the seconds on the clock and on the processors. The
pictures are noisy photos as JPEG. The network has random weights: `--network`, `--width` and `--blocks` are as in the
recipe `sr`, of scale 4. The bytes of the outputs of one picture must be equal for all tiles; otherwise a target is
missed.
"""

import hashlib
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from interleave import Row, machine, new_parser, publish
from PIL import Image
from processes import measured_process

from gan_trainer.export.upscaler import upscaler_file
from gan_trainer.networks.upscaling import new_upscaler

SCALE = 4
PATTERN = 1000  # pixels, the side of the photo that large ones repeat
CODE = "from gan_runtime.commands.upscale import upscale_main; upscale_main()"


def main() -> None:
    """Measure, and print the table."""
    parser = new_parser(__doc__)
    parser.add_argument("--size", type=int, nargs=2, action="append", metavar=("WIDTH", "HEIGHT"), help="of a picture")
    parser.add_argument("--tiles", nargs="+", default=["auto"], help="as for gan-upscale --tile")
    parser.add_argument("--suffix", default=".png", help="of the outputs")
    parser.add_argument("--network", default="compact")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    rows, missed = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network(folder / "x.onnx", options.network, options.width, options.blocks)
        for width, height in options.size or [(1024, 768)]:
            Image.fromarray(photo(height, width)).save(folder / "in.jpg", quality=90)
            digests = set()
            for tile in options.tiles:
                rows.append(measured(folder, f"{width} x {height}", tile, options.suffix, options.threads))
                digests.add(_digest(folder / f"out{options.suffix}"))
            if len(digests) > 1:
                missed.append(f"{width} x {height}: {len(digests)} different outputs")
    publish(machine(options.threads), rows, missed, options)


def network(path: Path, kind: str, width: int, blocks: int) -> None:
    """Write a file of a network of scale 4 with random weights."""
    torch.manual_seed(0)
    module = new_upscaler(kind, SCALE, 3, width, blocks)
    path.write_bytes(upscaler_file(module, path, channels=3, scale=SCALE).content)


def photo(height: int, width: int) -> np.ndarray:
    """Smooth colours with the noise of a camera, uint8 [height, width, 3]; repeated where it is large."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
    smooth = np.asarray(small.resize((PATTERN, PATTERN), Image.Resampling.BICUBIC), np.float32)
    noisy = (smooth + rng.normal(0, 4, smooth.shape)).clip(0, 255).astype(np.uint8)
    return np.tile(noisy, (-(-height // PATTERN), -(-width // PATTERN), 1))[:height, :width]


def measured(folder: Path, size: str, tile: str, suffix: str, threads: int) -> Row:
    """A row: what a process of gan-upscale took."""
    out = folder / f"out{suffix}"
    arguments = ["--model", folder / "x.onnx", folder / "in.jpg", out, "--tile", tile, "--threads", threads]
    used = measured_process([sys.executable, "-c", CODE, *map(str, arguments), "--force", "--quiet"])
    return {
        "picture": size,
        "tiles": tile,
        "peak MB": round(used.peak / 1e6),
        "CPU s": f"{used.cpu_seconds:.1f}",
        "s": f"{used.seconds:.1f}",
        "output MB": round(out.stat().st_size / 1e6, 1),
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
