"""Runs of gan-train whose length is given in CPU seconds, each in a process of one thread."""

import json
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

from gan_trainer.compare.processes import Processes

RUN = Processes().run


def images_in(seconds: float, place: Path, name: str, probe: int, words: list[Any]) -> int:
    """The number of images that a run sees in so many CPU seconds, from the speed of a short run.

    Args:
        seconds: of the CPU.
        place: the folder with runs/.
        name: of the short run, which is used again if it is there.
        probe: its images; the speed is that of their second half.
        words: arguments of gan-train, without a length and a name.
    """
    log = place / "runs" / name / "metrics.jsonl"
    if not log.exists():
        call(place, "gan-train", *words, "--images", probe, "--log-every", probe // 2, "--name", name)
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    first, last = [entry for entry in entries if "images_per_second" in entry][-2:]
    speed = (last["images"] - first["images"]) / (last["cpu_seconds"] - first["cpu_seconds"])
    return round(seconds * speed)


def train_for(minutes: float, place: Path, name: str, probe: int, words: list[Any], seed: int) -> float | None:
    """Train the run `name` for so many CPU minutes: the minutes that its steps took, None if it diverged.

    A run that is there goes on to the end that it was given. Arguments as `images_in`.
    """
    folder = Path("runs", name)
    if (place / folder).exists():
        asked = ["--resume", folder, "--quiet", "--json"]
    else:
        images = images_in(60 * minutes, place, f"speed-{name}", probe, words)
        asked = [*words, "--images", images, "--seed", seed, "--name", name]
    if call(place, "gan-train", *asked) is None:
        return None
    log = place / folder / "metrics.jsonl"
    return max(json.loads(line).get("cpu_seconds", 0) for line in log.read_text().splitlines()) / 60


def call(place: Path, program: str, *arguments: object) -> dict[str, Any] | None:
    """The JSON that a command prints, run in `place`; None if gan-train reports divergence.

    Other errors end this process.
    """
    with chdir(place):
        done = RUN(program, *arguments)
    if done.code and "diverged" in done.err:
        return None
    if done.code:
        sys.exit(f"{program} {' '.join(map(str, arguments))}: exit code {done.code}: {done.err}")
    report: dict[str, Any] = json.loads(done.out)
    return report
