"""Peak memory of every command on small real input, each in a process of its own.

Runs of some images of MNIST, of photos and of pairs of pictures are trained with the networks of their recipes, and
exported; the other commands use these files. Options that are not shown are the defaults, so that the memory is that of
the usual networks, batches, tiles and threads. If a command starts processes, the peak is that of the largest one.
"""

import os
import shlex
import sys
import tempfile
from pathlib import Path

import numpy as np
from interleave import Row, machine, new_parser, publish
from PIL import Image
from processes import measured_process
from upscaling_memory import photo

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
PHOTOS, SIDE, PICTURE = 240, 256, (768, 1024)  # photos of the training, and the height and width of one to enlarge

# In this order, because later ones use the files of earlier ones.
COMMANDS = """
gan-train mnist --images 2560 --name digits
gan-train mnist --recipe vae --images 2560 --name vae
gan-train photos --recipe stylegan2-small --images 64 --name styles
gan-train pairs --recipe pix2pix-quick --images 64 --name pairs
gan-train pairs --recipe pix2pix --images 16 --name unet
gan-train photos --recipe sr --images 64 --name sr
gan-export digits
gan-export vae
gan-export unet
gan-export sr
gan-info exported/digits.onnx --check
gan-data mnist --verify
gan-sample --model exported/digits.onnx --n 64 out.png
gan-sample --model exported/digits.onnx --n 20000 out.tar
gan-sample --model exported/vae.onnx --reconstruct digits.npy out.png
gan-translate --model exported/unet.onnx large.png translated.png
gan-upscale --model exported/sr.onnx large.png upscaled.png
gan-encode --model exported/vae.onnx mnist --split test latents.npz
gan-eval exported/digits.onnx mnist
gan-bench exported/digits.onnx --seconds 0.2
gan-project --from styles photos/000.png projected.npz --steps 5
gan-features photos --images 64 --output features.onnx
gan-compare mnist --recipes gan,quick --images 2560 --seeds 1 --jobs 1
"""


def main() -> None:
    """Run the commands, and print the table."""
    options = new_parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_inputs(folder)
        rows = [measured(shlex.split(line), folder) for line in COMMANDS.strip().splitlines()]
    publish(machine(), rows, [], options)


def make_inputs(folder: Path) -> None:
    """Photos, pairs of grey and colour pictures, a large picture, and a few digits."""
    from gan_runtime.data import load_dataset

    whole = photo(2 * SIDE, PHOTOS * SIDE // 2)
    for number in range(PHOTOS):
        row, column = divmod(number, PHOTOS // 2)
        picture = Image.fromarray(whole[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE])
        for place, mode in (("photos", "RGB"), ("pairs/A", "L"), ("pairs/B", "RGB")):
            (folder / place).mkdir(parents=True, exist_ok=True)
            picture.convert(mode).save(folder / place / f"{number:03d}.png")
    Image.fromarray(photo(*PICTURE)).save(folder / "large.png")
    np.save(folder / "digits.npy", load_dataset("mnist", "test", ROOT / "data", offline=True).images[:8])


def measured(words: list[str], folder: Path) -> Row:
    """A row: what the process of a command took."""
    environment = os.environ | {
        "GAN_EDGE_DATA": str(ROOT / "data"), "GAN_EDGE_OFFLINE": "1", "XDG_CACHE_HOME": str(folder / "cache")
    }  # fmt: skip
    used = measured_process([str(BIN / words[0]), *words[1:]], folder, environment)
    print(f"{' '.join(words)}: {used.peak / 1e6:.0f} MB", file=sys.stderr)
    return {
        "command": f"`{' '.join(words)}`",
        "peak MB": f"{used.peak / 1e6:.0f}",
        "CPU s": f"{used.cpu_seconds:.1f}",
    }


if __name__ == "__main__":
    main()
