"""Time of whole jobs that write many small images to tar shards, as a multiple of the time of pure inference.

Inference is `Generator(latents)` with latents that exist already, in batches of 1,024, with as many threads as the job.
A job is a whole gan-sample: it starts, and starts other processes, draws the latents, runs the model, encodes PNG files
and writes them. Memory is that of the largest process. zlib-ng, if it is installed, is hidden
from all jobs but one. The model is an MLP with the layers of the recipe `gan`, trained for a short time as a VAE if the
MNIST data set is there (what PNG costs depends on the pictures), else with random weights. Target: at most 2.3 times
the inference, with zlib-ng.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from cold_start import COMPILED, command
from interleave import Row, machine, new_parser, publish
from processes import run_process

TARGET = 2.3
BATCH = 1024
FAST, THREADS = "shards, zlib-ng", "shards, in threads"
JOBS = {"shards": [], THREADS: [], FAST: [], "shards, not compressed": ["--compression", "0"]}
IN_THREADS = (
    "from gan_runtime.commands import local_processes, sample; local_processes.pays = lambda *job: False; "
    "sample.sample_main()"
)
TRAINING = ["--recipe", "vae", "--network", "mlp", "--epochs", "2", "--eval-every", "0", "--offline", "--quiet"]


def main() -> None:
    """Run the jobs in turn, and print the table."""
    options = _parse()
    host = machine(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or str(_mlp(Path(folder)))
        host["model"] = Path(model).stem
        hidden = Path(folder) / "hidden"
        hidden.mkdir()
        (hidden / "zlib_ng.py").write_text("raise ImportError\n")
        found: dict[str, list[tuple[float, float]]] = {}
        for _ in range(options.rounds):
            for name, side in sides(model, options, hidden).items():
                found.setdefault(name, []).append(side())
    rows = [_row(name, measured, found["inference"], options.n) for name, measured in found.items()]
    missed = [f"{row['job']}: {row['x inference']} x inference, wanted {TARGET}" for row in rows if _is_slow(row)]
    publish(host, rows, missed, options)


def sides(model: str, options: argparse.Namespace, hidden: Path) -> dict[str, Callable[[], tuple[float, float]]]:
    """Inference and the jobs: each returns seconds, and MiB of the process. `hidden` is a folder that hides zlib-ng."""
    paths = [str(hidden), *filter(None, [COMPILED.get("PYTHONPATH")])]
    environments = dict.fromkeys(JOBS, COMPILED | {"PYTHONPATH": os.pathsep.join(paths)}) | {FAST: COMPILED}
    return {
        "inference": lambda: (infer(model, options.n, options.threads), 0.0),
        **{
            name: partial(run_job, model, options, flags, environments[name], in_threads=name == THREADS)
            for name, flags in JOBS.items()
            if name != FAST or find_spec("zlib_ng")
        },
    }


def infer(model: str, n: int, threads: int | None) -> float:
    """Seconds for n images of given latents."""
    import gan_runtime
    from gan_runtime.latents import draw_latents

    with gan_runtime.load(model, "cpu", threads) as generator:
        latents = draw_latents(0, 0, BATCH, generator.latent_dim)
        generator(latents)
        began = time.perf_counter()
        for _ in range(round(n / BATCH)):
            generator(latents)
        return (time.perf_counter() - began) * n / (round(n / BATCH) * BATCH)


def run_job(
    model: str, options: argparse.Namespace, flags: list[str], environment: dict[str, str], *, in_threads: bool
) -> tuple[float, float]:
    """Seconds and peak MiB of gan-sample, which writes shards into a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        asked = ["--model", model, "--n", str(options.n), "--quiet", *flags, str(Path(folder) / "out.tar")]
        threads = ["--threads", str(options.threads)] if options.threads else []
        program = [sys.executable, "-c", IN_THREADS] if in_threads else command("gan-sample")
        return run_process([*program, *asked, *threads], environment)


def _mlp(folder: Path) -> Path:
    train = [*command("gan-train"), "mnist", *TRAINING, "--runs-dir", str(folder), "--name", "mlp"]
    if subprocess.run(train, env=COMPILED, capture_output=True, check=False).returncode:
        from sampling_speed import build_network

        print("gan-train mnist fails here: random weights are used", file=sys.stderr)
        return build_network("gan", folder).file
    made = folder / "trained-mlp.onnx"
    export = [*command("gan-export"), str(folder / "mlp"), "--output", str(made)]
    subprocess.run(export, env=COMPILED, capture_output=True, check=True)
    return made


def _row(name: str, measured: list[tuple[float, float]], inference: list[tuple[float, float]], n: int) -> Row:
    seconds, peaks = zip(*measured, strict=True)
    return {
        "job": name,
        "images": f"{n:,}",
        "seconds": f"{median(seconds):.1f}",
        "shortest-longest": f"{min(seconds):.1f}-{max(seconds):.1f}",
        "images/s": f"{n / median(seconds):,.0f}",
        "x inference": f"{median(seconds) / median(each for each, _ in inference):.2f}",
        "peak MiB": round(median(peaks)) or "",
    }


def _is_slow(row: dict[str, Any]) -> bool:
    return bool(row["job"] == FAST and float(row["x inference"]) > TARGET)


def _parse() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("--n", type=int, default=200_000, help="images per job")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each job")
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--model", help="an .onnx file in place of the MLP")
    return parser.parse_args()


if __name__ == "__main__":
    main()
