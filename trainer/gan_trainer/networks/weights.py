"""Weights in files of others: read without running code from them, in bounded memory."""

import zipfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.serialization import safe_globals

from gan_runtime.errors import InputError

MARGIN = 2**20  # bytes that a file may be larger than its weights: names, alignment, directory
NAMES = 3  # that a message lists


def load_weights(path: Path, largest: int) -> dict[str, Tensor]:
    """The dictionary of tensors that `torch.save` wrote to `path`.

    Args:
        path: a .pth file, of the zip format of torch 1.6 and later or of the one before.
        largest: bytes that all of the weights may have.

    Raises:
        InputError: the file cannot be read, is larger, is a TorchScript archive, or holds anything but dense tensors
            by name.
    """
    saved = load_saved(path, largest)
    if not isinstance(saved, dict) or not all(isinstance(name, str) and _is_dense(saved[name]) for name in saved):
        raise InputError(f"{path}: holds something else than weights by name")
    return dict(saved)


def load_saved(path: Path, largest: int) -> Any:
    """What `torch.save` wrote to `path`: tensors and options in plain containers.

    Args:
        path, largest: as `load_weights`.

    Raises:
        InputError: the file cannot be read, is larger, is a TorchScript archive, or holds objects of other kinds.
    """
    _check_file(path, largest + MARGIN)
    try:
        with safe_globals([Namespace]):  # plain values: the options of a training script
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:  # torch raises whatever its zip and pickle readers do
        raise InputError(
            f"{path}: damaged, or more than weights: torch refuses it ({type(error).__name__}); download it again, or "
            "save the state_dict of the network alone"
        ) from None


def fill(network: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Copy `weights` into `network`, whose names they have; counters of batches may be missing.

    Raises:
        InputError: as `check_fit`; nothing is copied.
    """
    check_fit(network, weights, path)
    network.load_state_dict(_without_counters(weights), strict=False)


def check_fit(network: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Raise InputError if a name of a weight is missing or unknown, or a shape differs."""
    expected = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
    found = _without_counters(weights)
    for names, what in ((expected.keys() - found.keys(), "lacks"), (found.keys() - expected.keys(), "has, besides,")):
        if names:
            raise InputError(f"{path}: weights of another network: it {what} {_listed(names)}")
    for name, value in found.items():
        if value.shape != expected[name].shape:
            shapes = f"is {list(value.shape)}, not {list(expected[name].shape)}"
            raise InputError(f"{path}: weights of another network: {name} {shapes}")


def _without_counters(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}


def _check_file(path: Path, largest: int) -> None:
    """Raise InputError where reading `path` would take more memory than `largest` bytes, or run code."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_file():  # reading a pipe would wait forever
        raise InputError(f"{path}: not a regular file")
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise InputError(f"{path}: damaged ({error}); download it again") from None
        if any(entry.filename.endswith("/constants.pkl") for entry in entries):
            raise InputError(f"{path}: a TorchScript archive: a program with its weights, which is not run here")
        if min((entry.header_offset for entry in entries), default=0):  # torch would read another directory
            raise InputError(f"{path}: damaged (there is something before the archive); download it again")
        size = max(size, sum(entry.file_size for entry in entries))
    if size > largest:
        raise InputError(f"{path}: {size:,} bytes, and the weights of the network have {largest:,} at most")


def _is_dense(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and value.device.type == "cpu"


def _listed(names: set[str]) -> str:
    some = ", ".join(sorted(names)[:NAMES])
    return some if len(names) <= NAMES else f"{some} and {len(names) - NAMES} more"
