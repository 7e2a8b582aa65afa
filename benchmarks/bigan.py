"""1-nearest-neighbour accuracy on E(x) of a BiGAN's encoder, which is trained without labels.

The exported file encodes the 60,000 training and 10,000 test images of MNIST with ONNX Runtime. The prediction for a
test image is the label of the nearest training latent (Euclidean distance). The code of Donahue et al. 2017 logs
97.35 %; target here: 95 %.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from interleave import new_parser

from gan_runtime import Encoder
from gan_runtime.data import load_dataset
from gan_runtime.evaluation.metrics import nearest_neighbour_accuracy

BIN = Path(sys.executable).parent
TARGET = 0.95


def main() -> None:
    """Train unless an encoder is given, encode, and print the accuracy."""
    parser = new_parser(__doc__)
    parser.add_argument("--encoder", type=Path, help="an exported encoder; default: train one")
    parser.add_argument("--epochs", type=int, default=20, help="of that training")
    parser.add_argument("--threads", type=int, default=1, help="of that training")
    parser.add_argument("--data-dir", type=Path, help="folder with mnist/")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.encoder or _train(Path(folder), options.epochs, options.threads, options.data_dir)
        encoder = Encoder.load(path, "cpu")
    train, test = (load_dataset("mnist", split, options.data_dir) for split in ("train", "test"))
    known, asked = encoder(train.images), encoder(test.images)
    accuracy = nearest_neighbour_accuracy(known, train.labels, asked, test.labels)
    images = encoder.manifest.training.get("images_seen")
    report = {"accuracy": accuracy, "images_seen": images, "latents": encoder.latents.dim, "target": TARGET}
    print(json.dumps(report, indent=2) if options.json else f"{accuracy:.2%} after {images:,} images")
    sys.exit(1 if options.check and accuracy < TARGET else 0)


def _train(folder: Path, epochs: int, threads: int, data_dir: Path | None) -> Path:
    data = ["--data-dir", data_dir.resolve()] if data_dir else []
    runs = folder / "runs"
    _call("gan-train", "mnist", "--recipe", "bigan", "--epochs", epochs, "--threads", threads, "--name", "bigan",
          "--eval-every", 0, "--runs-dir", runs, *data)  # fmt: skip
    _call("gan-export", runs / "bigan", "--output", folder / "bigan.onnx")
    return folder / "bigan-encoder.onnx"


def _call(program: str, *arguments: object) -> None:
    subprocess.run([BIN / program, *map(str, arguments)], stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    main()
