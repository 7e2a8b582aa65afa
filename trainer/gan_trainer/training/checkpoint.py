"""Checkpoints: one dictionary per file, written atomically, and loaded without executing code."""

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_runtime import __version__
from gan_runtime.errors import GanEdgeError
from gan_runtime.files import atomic_write
from gan_trainer.training.config import Config
from gan_trainer.training.format2 import from_format_2
from gan_trainer.training.state import TrainState

FORMAT = "gan-edge checkpoint"
FORMAT_VERSION = 3
CONTENT_ERRORS = (RuntimeError, TypeError, ValueError, KeyError, AttributeError)  # errors of load_state_dict
KEYS = {"config", "networks", "averages", "optimizers", "extra", "meter", "counters", *TrainState.PROGRESS, "rng"}


def checkpoint_path(folder: Path, images_seen: int) -> Path:
    """The file in `folder` for a number of images seen; names sort by it."""
    return folder / f"{images_seen:012d}.pt"


def list_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints in `folder`, oldest first; files of other names are ignored."""
    return sorted((path for path in folder.glob("*.pt") if path.stem.isdecimal()), key=lambda path: int(path.stem))


def save_checkpoint(folder: Path, state: TrainState, config: Config, best: int | None = None) -> Path:
    """Write the state, check that it is finite first, and remove all but the last `config.keep_checkpoints` files.

    The checkpoint after `best` images is also kept.

    Raises:
        Diverged: a weight is not finite; nothing is written.
        OutputError: the disk is full or the folder is not writable; older checkpoints remain.
    """
    state.check_finite()
    content = io.BytesIO()
    header = {"format": FORMAT, "format_version": FORMAT_VERSION, "gan_edge": __version__, "config": config.to_dict()}
    torch.save(header | state.state_dict(), content)
    path = checkpoint_path(folder, state.images_seen)
    with atomic_write(path, durable=True) as file:
        file.write(content.getbuffer())
    for old in list_checkpoints(folder)[: -config.keep_checkpoints]:
        if int(old.stem) != best:
            old.unlink()
    return path


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The dictionary that `save_checkpoint` wrote, with tensors on the CPU. Format 2 is converted to format 3.

    Raises:
        GanEdgeError: the file is missing, corrupt, of another program or a newer version, or contains code.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise GanEdgeError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:  # torch passes on any error of its zip and pickle readers
        raise GanEdgeError(
            f"{path}: corrupt, foreign or unsafe: torch refuses to load it as plain weights "
            f"({type(error).__name__}); if it belongs to a run, remove it to continue from an older checkpoint"
        ) from None
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise GanEdgeError(f"{path}: not a gan-edge checkpoint")
    version = saved.get("format_version")
    try:
        current = from_format_2(saved) if version == 2 else saved
    except CONTENT_ERRORS:
        raise damaged(path) from None
    if version not in (2, FORMAT_VERSION) or not set(current) >= KEYS:
        found = f"format {version} of gan-edge {saved.get('gan_edge')}"
        raise GanEdgeError(
            f"{path}: {found}; this version reads formats 2 and {FORMAT_VERSION}; export it with that one"
        )
    weights = [current[part] for part in ("networks", "averages")]
    if not (
        isinstance(current["images_seen"], int)
        and isinstance(current["seconds"], float)
        and all(isinstance(one, dict) and all(isinstance(w, dict) for w in one.values()) for one in weights)
    ):
        raise damaged(path)
    return current


def averaged_weights(saved: dict[str, Any], name: str) -> dict[str, Tensor]:
    """The averaged weights of a network in a checkpoint; its current weights if the run keeps no average."""
    weights: dict[str, Tensor] = saved["averages"].get(name) or saved["networks"][name]
    return weights


def damaged(path: Path) -> GanEdgeError:
    """The error for a checkpoint whose content does not match its configuration."""
    return GanEdgeError(
        f"{path}: its content does not match its configuration; remove it to continue from an older checkpoint"
    )
