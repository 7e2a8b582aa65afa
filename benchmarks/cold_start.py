"""Wall time of whole processes that draw 64 images, translate or enlarge one small picture, or encode 64 images.

Most of it is the import of ONNX Runtime, so the baseline is `python -c "import onnxruntime"`, and the peer is a program
that does the same with torch eager and Pillow, and imports nothing else. New processes are started in turn, with
compiled bytecode and with all files in the cache of the operating system. The generator is the shipped MNIST model, the
other networks have random weights. Targets: `gan-sample` takes at most 1.3 times the time of the import, and a seventh
(1/6.5) of torch's. Without torch, only `gan-sample` is measured.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from interleave import Row, Times, interleave, machine, new_parser, publish

TARGET, TARGET_TORCH = 1.3, 6.5
PYTHON, IMPORT, SAMPLE = "python -c pass", 'python -c "import onnxruntime"', "gan-sample --n 64 out.png"
BY_TORCH = "the same with torch"
COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
SIDE, IMAGES = 64, 64  # pixels of the small picture, and how many images are drawn or encoded


def main() -> None:
    """Compare, and print the table."""
    options = _parse()
    host = machine()
    with tempfile.TemporaryDirectory() as folder:
        clock = children_seconds if options.cpu else time.perf_counter
        times = interleave(build_sides(Path(folder), options.model), options.rounds, 2, clock)
    host["seconds of"] = "the processors" if options.cpu else "the wall"
    rows = [_row(name, side, times) for name, side in times.items()]
    publish(host, rows, _missed(times), options)


def build_sides(folder: Path, model: str | None) -> dict[str, Callable[[], None]]:
    """The processes to compare."""
    sample = [
        *command("gan-sample"),
        "--n",
        str(IMAGES),
        str(folder / "out.png"),
        *(["--model", model] if model else []),
    ]
    commands = {
        PYTHON: [sys.executable, "-c", "pass"],
        IMPORT: [sys.executable, "-c", "import onnxruntime"],
        SAMPLE: sample,
    }
    if find_spec("torch"):
        commands |= _with_torch(folder)
    return {name: lambda command=command: start(command) for name, command in commands.items()}


def _with_torch(folder: Path) -> dict[str, list[str]]:
    """The other tasks, and all of them with torch."""
    import numpy as np
    import torch
    import workloads
    from PIL import Image

    rng, force = np.random.default_rng(0), ["--force"]
    picture, images = folder / "in.png", folder / "in.npy"
    Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(picture)
    np.save(images, rng.integers(0, 256, (IMAGES, 28, 28, 1), np.uint8))
    loads = {
        SAMPLE: (workloads.generator("quick", 1, folder), str(IMAGES), "torch.png", []),
        "gan-translate in.png out.png": (workloads.translator("cyclegan-quick", SIDE, folder), picture, "t.png", force),
        "gan-upscale in.png out.png": (workloads.upscaler(SIDE, folder, 32, 4), picture, "u.png", force),
        "gan-encode in.npy out.npz": (workloads.encoder(1, folder), images, "e.npz", []),
    }
    found = {}
    for name, (load, source, output, flags) in loads.items():
        saved, target = folder / f"{load.file.stem}.pt", str(folder / output)
        torch.save((load.module.network, load.inputs[0].shape[-1]), saved)
        if name != SAMPLE:
            found[name] = [*command(name.split(maxsplit=1)[0]), str(source), target, "--model", str(load.file), *flags]
        found[f"{BY_TORCH}: {name.split(maxsplit=1)[0]}"] = _torch(saved, source, target)
    return found


def _torch(saved: Path, source: Path | str, target: str) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("cold_torch.py")), str(saved), str(source), target]


def command(name: str) -> list[str]:
    """The installed command, or the same function from the source tree."""
    script = Path(sys.executable).with_name(name)
    if script.is_file():
        return [str(script)]
    verb = name.removeprefix("gan-")
    return [sys.executable, "-c", f"from gan_runtime.commands.{verb} import {verb}_main; {verb}_main()"]


def sample_command() -> list[str]:
    """The command gan-sample."""
    return command("gan-sample")


def start(command: list[str]) -> None:
    """Run `command`; its stderr is printed only if it fails."""
    done = subprocess.run(command, env=COMPILED, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")


def children_seconds() -> float:
    """Seconds of the processors that the processes have used that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _row(name: str, side: Times, times: dict[str, Times]) -> Row:
    peer = times.get(f"{BY_TORCH}: {name.split(maxsplit=1)[0]}")
    return {
        "process": f"`{name}`" if BY_TORCH not in name else name,
        "median ms": f"{side.median * 1e3:.0f}",
        "shortest-longest": side.span(digits=0),
        "x the import alone": f"{side.median / times[IMPORT].median:.2f}",
        "torch takes": f"{peer.median / side.median:.1f} x" if peer else "",
    }


def _missed(times: dict[str, Times]) -> list[str]:
    ratio = times[SAMPLE].median / times[IMPORT].median
    missed = [f"{SAMPLE}: {ratio:.2f} x the import alone, wanted {TARGET}"] if ratio > TARGET else []
    peer = times.get(f"{BY_TORCH}: gan-sample")
    if peer and peer.median / times[SAMPLE].median < TARGET_TORCH:
        faster = peer.median / times[SAMPLE].median
        missed.append(f"{SAMPLE}: {faster:.1f} times faster than torch, wanted {TARGET_TORCH}")
    return missed


def _parse() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="number of starts per process")
    parser.add_argument("--model", help="the .onnx file; default: that of gan-sample")
    parser.add_argument("--cpu", action="store_true", help="measure the time of the processors: of a busy host")
    return parser.parse_args()


if __name__ == "__main__":
    main()
