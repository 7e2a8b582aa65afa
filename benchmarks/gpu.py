"""Compare exported files on a GPU with the CPU: whether they give the same, and how fast they are by batch size.

    python benchmarks/gpu.py --check --write gpu.json

Files of every task are compared: those that ship, small ones with random weights (if torch is installed), and those
that are named, such as files of gan-export --precision fp16. Each runs on the CPU, on CUDA as `--device cuda` runs it,
with CUDA graphs, and with TF32. Images may differ by one grey level, other outputs by a thousandth of their largest
value; with TF32 by more, which is shown and not checked. The times include the copies to the GPU and back.

On a host without a GPU this ends with exit code 1 and ONNX Runtime's reason. `--device cpu` tries all parts of this
script there: it compares plain runs with runs by IO binding.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import parity
from fresh_models import compared_files, shown
from interleave import Row, interleave, machine, markdown, new_parser

import gan_runtime
from gan_runtime.devices.bound import BoundSession
from gan_runtime.drawing import Drawing
from gan_runtime.errors import GanEdgeError
from gan_runtime.generator import Generator
from gan_runtime.onnx_runtime import import_onnxruntime

PLAIN = "CPU"
BOUND = "CPU, bound"
VARIANTS = {  # names, and devices as --device and --providers take them
    "cuda": {
        "CUDA": "cuda:device_id={gpu}",
        "CUDA, graphs": "cuda:device_id={gpu},enable_cuda_graph=1",
        "CUDA, TF32": "cuda:device_id={gpu},use_tf32=1",
    },
    "cpu": {BOUND: "cpu"},
}
CHECKED = ("CUDA", "CUDA, graphs", BOUND)  # TF32 has fewer digits


@dataclass(frozen=True)
class Side:
    """A file, open in one way."""

    name: str
    opened: Any

    def run(self, inputs: Any) -> Any:
        """What it gives for all inputs in one run, where its task has batches."""
        if isinstance(self.opened, Generator):
            return self.opened.array(self.opened.request(len(inputs), latents=inputs, batch_size=len(inputs)))
        if isinstance(self.opened, Drawing):
            return self.opened(inputs, batch_size=len(inputs))  # type: ignore[operator]
        return parity.outputs_of(self.opened, inputs)


def main() -> None:
    """Compare, print the tables, and write the JSON."""
    options = _options()
    kind, _, gpu = options.device.partition(":")
    if kind not in VARIANTS:
        sys.exit(f"--device {options.device}: choose cuda, cuda:1 for the second GPU, or cpu to try this script")
    if kind == "cuda":
        _check_cuda(options.device)
    variants = {name: device.format(gpu=gpu or 0) for name, device in VARIANTS[kind].items()}
    host = machine() | {"onnxruntime": import_onnxruntime().__version__, "GPU": _gpu_name(gpu or "0")}
    same: list[Row] = []
    fast: list[Row] = []
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for path in compared_files(options.models, Path(folder)):
            with sides(path, variants, missed) as opened:
                same += compare(path, opened, options.n, missed)
                fast += time_batches(path, opened, options)
    publish(host, same, fast, missed, options)


@contextmanager
def sides(path: Path, variants: dict[str, str], missed: list[str]) -> Iterator[list[Side]]:
    """The file on the CPU, and in each other way that works; CUDA graphs are refused for some files."""
    with ExitStack() as stack:
        opened = [Side(PLAIN, stack.enter_context(gan_runtime.load(path, "cpu")))]
        for name, device in variants.items():
            try:
                other = stack.enter_context(gan_runtime.load(path, device))
            except GanEdgeError as error:
                print(f"{shown(path)}, {name}: {error}", file=sys.stderr)
                if name == "CUDA":
                    missed.append(f"{shown(path)}, {name}: {error}")
                continue
            opened.append(Side(name, bound(other) if name == BOUND else other))
        yield opened


def bound(opened: Any) -> Any:
    """An open file that runs by IO binding on the CPU, in chunks, as on a GPU."""
    session = BoundSession(import_onnxruntime(), opened.session.onnx, "cpu")
    return replace(opened, session=replace(opened.session, onnx=session, device="cpu, bound"))


def compare(path: Path, opened: list[Side], n: int, missed: list[str]) -> list[Row]:
    """How far each side is from the CPU, in three runs on the same inputs: CUDA graphs are replayed in the third."""
    inputs = parity.inputs_of(opened[0].opened, n)
    expected, rows = opened[0].run(inputs), []
    for side in opened[1:]:
        apart = max(parity.difference(expected, side.run(inputs)) for _ in range(3))
        differs = parity.in_words(apart, expected)
        rows.append(
            {"file": shown(path), "inputs": n, "outputs": str(expected.dtype), "on": side.name, "differs by": differs}
        )
        if side.name in CHECKED and not parity.agrees(apart, expected):
            missed.append(f"{shown(path)}, {side.name}: differs by {differs}")
    return rows


def time_batches(path: Path, opened: list[Side], options: argparse.Namespace) -> list[Row]:
    """Images per second of each side by batch size, and the time of its first run, which chooses kernels."""
    rows: list[Row] = []
    for batch in options.batch_sizes:
        inputs = parity.inputs_of(opened[0].opened, batch)
        runs = {side.name: partial(side.run, inputs) for side in opened}
        first = {name: _seconds(run) for name, run in runs.items()}
        times = interleave(runs, options.rounds)
        for name, found in times.items():
            rows.append(
                {
                    "file": shown(path),
                    "batch": batch,
                    "on": name,
                    "images/s": f"{batch / found.median:,.0f}",
                    "ms": f"{1e3 * found.median:.2f}",
                    "shortest-longest": found.span(digits=2),
                    "first run, ms": f"{1e3 * first[name]:.1f}",
                    "x the CPU": f"{times[PLAIN].median / found.median:.2f}",
                }
            )
    return rows


def publish(host: Row, same: list[Row], fast: list[Row], missed: list[str], options: argparse.Namespace) -> None:
    """Print the tables, write the JSON, and exit, with code 1 if `--check` is given and outputs differ."""
    document = json.dumps({"machine": host, "same": same, "rows": fast, "missed": missed}, indent=2)
    if options.write:
        Path(options.write).write_text(document + "\n")
    if options.json:
        print(document)
    else:
        print(", ".join(f"{key} {value}" for key, value in host.items() if value is not None))
        for rows in filter(None, (same, fast)):
            print(f"\n{markdown(rows)}")
    for target in missed:
        print(f"missed: {target}", file=sys.stderr)
    sys.exit(1 if missed and options.check else 0)


def _check_cuda(device: str) -> None:
    """End here, with the reason, where CUDA does not work."""
    try:
        gan_runtime.load("mnist", device).close()
    except GanEdgeError as error:
        sys.exit(f"no CUDA here: {error}")


def _gpu_name(number: str) -> str | None:
    """Name and driver of a GPU, if nvidia-smi is here."""
    command = ["nvidia-smi", "-i", number, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _seconds(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _options() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("models", nargs="*", help="exported files; those that ship and fresh small ones if none")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, or cpu to try this script without a GPU")
    parser.add_argument("--n", type=int, default=40, help="inputs that are compared")
    parser.add_argument("--batch-sizes", type=int, nargs="*", default=[1, 64, 256, 1024])
    parser.add_argument("--rounds", type=int, default=9, help="number of measurements per side")
    parser.add_argument("--write", metavar="FILE", help="write the JSON to a file, too")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    main()
