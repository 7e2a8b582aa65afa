"""A strict reader of protobuf's wire format (https://protobuf.dev/programming-guides/encoding/) for ONNX models.

Parsers disagree about bytes that no writer produces. A tag of 33 bits is an unknown field to one parser and, cut to 32
bits, a known one to another; a field that is given twice is merged by one and replaced by another. So that no file
means one thing to the check and another thing to ONNX Runtime, everything that is not written in the one canonical way
is refused, at any depth.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

MAX_DEPTH = 64
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
WIRE_TYPES = {  # a repeated number may also come packed
    "int": (VARINT,),
    "float": (FIXED32,),
    "int*": (VARINT, BYTES),
    "float*": (FIXED32, BYTES),
    "double*": (FIXED64, BYTES),
}

# All fields of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, 1.23) by number, for every message
# on the way to a tensor, an input or an output; * is repeated. Messages off those ways are "bytes".
FIELDS: dict[str, dict[int, str]] = {
    "ModelProto": {
        1: "int", 2: "text", 3: "text", 4: "text", 5: "int", 6: "text", 7: "GraphProto", 8: "OperatorSetIdProto*",
        14: "StringStringEntryProto*", 20: "TrainingInfoProto*", 25: "FunctionProto*", 26: "bytes*",
    },
    "OperatorSetIdProto": {1: "text", 2: "int"},
    "StringStringEntryProto": {1: "text", 2: "text"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto", 3: "bytes*", 4: "bytes*"},
    "FunctionProto": {
        1: "text", 4: "text*", 5: "text*", 6: "text*", 7: "NodeProto*", 8: "text", 9: "bytes*", 10: "text",
        11: "AttributeProto*", 12: "bytes*", 13: "text", 14: "bytes*",
    },
    "GraphProto": {
        1: "NodeProto*", 2: "text", 5: "TensorProto*", 10: "text", 11: "ValueInfoProto*", 12: "ValueInfoProto*",
        13: "bytes*", 14: "bytes*", 15: "SparseTensorProto*", 16: "bytes*",
    },
    "NodeProto": {
        1: "text*", 2: "text*", 3: "text", 4: "text", 5: "AttributeProto*", 6: "text", 7: "text", 8: "text",
        9: "bytes*", 10: "bytes*",
    },
    "AttributeProto": {
        1: "text", 2: "float", 3: "int", 4: "bytes", 5: "TensorProto", 6: "GraphProto", 7: "float*", 8: "int*",
        9: "bytes*", 10: "TensorProto*", 11: "GraphProto*", 13: "text", 14: "bytes", 15: "bytes*", 20: "int",
        21: "text", 22: "SparseTensorProto", 23: "SparseTensorProto*",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto", 3: "int*"},
    "TensorProto": {
        1: "int*", 2: "int", 3: "bytes", 4: "float*", 5: "int*", 6: "bytes*", 7: "int*", 8: "text", 9: "bytes",
        10: "double*", 11: "int*", 12: "text", 13: "bytes*", 14: "int", 16: "bytes*",
    },
    "ValueInfoProto": {1: "text", 2: "TypeProto", 3: "text", 4: "bytes*"},
    "TypeProto": {
        1: "TensorTypeProto", 4: "bytes", 5: "bytes", 6: "text", 7: "bytes", 8: "bytes", 9: "bytes",
    },
    "TensorTypeProto": {1: "int", 2: "TensorShapeProto"},
    "TensorShapeProto": {1: "Dimension*"},
    "Dimension": {1: "int", 2: "text", 3: "text"},
}  # fmt: skip
ONE_OF = {"TypeProto": {1, 4, 5, 7, 8, 9}, "Dimension": {1, 2}}

Value: TypeAlias = "int | str | memoryview | Message"


class Malformed(Exception):
    """The bytes are not a canonical protobuf message, or not one of onnx.proto."""


class Field(NamedTuple):
    """What may stand in a field, whether it may come again, and its wire types."""

    kind: str
    repeated: bool
    wires: tuple[int, ...]


@dataclass(frozen=True)
class Message:
    """A message of the kind `kind`: its known fields by number, each with all its values."""

    kind: str
    fields: dict[int, list[Value]]

    def integer(self, number: int) -> int:
        """The value of an "int" field, 0 if it is missing."""
        value = self.fields.get(number, [0])[0]
        assert isinstance(value, int)  # FIELDS says so
        return value

    def text(self, number: int) -> str:
        """The value of a "text" field, "" if it is missing."""
        value = self.fields.get(number, [""])[0]
        assert isinstance(value, str)
        return value

    def messages(self, number: int) -> list["Message"]:
        """The messages in a field."""
        return [value for value in self.fields.get(number, []) if isinstance(value, Message)]

    def walk(self) -> Iterator["Message"]:
        """This message and all within it."""
        yield self
        for number in self.fields:
            for message in self.messages(number):
                yield from message.walk()


def read_message(data: memoryview, kind: str, depth: int = 0) -> Message:
    """`data` as a message of the kind `kind`.

    A field that onnx.proto does not have is skipped where it holds a number, and refused where it may hold a message: a
    newer ONNX Runtime might find a tensor in it.

    Raises:
        Malformed: `data` ends too early or is not canonical.
    """
    if depth > MAX_DEPTH:
        raise Malformed("its graphs are nested too deeply")
    known, found = _KNOWN[kind], dict[int, list[Value]]()
    for number, wire, value in _fields(data):
        field = known.get(number)
        if field is None:
            if wire == BYTES:
                raise Malformed(f"{kind} has the field {number}, which a newer gan-edge may know")
            continue
        if wire not in field.wires:
            raise Malformed(f"field {number} of {kind} has the wrong wire type {wire}")
        if number in found and not field.repeated:
            raise Malformed(f"field {number} of {kind} is there twice")
        found.setdefault(number, []).append(_inside(field, value, depth))
    if len(found.keys() & ONE_OF.get(kind, set())) > 1:
        raise Malformed(f"{kind} has several values where one is allowed")
    return Message(kind, found)


def _inside(field: Field, value: int | memoryview, depth: int) -> Value:
    if isinstance(value, int) or field.kind not in _DESCENDED:
        return value
    if field.kind != "text":
        return read_message(value, field.kind, depth + 1)
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        raise Malformed("a text is not UTF-8") from None


def _known(kind: str) -> Field:
    return Field(kind.rstrip("*"), kind.endswith("*"), WIRE_TYPES.get(kind, (BYTES,)))


_DESCENDED = {*FIELDS, "text"}
_KNOWN = {name: {number: _known(kind) for number, kind in fields.items()} for name, fields in FIELDS.items()}


def _fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Number, wire type and value of each field; all but varints come as views of their bytes."""
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position, 32)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise Malformed("a field has the number 0")
        if wire == VARINT:
            value, position = _varint(data, position, 64)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, position = _varint(data, position, 31)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:  # groups, which onnx.proto does not use, and what no wire type is
            raise Malformed(f"wire type {wire} is unknown")
        if position + size > end:
            raise Malformed("it ends in the middle of a field")
        yield number, wire, data[position : position + size]
        position += size


def _varint(data: memoryview, position: int, bits: int) -> tuple[int, int]:
    """A number of at most so many bits in base 128, and the position after it."""
    if position < len(data) and (byte := data[position]) < 0x80:  # nearly all numbers
        return byte, position + 1
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise Malformed("it ends in the middle of a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> bits or (byte == 0 and shift):
                break
            return value, position
    raise Malformed("a number is too long")
