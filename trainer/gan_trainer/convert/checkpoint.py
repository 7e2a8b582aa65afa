"""Checkpoints of others: files with weights somewhere in them, by whatever names."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from gan_runtime.errors import InputError
from gan_trainer.convert.safetensors import load_safetensors
from gan_trainer.convert.snapshots import SUFFIX, is_snapshot, read_network
from gan_trainer.export.memory import refuse_more
from gan_trainer.networks.weights import load_saved

SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".safetensors", SUFFIX)  # of files with weights
LARGEST = 2**31  # bytes of all weights in a file
READING = 2  # bytes of memory for each one of a file
LONGEST = 200  # characters of a name
DEEPEST = 3  # dictionaries within each other
PREFERRED = ("params_ema", "g_ema", "ema", "params", "state_dict", "model_state_dict")
"""Names of dictionaries with weights; the first of those that a file has is meant, averages before the others."""
WRAPPERS = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before all names
AVERAGE = "G_ema"  # the network of a snapshot that its authors draw images with
COUNTER = "num_batches_tracked"  # of batch norm; only training needs it


@dataclass(frozen=True)
class Part:
    """Weights by name that belong together: float32 tensors.

    Attributes:
        place: where in the file they are, such as "params_ema"; "" for the whole file.
        weights: by their names.
        beside: what the file says of them: settings of a snapshot's modules, or tensors beside the dictionary.
    """

    place: str
    weights: dict[str, Tensor]
    beside: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """The weights in a file, the preferred ones first, and the file's SHA-256."""

    path: Path
    sha256: str
    parts: tuple[Part, ...]


def read_checkpoint(path: Path) -> Checkpoint:
    """The weights in a file of `torch.save`, safetensors, or a snapshot of StyleGAN2, without running code from it.

    Wrapping dictionaries and prefixes are removed, counters of batches dropped, and half precision is converted.

    Raises:
        InputError: the file cannot be read, is damaged or too large, for the memory, too, or has no weights that are
            finite floats.
    """
    if path.is_file():
        refuse_more(READING * path.stat().st_size, f"{path}: reading it")
    if is_snapshot(path):
        weights, settings = read_network(path, LARGEST, AVERAGE)
        return _checkpoint(path, Part(AVERAGE, _plain(path, weights), settings))
    if path.suffix == ".safetensors" and path.is_file():
        saved: Any = load_safetensors(path, LARGEST)
    else:
        saved = load_saved(path, LARGEST)
    if isinstance(saved, dict) and {"networks", "averages", "config"} <= saved.keys():
        raise InputError(f"{path}: a checkpoint of a run of gan-train; name the run: gan-export {path.parent.parent}")
    parts = [replace(part, weights=_plain(path, part.weights)) for part in _groups(saved)]
    if not parts:
        raise InputError(f"{path}: has no weights by name; save the state_dict of the network")
    return _checkpoint(path, *parts)


def _checkpoint(path: Path, *parts: Part) -> Checkpoint:
    with path.open("rb") as file:
        return Checkpoint(path, hashlib.file_digest(file, "sha256").hexdigest(), parts)


def _groups(
    saved: Any, place: str = "", depth: int = 0, beside: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[Part]:
    """All dictionaries of tensors within `saved`."""
    if not isinstance(saved, dict) or depth > DEEPEST:
        return
    weights = {name: value for name, value in saved.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if any(value.ndim > 1 for value in weights.values()):  # not the counters beside a dictionary of weights
        yield Part(place, weights, beside)
    names = [name for name in saved if isinstance(name, str)]
    for name in sorted(names, key=lambda name: PREFERRED.index(name) if name in PREFERRED else len(PREFERRED)):
        yield from _groups(saved[name], f"{place}.{name}" if place else name, depth + 1, weights)


def _plain(path: Path, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights as float32 by their own names."""
    weights = {name: value for name, value in weights.items() if not name.endswith(COUNTER)}
    if strange := [name for name in weights if len(name) > LONGEST or not name.isprintable()]:
        raise InputError(f"{path}: damaged: {strange[0][:LONGEST]!r} is no name of a weight; download it again")
    for name, value in weights.items():
        if value.is_quantized or not value.is_floating_point():
            raise InputError(f"{path}: {name} has values of type {value.dtype}; give the weights as floats")
        if value.layout != torch.strided or value.device.type != "cpu":
            raise InputError(f"{path}: {name} is no dense tensor; save the state_dict of the network")
    if 4 * sum(value.numel() for value in weights.values()) > LARGEST:  # a file may give one value many times
        raise InputError(f"{path}: its weights would take more than {LARGEST:,} bytes")
    for wrapper in WRAPPERS * 2:
        if all(name.startswith(wrapper) for name in weights):
            weights = {name.removeprefix(wrapper): value for name, value in weights.items()}
    plain = {name: value.detach().float() for name, value in weights.items()}
    for name, value in plain.items():
        if not bool(torch.isfinite(value).all()):
            raise InputError(f"{path}: {name} has values that are not finite; its training diverged")
    return plain
