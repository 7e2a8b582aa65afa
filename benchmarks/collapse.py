"""Test that training detects a collapsed generator, and no other.

`quick` at width 16 with class embeddings of a large standard deviation draws one image per class (docs/recipes.md): it
must be stopped. `quick` with default settings must not be stopped, for any seed. Each run is a gan-train process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from interleave import Row, machine, new_parser, publish

COLLAPSED = 3  # exit code of gan-train --stop-when-collapsed
TRAIN = "from gan_trainer.commands.train import train_main; train_main()"
CHANGED = f"import gan_trainer.networks.assembly as assembly; assembly.EMBEDDING_STD = {{std}}; {TRAIN}"


def main() -> None:
    """Train all variants on MNIST, and print which were stopped."""
    parser = new_parser(__doc__)
    parser.add_argument("--images", type=int, default=60_000, help="length of each run")
    parser.add_argument("--eval-every", type=int, default=10_000, help="images between two evaluations")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds of quick")
    parser.add_argument(
        "--stds", type=float, nargs="+", default=[1, 4, 16], help="standard deviations of the class embeddings"
    )
    parser.add_argument("--must", type=float, default=4, help="smallest standard deviation that must collapse")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST's files")
    options = parser.parse_args()
    host, rows, missed = machine(options.threads), [], []
    for std in options.stds:
        for seed in (0, 1):
            rows.append(_run(options, f"width 16, std {std:g}", seed, CHANGED.format(std=std), "--width", "16"))
            if std >= options.must and rows[-1]["stopped"] == "no":
                missed.append(f"std {std:g}, seed {seed}: was not stopped")
    for seed in range(options.seeds):
        rows.append(_run(options, "quick", seed, TRAIN))
        if rows[-1]["stopped"] == "yes":
            missed.append(f"quick, seed {seed}: was stopped")
    publish(host, rows, missed, options)


def _run(options: argparse.Namespace, title: str, seed: int, code: str, *more: str) -> Row:
    arguments = ["--images", options.images, "--eval-every", options.eval_every, "--threads", options.threads]
    arguments += ["--data-dir", options.data_dir.resolve()] if options.data_dir else []
    arguments += ["--seed", seed, "--name", "run", "--stop-when-collapsed", "--quiet", *more]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", code, "mnist", *map(str, arguments)]
        done = subprocess.run(command, cwd=folder, env=os.environ, stdout=subprocess.DEVNULL, check=False)
        if done.returncode not in (0, COLLAPSED):
            sys.exit(f"{' '.join(command)}: exit code {done.returncode}")
        lines = (Path(folder) / "runs" / "run" / "metrics.jsonl").read_text().splitlines()
    last = [entry for entry in map(json.loads, lines) if entry.get("n") == 2000][-1]
    return {
        "run": title,
        "seed": seed,
        "stopped": "yes" if done.returncode == COLLAPSED else "no",
        "after images": f"{last['images']:,}",
        **{name: f"{last[name]:.2f}" for name in ("fid", "precision", "recall", "coverage")},
        "modes": last["modes"],
        "kl": f"{last['kl']:.4f}",
    }


if __name__ == "__main__":
    main()
