"""Weights in the format of safetensors: a header of JSON and the values, with nothing to run.

https://huggingface.co/docs/safetensors: 8 bytes of the header's length, the header, and the values without gaps.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_runtime.errors import InputError

LONGEST_HEADER = 2**24  # bytes
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}
FIELDS = {"dtype", "shape", "data_offsets"}


def load_safetensors(path: Path, largest: int) -> dict[str, Tensor]:
    """The tensors of a .safetensors file by name.

    Args:
        path: the file.
        largest: bytes that all of the values may have.

    Raises:
        InputError: the file cannot be read, is larger or damaged, or has values of another type than floats and int64.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= LONGEST_HEADER:
                raise InputError(f"{path}: no safetensors file, or damaged: its header would have {length:,} bytes")
            header, values = file.read(length), file.read(largest + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(values) > largest:
        raise InputError(f"{path}: larger than the {largest:,} bytes that weights may have")
    try:
        document = json.loads(header)
        entries = {name: entry for name, entry in document.items() if name != "__metadata__"}
        spans = sorted(tuple(map(_whole, entry["data_offsets"])) for entry in entries.values())
        ends = [0, *(end for _, end in spans)]
        if [begin for begin, _ in spans] != ends[:-1] or ends[-1] != len(values):
            raise ValueError("its tensors do not cover the file")
        buffer = bytearray(values)
        return {name: _tensor(name, entry, buffer) for name, entry in entries.items()}
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: damaged: {error}; download it again") from None


def _tensor(name: str, entry: dict[str, Any], buffer: bytearray) -> Tensor:
    if entry.keys() != FIELDS:
        raise ValueError(f"{name} has the fields {', '.join(entry)}")
    if entry["dtype"] not in DTYPES:
        raise InputError(f"{name} has values of type {entry['dtype']}; give the weights as floats, not quantised")
    dtype, shape, (begin, end) = DTYPES[entry["dtype"]], [*map(_whole, entry["shape"])], entry["data_offsets"]
    count = math.prod(shape)
    if count * dtype.itemsize != end - begin:
        raise ValueError(f"{name} has {end - begin} bytes for {shape} of {entry['dtype']}")
    if not count:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(buffer, dtype=dtype, count=count, offset=begin).reshape(shape)


def _whole(number: object) -> int:
    """`number`, if it is an integer of 0 or more."""
    if type(number) is not int or not 0 <= number < 2**48:
        raise ValueError(f"{number!r} where a length is expected")
    return number
