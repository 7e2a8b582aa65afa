"""The tables of docs/quality.md: shipped models, the original GAN after 20 epochs and real images, by gan-eval.

Every number is that of an exported file. Targets for MNIST: a FID of at most 3 times that of the test images, and
recall and coverage of at least .87.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from gan_runtime.models import shipped_model
from gan_runtime.score_table import markdown

BIN = Path(sys.executable).parent
GAN = "gan, 20 epochs"
TARGETS = {"fid": 3.0, "recall": 0.87, "coverage": 0.87}


def main(
    n: Annotated[int, typer.Option(help="How many images of each.")] = 10_000,
    gan: Annotated[
        Path | None, typer.Option(help="A run of the original GAN; trained here if none is named.", show_default=False)
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with mnist/ and fashion-mnist/.", show_default=False)
    ] = None,
    threads: Annotated[int, typer.Option(help="For training the original GAN.")] = 1,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 where MNIST misses a target.")] = False,
) -> None:
    """Print one table per data set."""
    data = ["--data-dir", str(data_dir.resolve())] if data_dir else []
    with tempfile.TemporaryDirectory() as folder:
        run = gan.resolve() if gan else _train_gan(Path(folder), [*data, "--threads", str(threads)])
        exported = Path(folder) / "gan.onnx"
        _call(["gan-export", run, "--output", exported])
        files = {"exported/mnist.onnx": shipped_model("mnist"), GAN: exported}
        mnist = _measure(files, "mnist", n, data)
    fashion = _measure({"exported/fashion-mnist.onnx": shipped_model("fashion-mnist")}, "fashion-mnist", n, data)
    print(f"{markdown(mnist)}\n\n{markdown(fashion)}")
    raise typer.Exit(int(check and not _reached(mnist)))


def _train_gan(folder: Path, options: list[str]) -> Path:
    arguments = ["mnist", "--recipe", "gan", "--epochs", "20", "--name", "gan", "--runs-dir", folder / "runs"]
    _call(["gan-train", *arguments, *options])
    return folder / "runs" / "gan"


def _measure(files: dict[str, Path], data: str, n: int, options: list[str]) -> dict[str, Any]:
    """The report of gan-eval, its columns called as in `files`."""
    report: dict[str, Any] = json.loads(_call(["gan-eval", *files.values(), data, "--n", str(n), *options, "--json"]))
    report["results"] = dict(zip(files, report["results"].values(), strict=True))
    return report


def _reached(report: dict[str, Any]) -> bool:
    found, floor = report["results"]["exported/mnist.onnx"], report["floors"]["test images"]
    near = found["fid"] <= TARGETS["fid"] * floor["fid"]
    return bool(near and all(found[name] >= TARGETS[name] for name in ("recall", "coverage")))


def _call(command: list[Any]) -> str:
    program, *arguments = map(str, command)
    return subprocess.run([BIN / program, *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    typer.run(main)
