"""The tables of docs/quality.md: shipped models, the original GAN after 20 epochs and real images, by gan-eval.

All values are measured on exported files. Targets for MNIST: a FID of at most 3 times that of the test images, and
recall and coverage of at least .87.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from interleave import new_parser

from gan_runtime.evaluation.table import markdown
from gan_runtime.models import shipped_model

BIN = Path(sys.executable).parent
SHIPPED, GAN = "shipped", "the original GAN, 20 epochs"
FID_TARGET, SHARE_TARGET = 3.0, 0.87


def main() -> None:
    """Print a table for each data set."""
    parser = new_parser(__doc__)
    parser.add_argument("--n", type=int, default=10_000, help="number of images per source")
    parser.add_argument("--gan", type=Path, help="a finished run of the original GAN; default: train one")
    parser.add_argument("--data-dir", type=Path, help="folder with mnist/ and fashion-mnist/")
    parser.add_argument("--threads", type=int, default=1, help="for training")
    options = parser.parse_args()
    data = ["--data-dir", options.data_dir.resolve()] if options.data_dir else []
    with tempfile.TemporaryDirectory() as folder:
        run = options.gan or _train_gan(Path(folder), ["--threads", options.threads, *data])
        exported = Path(folder) / "gan.onnx"
        _call("gan-export", run, "--output", exported)
        mnist = _measure({SHIPPED: shipped_model("mnist"), GAN: exported}, "mnist", options.n, data)
    fashion = _measure({SHIPPED: shipped_model("fashion-mnist")}, "fashion-mnist", options.n, data)
    reports = {"mnist": mnist, "fashion-mnist": fashion}
    print(json.dumps(reports, indent=2) if options.json else "\n\n".join(map(markdown, reports.values())))
    sys.exit(1 if options.check and not _reached(mnist) else 0)


def _train_gan(folder: Path, options: list[Any]) -> Path:
    runs = folder / "runs"
    _call("gan-train", "mnist", "--recipe", "gan", "--epochs", 20, "--name", "gan", "--runs-dir", runs, *options)
    return runs / "gan"


def _measure(files: dict[str, Path], data: str, n: int, options: list[Any]) -> dict[str, Any]:
    """The report of gan-eval, with the column names of `files`."""
    report: dict[str, Any] = json.loads(_call("gan-eval", *files.values(), data, "--n", n, "--json", *options))
    report["results"] = dict(zip(files, report["results"].values(), strict=True))
    return report


def _reached(report: dict[str, Any]) -> bool:
    found, floor = report["results"][SHIPPED], report["floors"]["test images"]
    shares = min(found["recall"], found["coverage"])
    return bool(found["fid"] <= FID_TARGET * floor["fid"] and shares >= SHARE_TARGET)


def _call(program: str, *arguments: object) -> str:
    command = [BIN / program, *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
