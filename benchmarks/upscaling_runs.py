"""Train networks that enlarge for a number of CPU minutes, export them, and measure the files."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from budget import call, train_for

PROBE = 160  # crops of a run that measures the speed of this machine
NETWORKS: dict[str, tuple[Any, ...]] = {  # arguments of gan-train
    "compact": ("--network", "compact"),
    "compact-32": ("--network", "compact", "--width", 32),
    "edsr": ("--network", "edsr"),
    "rrdb": ("--network", "rrdb", "--blocks", 2),
}


@dataclass(frozen=True)
class Made:
    """An exported file, and the CPU minutes of training that are behind it."""

    label: str
    file: Path
    minutes: float

    @property
    def bytes(self) -> int:
        """Of the file."""
        return self.file.stat().st_size


def files_of(name: str, options: argparse.Namespace) -> Iterator[Made]:
    """The file of a network after `sr`, and those after `esrgan` and in between if they are asked for.

    Runs that diverge give none.
    """
    place, seed = options.work.resolve(), options.seed
    network = [*NETWORKS[name], *(word for pair in options.set for word in pair)]
    first = f"{name}-sr-{options.minutes:g}-{seed}"
    minutes = train_for(options.minutes, place, first, PROBE, _words(options.data, "sr", network), seed)
    if minutes is None:
        return
    yield Made(f"{name}, sr", _exported(place, first), minutes)
    if not options.gan_minutes:
        return
    second = f"{name}-esrgan-{options.minutes:g}-{options.gan_minutes:g}-{seed}"
    more = [*network, *(word for pair in options.gan_set for word in pair), "--init-from", f"runs/{first}"]
    after = train_for(options.gan_minutes, place, second, PROBE, _words(options.data, "esrgan", more), seed)
    if after is None:
        return
    yield Made(f"{name}, esrgan", _exported(place, second), minutes + after)
    for share in options.blend:
        file = _exported(place, second, f"-blend-{share:g}", "--blend", f"runs/{first}", "--amount", 1 - share)
        yield Made(f"{name}, {share:g} esrgan + {1 - share:g} sr", file, minutes + after)


def measured(made: list[Made], data: Path, place: Path) -> dict[str, Any]:
    """The report of gan-eval on Set14."""
    photos = data.resolve() / "super-resolution" / "set14.zip"
    files, sheet = [one.file for one in made], place / "set14.png"
    report = call(place, "gan-eval", *files, photos, "--threads", 1, "--picture", sheet, "--quiet", "--json")
    assert report is not None
    return report


def _words(data: Path, recipe: str, settings: list[Any]) -> list[Any]:
    """Arguments of gan-train. Evaluations are left out: they would not count as time, and nothing here uses them."""
    photos = data.resolve() / "super-resolution" / "train-photos.zip"
    common = ["--recipe", recipe, "--scale", 4, "--hold-out", 0, "--eval-every", 0, "--threads", 1]
    return [photos, *common, "--quiet", "--json", *settings]


def _exported(place: Path, run: str, suffix: str = "", *words: object) -> Path:
    """The file of a run, exported if it is not there."""
    file = place / f"{run}{suffix}.onnx"
    if not file.exists():
        call(place, "gan-export", f"runs/{run}", "--checkpoint", "last", *words, "--output", file, "--json")
    return file
