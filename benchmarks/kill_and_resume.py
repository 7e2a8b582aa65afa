"""Test that a run that is killed and resumed repeatedly equals an uninterrupted run bit for bit.

One run is not interrupted. Others with the same settings are killed with SIGKILL after a random delay: while torch is
imported, before the first checkpoint, during a step, or while a file is written. Each is resumed with `gan-train
--resume`, and may be killed again. At the end, all tensors of the last checkpoint and all lines of metrics.jsonl,
except for times, must equal those of the uninterrupted run; otherwise the exit code is 1.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from interleave import Row, machine, new_parser, publish

TRAIN = [sys.executable, "-c", "from gan_trainer.commands.train import train_main; train_main()"]
NAME = "run"
TIMES = {"seconds", "cpu_seconds", "images_per_second"}


@dataclass(frozen=True)
class Sitting:
    """One process of a run: its duration, whether it was killed, and the images in the last checkpoint at its end."""

    seconds: float
    killed: bool
    saved: int = 0


def main() -> None:
    """Train, kill, resume, compare, and print the table."""
    options = _options()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = Path(folder) / "undisturbed"
        (whole,) = run_to_end(options, undisturbed, [])
        rows = []
        for number in range(1, options.runs + 1):
            disturbed = Path(folder) / str(number)
            sittings: list[Sitting] = []
            while not any(sitting.killed for sitting in sittings):  # it may end before it is killed
                shutil.rmtree(disturbed, ignore_errors=True)
                sittings = run_to_end(options, disturbed, delays(chance, whole.seconds))
            found = differences(undisturbed / NAME, disturbed / NAME)
            rows.append(_row(number, sittings, found))
    host = machine(1) | {"recipe": options.recipe, "images": options.images, "undisturbed": f"{whole.seconds:.1f} s"}
    options.check = True
    publish(host, rows, (f"run {row['run']}: {row['differences']}" for row in rows if row["differences"]), options)


def run_to_end(options: argparse.Namespace, folder: Path, delays: "Iterator[float] | list[float]") -> list[Sitting]:
    """Train in `folder` and kill each process after the next of `delays`, until one of them reaches the end."""
    folder.mkdir()
    settings = ["mnist", "--recipe", options.recipe, "--images", str(options.images), "--threads", "1", "--name", NAME]
    settings += ["--checkpoint-every", str(options.checkpoint_every), "--device", "cpu"]
    settings += ["--log-every", str(options.images // 8)]
    waits, sittings = iter(delays), list[Sitting]()
    while True:
        started = (folder / NAME).exists()  # a run that was killed before its folder existed is started again
        arguments = ["--resume", str(folder / NAME)] if started else [*settings, "--runs-dir", str(folder)]
        sitting = sit([*TRAIN, *arguments, "--quiet"], next(waits, None))
        saved = max((int(path.stem) for path in (folder / NAME / "checkpoints").glob("*.pt")), default=0)
        sittings.append(replace(sitting, saved=saved))
        if not sittings[-1].killed:
            return sittings


def sit(command: list[str], limit: float | None) -> Sitting:
    """Run `command` for at most `limit` seconds, then kill it."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            _, complaints = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return Sitting(time.perf_counter() - began, killed=True)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{complaints}")
    return Sitting(time.perf_counter() - began, killed=False)


def delays(chance: random.Random, longest: float) -> Iterator[float]:
    """Seconds until each kill; after each kill, another one follows with probability 0.5."""
    yield chance.uniform(0.0, longest)
    while chance.random() < 0.5:
        yield chance.uniform(0.0, longest)


def differences(expected: Path, found: Path) -> list[str]:
    """The differences of two run folders."""
    tensors = _unequal("checkpoint", _last_checkpoint(expected), _last_checkpoint(found))
    return [*tensors, *_unequal("metrics.jsonl", _log(expected), _log(found))]


def _unequal(place: str, expected: Any, found: Any) -> Iterator[str]:
    """Paths below `place` at which two nested structures of numbers and tensors differ in any bit."""
    import torch

    if isinstance(expected, dict) and isinstance(found, dict):
        for key in expected.keys() | found.keys():
            yield from _unequal(f"{place}.{key}", expected.get(key), found.get(key))
    elif isinstance(expected, list | tuple) and isinstance(found, list | tuple) and len(expected) == len(found):
        for index, pair in enumerate(zip(expected, found, strict=True)):
            yield from _unequal(f"{place}.{index}", *pair)
    elif isinstance(expected, torch.Tensor) and isinstance(found, torch.Tensor):
        if expected.dtype != found.dtype or not torch.equal(expected, found):
            yield place
    elif expected != found:
        yield place


def _last_checkpoint(run: Path) -> dict[str, Any]:
    from gan_trainer.training.checkpoint import list_checkpoints, load_checkpoint

    saved = load_checkpoint(list_checkpoints(run / "checkpoints")[-1])
    return {key: value for key, value in saved.items() if key not in TIMES}


def _log(run: Path) -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key not in TIMES} for line in lines]


def _row(number: int, sittings: list[Sitting], found: list[str]) -> Row:
    kills = [sitting for sitting in sittings if sitting.killed]
    return {
        "run": number,
        "kills": len(kills),
        "after s": ", ".join(f"{kill.seconds:.1f}" for kill in kills),
        "images saved by then": ", ".join(f"{kill.saved:,}" for kill in kills),
        "differences": ", ".join(found),
    }


def _options() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("--recipe", default="quick", help="quick or gan")
    parser.add_argument("--images", type=int, default=25_600, help="length of each run")
    parser.add_argument("--checkpoint-every", type=int, help="images between two checkpoints; default: 16 checkpoints")
    parser.add_argument("--runs", type=int, default=10, help="number of runs to interrupt")
    parser.add_argument("--seed", type=int, default=0, help="of the delays")
    options = parser.parse_args()

    options.checkpoint_every = options.checkpoint_every or options.images // 16
    return options


if __name__ == "__main__":
    main()
