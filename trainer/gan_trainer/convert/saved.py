"""What a snapshot of StyleGAN2 holds beside plain values: modules, tensors and numbers of numpy, none of which acts."""

import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_trainer.convert.pickles import PERSISTENT, Known, Names, Stateful, read_values

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001  # what torch.save writes before a storage that is pickled
LENGTH = 8  # bytes of the number of values before them
MOST_AXES = 8  # of a tensor
NUMBERS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")  # types of numpy's numbers


@dataclass(frozen=True)
class SavedModule:
    """A module of torch: the name of its class, and its attributes."""

    class_name: str
    attributes: dict[str, Any]

    def part(self, kind: str) -> dict[str, Any]:
        """Its "_parameters", "_buffers" or "_modules". Raises TypeError if it has none."""
        found: dict[str, Any] = exactly(dict, self.attributes.get(kind))
        return found


@dataclass(frozen=True)
class SavedTensor:
    """A tensor whose storage has not been read."""

    storage: bytes
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self) -> Tensor:
        """The tensor. Raises ValueError, LookupError or TypeError if its storage is damaged, or too small for it."""
        flat = _read_storage(self.storage)
        numbers = (self.offset, *self.size, *self.stride)
        if not len(self.size) == len(self.stride) <= MOST_AXES or not all(map(_is_length, numbers)):
            raise ValueError("a tensor without a shape")
        reach = sum((length - 1) * step for length, step in zip(self.size, self.stride, strict=True))
        if 0 in self.size or math.prod(self.size) > len(flat) or self.offset + reach >= len(flat):
            raise ValueError(f"a tensor {list(self.size)} in a storage of {len(flat)} values")
        return flat.as_strided(self.size, self.stride, self.offset)


def _read_storage(content: bytes) -> Tensor:
    """The values in a storage as `torch.save` writes it into a pickle: five pickles, the number of values, and they.

    torch's own reader takes more than that, and overflows the stack of a process with keys that are nested tuples.
    """
    file = io.BytesIO(content)
    magic, version, system, (kind, count), _ = (read_values(file, len(content), STORAGE) for _ in range(5))
    if (magic, version) != (MAGIC, VERSION) or exactly(dict, system).get("little_endian") is not True:
        raise ValueError("a storage in an unknown format")
    values = file.read()
    if int.from_bytes(values[:LENGTH], "little") != count or len(values) != LENGTH + count * kind.itemsize:
        raise ValueError(f"a storage of {len(values)} bytes for {count} values")
    return torch.frombuffer(bytearray(values[LENGTH:]), dtype=kind)


def _described(about: Any) -> tuple[torch.dtype, int]:
    """The type and the number of the values of a storage, from what torch writes of it."""
    word, kind, _, _, count, view = exactly(tuple, about)
    if word != "storage" or type(kind) is not Known or not _is_length(count) or not count or view is not None:
        raise ValueError("a storage in an unknown format")
    return kind.make(), count


def _is_length(number: Any) -> bool:
    return type(number) is int and 0 <= number < 2**63


def exactly(kind: type, value: Any) -> Any:
    """`value`, if it is of exactly this type. Raises TypeError."""
    if type(value) is not kind:
        raise TypeError(f"a {type(value).__name__} in place of a {kind.__name__}")
    return value


def _module(saved: Any) -> SavedModule:
    """What stands in place of the function that would run the source in `saved`, and make an object of its class."""
    found = exactly(dict, saved)
    return SavedModule(exactly(str, found["class_name"]), exactly(dict, found["state"]))


def _dictionary(*items: Any) -> dict[Any, Any]:
    if items:
        raise TypeError("a dictionary with items in its call")
    return {}


def _storage(content: Any) -> bytes:
    found: bytes = exactly(bytes, content)
    return found


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> SavedTensor:
    return SavedTensor(exactly(bytes, storage), exactly(int, offset), exactly(tuple, size), exactly(tuple, stride))


def _dtype(code: Any, *_: Any) -> Stateful:
    if code not in NUMBERS:
        raise ValueError("a number of numpy of an unknown type")
    return Stateful(np.dtype(code))


def _scalar(dtype: Any, content: Any) -> Any:
    kind, content = exactly(Stateful, dtype).value, exactly(bytes, content)
    if not isinstance(kind, np.dtype) or len(content) != kind.itemsize:
        raise ValueError("a number of numpy without its bytes")
    return np.frombuffer(content, kind)[0].item()


STORAGE: Names = {PERSISTENT: _described} | {
    f"torch.{name}Storage": lambda kind=kind: kind
    for name, kind in {
        "Double": torch.float64,
        "Float": torch.float32,
        "Half": torch.float16,
        "BFloat16": torch.bfloat16,
        "Long": torch.int64,
        "Int": torch.int32,
        "Short": torch.int16,
        "Char": torch.int8,
        "Byte": torch.uint8,
        "Bool": torch.bool,
    }.items()
}
NAMES: Names = {  # all that these snapshots ask for, and what is there in its place
    "torch_utils.persistence._reconstruct_persistent_obj": _module,
    "collections.OrderedDict": _dictionary,
    "dnnlib.util.EasyDict": _dictionary,
    "builtins.set": lambda items=(): list(exactly(list, items)),  # of protocols before 4
    "torch._utils._rebuild_parameter": lambda data, *_: exactly(SavedTensor, data),
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch.storage._load_from_bytes": _storage,
    "numpy.dtype": _dtype,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy.core.multiarray._reconstruct": lambda *_: Stateful(),  # arrays, which only StyleGAN3 has
    "numpy._core.multiarray._reconstruct": lambda *_: Stateful(),
    "numpy.ndarray": lambda *_: Stateful(),
}
