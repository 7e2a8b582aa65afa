"""Find the oldest installable version of ONNX Runtime with which an exported file gives the same pixels.

Versions are tried in ascending order, each in a temporary virtual environment. A few lines of numpy and onnxruntime,
without this project, run the file in batches of 1, 3 and the rest on given latents, with a truncation for each if it
has styles, or on given images if it is no generator; their pixels are compared with those of `gan_runtime` on the
installed ONNX Runtime. `gan_runtime` is run there as well. The search ends at the first version with which it gives the
same pixels, which is the lower bound for pyproject.toml.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import numpy as np
from interleave import Row, machine, new_parser, publish
from numpy.typing import NDArray

RUNTIME = Path(__file__).resolve().parents[1] / "runtime"
N, TOLERANCE = 64, 1
NUMPY_2_SINCE = (1, 19)  # older ones were compiled against numpy 1
SELF = ("pillow>=10.1", "typer>=0.16,<0.26", "click>=8.2,<8.5")

PLAIN = """
import sys, numpy, onnxruntime
model, feeds, output = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
feeds = dict(numpy.load(feeds))
n = len(next(iter(feeds.values())))
ends = sorted({0, 1, min(4, n), n})
pieces = [{name: x[a:b] for name, x in feeds.items()} for a, b in zip(ends, ends[1:])]
numpy.save(output, numpy.concatenate([session.run(["images"], piece)[0] for piece in pieces]))
print(numpy.__version__)
"""
OURS = """
import sys, numpy, gan_runtime
model, feeds, output = sys.argv[1:]
opened, feeds = gan_runtime.load(model, "cpu"), dict(numpy.load(feeds))
numpy.save(output, opened(feeds["source"]) if "source" in feeds else opened(**feeds))
"""


def main() -> None:
    """Try all versions, and print the table."""
    options = _options()
    expected, feeds = run_here(options.model)
    rows: list[Row] = []
    for version in options.versions or installable():
        rows.append(try_version(version, options.model, expected, feeds))
        if not options.versions and rows[-1]["gan_runtime"] == _verdict(0):
            break
    drawn = [row for row in rows if row["pixels differ by"] != "not installable"]
    host = machine()
    missed = [] if drawn and drawn[0]["pixels differ by"] in map(_verdict, range(TOLERANCE + 1)) else ["the oldest one"]
    publish(host, rows, missed, options)


def run_here(model: str) -> tuple[NDArray[np.uint8], dict[str, NDArray[Any]]]:
    """The images that the installed ONNX Runtime gives, and the inputs of the graph for them."""
    import gan_runtime
    from gan_runtime.evaluation.fingerprint import source_images

    opened = gan_runtime.load(model, "cpu")
    if isinstance(opened, gan_runtime.Generator):
        request = opened.request(N)
        labels = request.labels(0, N)
        feeds = {"latents": request.latents(0, N)} | ({} if labels is None else {"labels": labels})
        if opened.style_space:
            feeds["truncation"] = np.linspace(0.0, 1.3, N, dtype=np.float32)
    else:
        feeds = {"source": source_images(opened.manifest.source, 1)}
        return opened(feeds["source"]), feeds
    return opened(**feeds), feeds


def installable() -> list[str]:
    """Versions of onnxruntime that pip offers to this Python, oldest first."""
    listing = _run([sys.executable, "-m", "pip", "index", "versions", "onnxruntime"])
    found = re.search(r"Available versions: (.*)", listing.stdout)
    if not found:
        sys.exit(f"pip lists no onnxruntime: {_last_line(listing)}")
    return sorted(found[1].split(", "), key=_numbers)


def try_version(version: str, model: str, expected: NDArray[np.uint8], feeds: dict[str, NDArray[Any]]) -> Row:
    """The results of this version of ONNX Runtime, by itself and with gan_runtime."""
    row = {"onnxruntime": version, "numpy": "", "pixels differ by": "not installable", "gan_runtime": ""}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        python = str(folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python")
        numpy = "numpy>=1.26" + (",<2" if _numbers(version) < NUMPY_2_SINCE else "")
        wanted = [f"onnxruntime=={version}", numpy]
        if _run([python, "-m", "pip", "install", "--quiet", "--only-binary=:all:", *wanted]).returncode:
            return row
        np.savez(folder / "feeds.npz", **feeds)
        plain = _run([python, "-c", PLAIN, model, str(folder / "feeds.npz"), str(folder / "plain.npy")])
        row |= {"numpy": plain.stdout.strip(), "pixels differ by": _outcome(plain, folder / "plain.npy", expected)}
        _run([python, "-m", "pip", "install", "--quiet", *SELF, *wanted])
        command = [python, "-c", OURS, model, str(folder / "feeds.npz"), str(folder / "ours.npy")]
        ours = _run(command, PYTHONPATH=str(RUNTIME))
        return row | {"gan_runtime": _outcome(ours, folder / "ours.npy", expected)}


def _outcome(done: "subprocess.CompletedProcess[str]", images: Path, expected: NDArray[np.uint8]) -> str:
    if done.returncode:
        return f"fails: {_last_line(done)}"
    return _verdict(int(np.abs(np.load(images).astype(np.int16) - expected).max()))


def _verdict(difference: int) -> str:
    return "nothing" if difference == 0 else f"{difference} grey levels"


def _run(command: list[str], **variables: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    return subprocess.run(command, env=clean, capture_output=True, text=True, check=False)


def _last_line(done: "subprocess.CompletedProcess[str]") -> str:
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def _options() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("--model", default="exported/mnist.onnx", help="the .onnx file")
    parser.add_argument("--versions", nargs="+", help="try exactly these versions of onnxruntime")
    options = parser.parse_args()
    options.model = str(Path(options.model).resolve())
    return options


if __name__ == "__main__":
    main()
