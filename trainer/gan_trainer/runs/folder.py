"""Run folders: runs/<name>/ with config.json, metrics.jsonl, floors.json, checkpoints/, samples/ and report.html."""

import json
import os
import platform
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gan_runtime import __version__
from gan_runtime.errors import GanEdgeError, InputError, OutputError
from gan_runtime.files import atomic_write, lock, remove_leftovers
from gan_runtime.images.grids import save_png
from gan_trainer.runs import history
from gan_trainer.tasks import task_of
from gan_trainer.training.checkpoint import list_checkpoints, load_checkpoint
from gan_trainer.training.config import Config

CONFIG, METRICS, FLOORS = "config.json", "metrics.jsonl", "floors.json"
CHECKPOINTS, SAMPLES = "checkpoints", "samples"


@dataclass(frozen=True)
class Run:
    """The folder of one run."""

    folder: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.folder / CHECKPOINTS

    @property
    def samples(self) -> Path:
        """Folder of the sample grids."""
        return self.folder / SAMPLES

    def log(self, entry: dict[str, Any]) -> None:
        """Append a line to metrics.jsonl."""
        path = self.folder / METRICS
        try:
            with path.open("a") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error

    def save_picture(self, images_seen: int, picture: NDArray[np.uint8]) -> Path:
        """Save a grid of samples, uint8 [h, w, c], and return its path."""
        path = self.samples / f"{images_seen:012d}.png"
        save_png(path, picture)
        return path

    def entries(self) -> list[dict[str, Any]]:
        """The entries of metrics.jsonl; without evaluations in other features than the last ones (`comparable`)."""
        return history.comparable(self._all_entries())

    def _all_entries(self) -> list[dict[str, Any]]:
        """All entries of metrics.jsonl; truncated or damaged lines are skipped."""
        try:
            lines = (self.folder / METRICS).read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return []
        return [entry for entry in map(_entry, lines) if entry is not None]

    def best(self, now: int | None = None) -> dict[str, Any] | None:
        """The best evaluation that has a checkpoint, or that gets one after `now` images; None if there is none."""
        saved = {now, *(int(path.stem) for path in list_checkpoints(self.checkpoints))}
        found = [entry for entry in self.entries() if entry["images"] in saved and "n" in entry]
        return history.best(found, task_of(self.config()).best) if found else None

    def best_images(self, now: int | None = None) -> int | None:
        """Images seen at the best evaluation; None if there is none."""
        found = self.best(now)
        return found["images"] if found else None

    def write_config(self, config: Config) -> None:
        """Store changed settings in config.json; the recorded versions of the software are kept."""
        path = self.folder / CONFIG
        try:
            document = dict(json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            document = {"software": software()}
        with atomic_write(path) as file:
            file.write(json.dumps(document | config.to_dict(), indent=2).encode() + b"\n")

    def write_floors(self, document: dict[str, Any]) -> None:
        """Store the scores of real images."""
        with atomic_write(self.folder / FLOORS) as file:
            file.write(json.dumps(document, indent=2).encode() + b"\n")

    def floors(self) -> dict[str, Any] | None:
        """The scores that `write_floors` stored; None if the file is missing or damaged."""
        try:
            document = json.loads((self.folder / FLOORS).read_text())
            return document if isinstance(document, dict) else None
        except (OSError, ValueError):
            return None

    def forget_after(self, images_seen: int) -> None:
        """Remove later entries and the final evaluations, which a resumed run repeats at its end."""
        path = self.folder / METRICS
        if not path.exists():
            return
        entries = [
            json.dumps(entry)
            for entry in self._all_entries()
            if entry["images"] <= images_seen and not history.is_final(entry)
        ]
        content = "".join(f"{line}\n" for line in entries).encode()
        if content != path.read_bytes():
            with atomic_write(path) as file:
                file.write(content)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the run against other processes, and remove incomplete files that killed processes left.

        Raises:
            GanEdgeError: another process is training it.
        """
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            if not lock(descriptor):
                raise GanEdgeError(f"{self.folder}: another process is training it; stop it or wait for its end")
            for folder in (self.folder, self.checkpoints, self.samples):
                remove_leftovers(folder)
            yield
        finally:
            os.close(descriptor)

    def newest_checkpoint(self) -> Path | None:
        """The last checkpoint, if there is one."""
        return next(iter(reversed(list_checkpoints(self.checkpoints))), None)

    def load(self) -> tuple[Config, dict[str, Any] | None]:
        """The configuration and the last checkpoint, which is None if the run was stopped before its first one.

        Raises:
            GanEdgeError: the checkpoint or the configuration is damaged.
        """
        path = self.newest_checkpoint()
        if path is None:
            return self.config(), None
        saved = load_checkpoint(path)
        return Config.from_dict(saved["config"], str(path)), saved

    def config(self) -> Config:
        """The configuration in config.json. Raises GanEdgeError where it is missing or damaged."""
        path = self.folder / CONFIG
        try:
            document = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise GanEdgeError(f"{path}: cannot be read: {error}") from None
        return Config.from_dict(document, str(path))


def check_name(runs_dir: Path, name: str | None) -> None:
    """Raise InputError if a run cannot have this name."""
    if name is None:
        return
    if not name or Path(name).name != name or name.startswith("."):
        raise InputError(f"--name {name!r}: must be a folder name without a path")
    if (runs_dir / name).exists():
        raise InputError(f"--name {name}: {runs_dir / name} exists; choose another name, or continue with --resume")


def make_runs_dir(runs_dir: Path) -> None:
    """Create the folder of runs if it is missing. Raises OutputError if it is not writable."""
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{runs_dir}: runs cannot be written there: {error.strerror}") from None
    if not os.access(runs_dir, os.W_OK | os.X_OK):
        raise OutputError(f"{runs_dir}: runs cannot be written there: Permission denied")


def create_run(runs_dir: Path, name: str | None, config: Config) -> Run:
    """Create a new run folder; it contains config.json as soon as it exists.

    Args:
        runs_dir: created if it is missing.
        name: of the folder, which must not exist; None for <data>-<recipe>, with a number if that exists.
        config: the contents of config.json.

    Raises:
        InputError: the name exists already, or contains a path.
        OutputError: the folder cannot be created.
    """
    check_name(runs_dir, name)
    make_runs_dir(runs_dir)
    try:
        draft = runs_dir / f".new-{secrets.token_hex(8)}"
        draft.mkdir()
    except OSError as error:
        raise OutputError(f"{runs_dir}: runs cannot be written there: {error.strerror}") from None
    try:
        for folder in (CHECKPOINTS, SAMPLES):
            (draft / folder).mkdir()
        (draft / CONFIG).write_text(json.dumps(config.to_dict() | {"software": software()}, indent=2) + "\n")
        return Run(_claim(draft, runs_dir, name, f"{config.data.name}-{config.recipe_name}"))
    except OSError as error:
        raise OutputError(f"{runs_dir}: runs cannot be written there: {error.strerror}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def open_run(path: Path, runs_dir: Path) -> Run:
    """The run at `path`, or of that name in `runs_dir`. Raises GanEdgeError where there is none."""
    for folder in (path, runs_dir / path):
        if (folder / CONFIG).is_file() or list_checkpoints(folder / CHECKPOINTS):
            return Run(folder)
    raise GanEdgeError(f"run {path}: not found (a run is a folder with {CONFIG}, made by gan-train)")


def newest_run(runs_dir: Path) -> Run:
    """The run in `runs_dir` that wrote a checkpoint last. Raises GanEdgeError where there is none."""
    checkpoints = [path for folder in runs_dir.glob(f"*/{CHECKPOINTS}") for path in list_checkpoints(folder)]
    if not checkpoints:
        raise GanEdgeError(f"{runs_dir}: no run with a checkpoint; train one with gan-train, or name a run folder")
    return Run(max(checkpoints, key=lambda path: path.stat().st_mtime_ns).parents[1])


def software() -> dict[str, str]:
    """Versions of the software that the results of a run depend on."""
    return {"gan-edge": __version__, "torch": str(torch.__version__), "python": platform.python_version()}


def _claim(draft: Path, runs_dir: Path, name: str | None, default: str) -> Path:
    """Give `draft` its final name. Renaming onto a non-empty folder fails, so two processes never share one."""
    names = [name] if name is not None else (default if i == 1 else f"{default}-{i}" for i in count(1))
    for candidate in names:
        folder = runs_dir / candidate
        if not folder.exists():
            try:
                return draft.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
    check_name(runs_dir, name)  # another process has taken the name meanwhile
    raise OutputError(f"{runs_dir}: runs cannot be written there")


def _entry(line: str) -> dict[str, Any] | None:
    """A line of metrics.jsonl; None for one that is truncated or damaged."""
    try:
        entry = json.loads(line)
        return entry if isinstance(entry, dict) and isinstance(entry["images"], int) else None
    except (ValueError, KeyError):
        return None
