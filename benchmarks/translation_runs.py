"""Train a recipe on a task for a number of CPU minutes, export it, and translate the test pictures with the files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from budget import call, train_for
from PIL import Image
from translation_data import Images, Task
from translation_scores import in_colour

from gan_runtime.image_to_image.translator import Translator

PROBE = 320  # images of a run that measures the speed of this machine
SHOWN = 10  # pictures of a sheet
COLOURS = 3  # channels of colour pictures, as which grey ones are read, too


@dataclass(frozen=True)
class Trial:
    """A recipe with settings, arguments of gan-train, and its length in minutes of one CPU."""

    name: str
    recipe: str
    minutes: float
    settings: tuple[Any, ...] = ()


TRIALS = {
    "sketch": (
        Trial("pix2pix-quick", "pix2pix-quick", 8),
        Trial("L1 only", "pix2pix-quick", 8, ("--gan-weight", 0)),
    ),
    "tone": (Trial("cyclegan-quick", "cyclegan-quick", 4),),
    "vendors": (Trial("cyclegan-quick", "cyclegan-quick", 4),),
    "winter": (Trial("cyclegan-quick", "cyclegan-quick", 8),),
}


def translations(name: str, task: Task, trial: Trial, seed: int, place: Path) -> tuple[list[Images], float] | None:
    """The outputs for the test pictures, in both directions if the recipe has both, and the CPU minutes of the run.

    None if the run diverged. Data, runs and files are kept in `place`; a run that is there is not repeated.
    """
    data, stem = place / name, f"{name}-{trial.name}-{trial.minutes:g}-{seed}".replace(" ", "-")
    if not data.exists():
        task.write(data)
    common = [data, "--recipe", trial.recipe, "--threads", 1, "--eval-every", 0, "--quiet", "--json", *trial.settings]
    minutes, file = train_for(trial.minutes, place, stem, PROBE, common, seed), place / f"{stem}.onnx"
    if minutes is None:
        return None
    if not file.exists():
        call(place, "gan-export", f"runs/{stem}", "--output", file, "--json")
    found = [_translated(file, task.test.inputs)]
    if not task.paired:
        found.append(_translated(file.with_name(f"{stem}-inverse.onnx"), task.test.outputs))
    write_sheet(place / f"{stem}.png", task, found)
    return found, minutes


def write_sheet(path: Path, task: Task, found: list[Images]) -> None:
    """Rows of inputs, outputs and true outputs, for each direction."""
    rows = []
    for pairs, outputs in zip((task.test, task.test.back), found, strict=False):
        rows += [in_colour(pairs.inputs), outputs, pairs.outputs]
    chosen = np.linspace(0, len(task.test.inputs) - 1, SHOWN).astype(int)
    sheet = np.concatenate([np.concatenate(list(row[chosen]), axis=1) for row in rows])
    Image.fromarray(sheet).save(path)


def _translated(file: Path, pictures: Images) -> Images:
    with Translator.load(file, "cpu", threads=1) as translator:
        return translator(in_colour(pictures) if translator.manifest.source.channels == COLOURS else pictures)
