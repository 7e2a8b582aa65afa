"""What an ONNX file is, read from its bytes: versions, inputs, outputs, metadata and external data.

The deploy host has no `onnx` package, and ONNX Runtime opens external files before anyone can object. The few fields of
onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) needed here are named by number in the tables below.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from gan_runtime.errors import ModelError

FLOAT, UINT8, INT64 = 1, 2, 7
"""Element types of TensorProto.DataType that gan-edge files use."""

Field: TypeAlias = tuple[int, "int | memoryview"]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_DEPTH = 64

# message -> field number -> message inside, for each way that leads to a tensor
TENSOR_PATHS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
TENSOR_EXTERNAL_DATA, TENSOR_DATA_LOCATION = 13, 14


class _Malformed(Exception):
    """The bytes are not a protobuf message."""


@dataclass(frozen=True)
class Port:
    """An input or output of the graph; `shape` has an int for a fixed axis, a name (or "") for a dynamic one."""

    name: str
    element: int
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class ModelFile:
    """An ONNX file in memory and what it says of itself."""

    path: Path
    content: bytes = field(repr=False)
    ir_version: int
    opsets: dict[str, int]
    producer: str
    metadata: dict[str, str]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    external_data: bool

    @cached_property
    def sha256(self) -> str:
        """Digest of the whole file, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def opset(self) -> int:
        """Version of the default operator set (ai.onnx)."""
        return self.opsets.get("", 0)


def read_model_file(path: str | Path) -> ModelFile:
    """Read the ONNX file at `path` without ONNX Runtime.

    Raises:
        ModelError: the file is missing, empty, truncated or no ONNX model.
    """
    path = Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():  # reading a pipe would wait forever
        raise ModelError(f"{path}: not a regular file; name an .onnx file")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: no such model file") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    return parse_model(content, path)


def parse_model(content: bytes, path: Path) -> ModelFile:
    """Read an ONNX file from its bytes; `path` names it in messages. Raises ModelError as `read_model_file` does."""
    if not content:
        raise ModelError(f"{path}: the file is empty; copy it again")
    try:
        return _parse(content, path)
    except _Malformed as error:
        raise ModelError(f"{path}: truncated or not an ONNX model ({error}); copy or export it again") from None


def _parse(content: bytes, path: Path) -> ModelFile:
    view = memoryview(content)
    top = list(_fields(view))
    graphs = [_message(value) for number, value in top if number == 7]
    ir_version = max((_integer(value) for number, value in top if number == 1), default=0)
    opsets = dict(_opset(_message(value)) for number, value in top if number == 8)
    if not (graphs and ir_version and opsets):
        raise _Malformed("it has no graph, no IR version or no opset")
    inside = [entry for graph in graphs for entry in _fields(graph)]
    initializers = {_text(_message(value), 8) for number, value in inside if number == 5}
    inputs = [_port(_message(value)) for number, value in inside if number == 11]
    return ModelFile(
        path=path,
        content=content,
        ir_version=ir_version,
        opsets=opsets,
        producer=" ".join(filter(None, (_text(view, 2), _text(view, 3)))),
        metadata={_text(_message(value), 1): _text(_message(value), 2) for number, value in top if number == 14},
        inputs=tuple(port for port in inputs if port.name not in initializers),
        outputs=tuple(_port(_message(value)) for number, value in inside if number == 12),
        external_data=_has_external_data(view, "model"),
    )


def _has_external_data(message: memoryview, kind: str, depth: int = 0) -> bool:
    """Whether any tensor at any depth (initialisers, attributes, subgraphs, functions) lives outside of the file."""
    if depth > MAX_DEPTH:
        raise _Malformed("its graphs are nested too deeply")
    inside = TENSOR_PATHS[kind]
    for number, value in _fields(message):
        if kind == "tensor":
            if number == TENSOR_EXTERNAL_DATA or (number == TENSOR_DATA_LOCATION and value != 0):
                return True
        elif number in inside and _has_external_data(_message(value), inside[number], depth + 1):
            return True
    return False


def _opset(message: memoryview) -> tuple[str, int]:
    """OperatorSetIdProto: domain (the default one is called "" or "ai.onnx") and version."""
    domain = _text(message, 1)
    version = max((_integer(value) for number, value in _fields(message) if number == 2), default=0)
    return "" if domain == "ai.onnx" else domain, version


def _port(message: memoryview) -> Port:
    """ValueInfoProto: name, then type > tensor_type > (elem_type, shape > dim > (dim_value | dim_param))."""
    tensors = [
        _message(tensor)
        for number, kind in _fields(message)
        if number == 2
        for inner, tensor in _fields(_message(kind))
        if inner == 1
    ]
    element, shape = 0, []
    for tensor in tensors:
        for number, value in _fields(tensor):
            if number == 1:
                element = _integer(value)
            elif number == 2:
                shape = [_dimension(_message(dim)) for inner, dim in _fields(_message(value)) if inner == 1]
    return Port(_text(message, 1), element, tuple(shape))


def _dimension(message: memoryview) -> int | str:
    for number, value in _fields(message):
        if number == 1:
            length = _integer(value)
            return length if 0 < length < 2**63 else ""  # some exporters write -1 or 0 for "any"
    return _text(message, 2)


def _fields(message: memoryview) -> Iterator[Field]:
    """The (number, value) pairs of a protobuf message; nested messages, strings and bytes come as views."""
    position, end = 0, len(message)
    while position < end:
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire == BYTES:
            size, position = _varint(message, position)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise _Malformed(f"unknown wire type {wire}")
        if number == 0 or position + size > end:
            raise _Malformed("it ends in the middle of a field")
        yield number, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise _Malformed("it ends in the middle of a number")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _Malformed("a number is too long")


def _text(message: memoryview, wanted: int) -> str:
    for number, value in _fields(message):
        if number == wanted:
            try:
                return str(_message(value), "utf-8")
            except UnicodeDecodeError:
                raise _Malformed("a text is not UTF-8") from None
    return ""


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _Malformed("a number where a message belongs")
    return value


def _integer(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise _Malformed("a message where a number belongs")
    return value
