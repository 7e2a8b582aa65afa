"""Snapshots of stylegan2-ada-pytorch and stylegan3: pickles that carry modules with the source of their classes.

The source is never run. A module is the dictionary that it was saved as: its numbers, its tensors and its modules.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from gan_runtime.errors import InputError
from gan_runtime.files.kinds import HEAD, kind_of_file
from gan_trainer.convert.pickles import RefusedError, read_values
from gan_trainer.convert.saved import NAMES, SavedModule, SavedTensor, exactly

SUFFIX = ".pkl"
PROTOCOL, PROTOCOLS = b"\x80", (b"\x02", b"\x03", b"\x04", b"\x05")  # how a pickle begins
PLAIN = (bool, int, float, str, type(None))  # types of settings
LONGEST = 200  # characters of a reason in a message
SHOWN = 4  # names in a message
DEEPEST, MOST_MODULES = 8, 4096  # modules within each other, and in all
TENSORFLOW = "dnnlib.tflib.network.Network"
ADVICE = (
    "only snapshots of stylegan2-ada-pytorch and of stylegan3 are read, and nothing in them is run; save the "
    "state_dict of another network with torch.save"
)


def is_snapshot(path: Path) -> bool:
    """Whether a file is read as a snapshot: by its suffix, unless `torch.save` wrote it as an archive."""
    return path.suffix == SUFFIX and not (path.is_file() and _head(path).startswith(b"PK"))


def read_snapshot(path: Path, largest: int) -> dict[str, Any]:
    """The networks and settings in a snapshot: `SavedModule`s and plain values by name.

    Args:
        path: a file written by `pickle.dump`.
        largest: bytes that it may have.

    Raises:
        InputError: the file cannot be read, is none of these snapshots, is larger or damaged, or asks for anything
            that a snapshot does not need.
    """
    _check_file(path, largest)
    with _explained(path):
        with path.open("rb") as file:
            saved = read_values(file, path.stat().st_size, NAMES)
        if type(saved) is not dict or not any(type(value) is SavedModule for value in saved.values()):
            raise InputError(f"a pickle without networks; {ADVICE}")
    return saved


def read_network(path: Path, largest: int, name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a network in a snapshot, and the plain values of its modules, both by their dotted names.

    Args:
        path, largest: as `read_snapshot`; `largest` bounds the tensors, too.
        name: of the network, such as "G_ema".

    Raises:
        InputError: as `read_snapshot`, or there is no such network.
    """
    saved = read_snapshot(path, largest)
    networks = [key for key, value in saved.items() if type(value) is SavedModule]
    if name not in networks:
        raise InputError(f"{path}: lacks {name}; it has {', '.join(map(str, networks[:SHOWN]))}")
    with _explained(path):
        tensors: dict[str, SavedTensor] = {}
        values: dict[str, Any] = {}
        for place, module in _walk(saved[name]):
            held = module.part("_parameters") | module.part("_buffers")
            tensors |= {place + key: exactly(SavedTensor, value) for key, value in held.items() if value is not None}
            values |= {place + key: value for key, value in module.attributes.items() if type(value) in PLAIN}
        if sum(len(tensor.storage) for tensor in tensors.values()) > largest:  # one may be there many times
            raise InputError(f"its tensors would take more than {largest:,} bytes")
        return {name: tensor.read() for name, tensor in tensors.items()}, values


def _walk(module: SavedModule) -> Iterator[tuple[str, SavedModule]]:
    """A module and all within it, by what the names of their tensors begin with."""
    waiting, count = [("", module)], 0
    while waiting:
        place, module = waiting.pop()
        count += 1
        if count > MOST_MODULES or place.count(".") > DEEPEST:
            raise ValueError("too many modules within each other")
        yield place, module
        waiting += [(place + key + ".", exactly(SavedModule, inner)) for key, inner in module.part("_modules").items()]


def _check_file(path: Path, largest: int) -> None:
    """Raise InputError unless `path` is a pickle of protocol 2 or later, of at most `largest` bytes."""
    if not path.is_file():  # reading a pipe would wait forever
        raise InputError(f"{path}: {'not a regular file' if path.exists() else 'no such file'}")
    head, size = _head(path), path.stat().st_size
    if size > largest:
        raise InputError(f"{path}: {size:,} bytes; snapshots have at most {largest:,}")
    if head[:1] != PROTOCOL or head[1:2] not in PROTOCOLS:
        kind = kind_of_file(head) if head else "empty"
        raise InputError(f"{path}: no pickle{f', but {kind}' if kind else ''}; {ADVICE}")


def _head(path: Path) -> bytes:
    with _explained(path), path.open("rb") as file:
        return file.read(HEAD)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a pickle into an InputError that names the file."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except RefusedError as error:
        raise InputError(f"{path}: {_advised(str(error))}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, LookupError, TypeError, AttributeError, MemoryError, OverflowError) as error:
        raise InputError(
            f"{path}: damaged: {str(error)[:LONGEST] or type(error).__name__}; download it again"
        ) from None


def _advised(reason: str) -> str:
    if TENSORFLOW in reason:
        return f"asks for {TENSORFLOW}: a snapshot of TensorFlow; convert it with legacy.py of stylegan2-ada-pytorch"
    return f"{reason}; {ADVICE}"
