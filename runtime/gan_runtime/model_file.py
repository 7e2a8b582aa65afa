"""What an ONNX file is, read from its bytes: versions, inputs, outputs, metadata and external data.

The deploy host has no `onnx` package, and ONNX Runtime opens external files before anyone can object. Fields of
onnx.proto are named by number, as in `gan_runtime.protobuf`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import field
from pathlib import Path
from typing import TypeVar

from gan_runtime.errors import ModelError
from gan_runtime.protobuf import Malformed, Message, read_message
from gan_runtime.records import record

FLOAT, UINT8, INT64 = 1, 2, 7
"""Element types of TensorProto.DataType that gan-edge files use."""

RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"}
"""Operators that draw random numbers."""
TRAINING_MODE = {"Dropout": 2, "BitmaskDropout": 2, "BiasDropout": 4, "BitmaskBiasDropout": 4}
"""Operators that draw random numbers if they have an input `training_mode`, and the index of that input."""

T = TypeVar("T")


@record(frozen=True)
class Port:
    """An input or output of the graph; `shape` has an int for a fixed axis, a name (or "") for a dynamic one."""

    name: str
    element: int
    shape: tuple[int | str, ...]


@record(frozen=True)
class ModelFile:
    """An ONNX file in memory and what it says of itself."""

    path: Path
    content: bytes = field(repr=False)
    """Its bytes; empty in the description of an open model, whose weights ONNX Runtime keeps."""
    sha256: str
    """Digest of the bytes, in hexadecimal."""
    ir_version: int
    opsets: dict[str, int]
    producer: str
    metadata: dict[str, str]
    inputs: tuple[Port, ...]
    """Inputs that must be given."""
    outputs: tuple[Port, ...]
    external_data: bool
    operators: frozenset[str]
    """Those of its nodes, at any depth."""
    random_ops: frozenset[str]
    """Those that draw random numbers."""
    size: int = 0
    """Number of bytes."""
    optional: tuple[Port, ...] = ()
    """Inputs that may be given: an initializer has the value that applies otherwise."""

    @property
    def opset(self) -> int:
        """Version of the default operator set (ai.onnx)."""
        return self.opsets.get("", 0)


def check_repeatable(model: ModelFile, or_else: str = "") -> None:
    """Raise ModelError if the graph draws random numbers; `or_else` is an alternative to a new export."""
    if model.random_ops:
        operators = ", ".join(sorted(model.random_ops))
        raise ModelError(
            f"{model.path}: its graph draws random numbers ({operators}), so that nothing it gives can be repeated; "
            f"export the network again in eval mode, with random numbers as inputs{or_else}"
        )


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
    except Malformed as error:
        from gan_runtime.files.kinds import kind_of_file  # noqa: PLC0415  (models do without)

        kind = kind_of_file(content)
        if kind:
            raise ModelError(f"{path}: not an ONNX model but {kind}") from None
        raise ModelError(f"{path}: truncated or not an ONNX model ({error}); copy or export it again") from None


def _parse(content: bytes, path: Path) -> ModelFile:
    model = read_message(memoryview(content), "ModelProto")
    names = {"ai.onnx": ""}  # of the default operator set
    opsets = _unique((names.get(opset.text(1), opset.text(1)), opset.integer(2)) for opset in model.messages(8))
    if not (model.messages(7) and model.integer(1) and opsets):
        raise Malformed("it has no graph, no IR version or no opset")
    (graph,) = model.messages(7)
    initializers = {tensor.text(8) for tensor in graph.messages(5)}
    inputs = [_port(value, least=0) for value in graph.messages(11)]
    outputs = [_port(value, least=1) for value in graph.messages(12)]
    messages = list(model.walk())
    nodes = [message for message in messages if message.kind == "NodeProto"]
    return ModelFile(
        path=path,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        ir_version=model.integer(1),
        opsets=opsets,
        producer=" ".join(filter(None, (model.text(2), model.text(3)))),
        metadata=_unique((entry.text(1), entry.text(2)) for entry in model.messages(14)),
        inputs=tuple(port for port in inputs if port.name not in initializers),
        outputs=tuple(outputs),
        external_data=any(map(_is_external, messages)),
        operators=frozenset(node.text(4) for node in nodes),
        random_ops=frozenset(node.text(4) for node in nodes if _is_random(node)),
        size=len(content),
        optional=tuple(port for port in inputs if port.name in initializers),
    )


def _is_external(message: Message) -> bool:
    """Whether it is a tensor with entries of `external_data`, or whose `data_location` is not the default."""
    return message.kind == "TensorProto" and (13 in message.fields or message.integer(14) != 0)


def _is_random(node: Message) -> bool:
    """Whether a node draws random numbers."""
    if node.text(7) not in ("", "ai.onnx", "com.microsoft"):
        return False
    operator, inputs = node.text(4), node.fields.get(1, [])
    trains = any(inputs[TRAINING_MODE[operator] :][:1]) if operator in TRAINING_MODE else False
    return operator in RANDOM or trains


def _unique(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """A dict, of which readers take the first or the last entry where a key comes twice."""
    found: dict[str, T] = {}
    for key, value in pairs:
        if found.setdefault(key, value) != value:
            raise Malformed(f"{key!r:.60} has two values")
    return found


def _port(value: Message, least: int) -> Port:
    """ValueInfoProto: name, then type > tensor_type > (elem_type, shape > dim > (dim_value | dim_param))."""
    for kind in value.messages(2):
        for tensor in kind.messages(1):
            shape = [_dimension(dim, least) for dims in tensor.messages(2) for dim in dims.messages(1)]
            return Port(value.text(1), tensor.integer(1), tuple(shape))
    return Port(value.text(1), 0, ())


def _dimension(dim: Message, least: int) -> int | str:
    """Some exporters write -1 for "any", and 0 in outputs; ONNX Runtime takes the 0 of an input as it is."""
    length = dim.integer(1)
    return length if 1 in dim.fields and least <= length < 2**63 else dim.text(2)
