"""ONNX files that try to read another file: external data at every possible position, in unusual encodings.

A model is taken apart into a tree of protobuf fields, a few of them are changed, and the tree is written again. It
comes from the descriptors of the `onnx` package, not from the tables of the reader under test.
"""

import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SECRET = "weights.bin"
PLAIN = "plain"  # kind of the tensors that have their data with them
VALUES = 4
OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
VARINT, FIXED64, BYTES, START, END, FIXED32 = range(6)
Base = Callable[[TensorProto], onnx.ModelProto]


@dataclass
class Part:
    """A field: a number, bytes, or fields within it; and how its encoding departs from the canonical one."""

    number: int
    wire: int
    value: "int | bytes | list[Part]"
    external: bool = False
    tag_bits: int = 0
    tag_padding: int = 0
    padding: int = 0  # of the varint that is the value or its length
    longer: int = 0  # what the length says too much


def bases() -> dict[str, bytes]:
    """A model for each place where a tensor can be, with external data in it and without."""
    return {
        f"{base.__name__.removeprefix('_in_')} {kind}": base(tensor).SerializeToString()
        for base in BASES
        for kind, tensor in _tensors().items()
    }


def mutate(content: bytes, chance: random.Random) -> bytes:
    """`content` with one to three fields changed, and now and then a byte."""
    tree = take_apart(content, onnx.ModelProto.DESCRIPTOR)
    for _ in range(chance.randint(1, 3)):
        siblings, index = _choose(tree, chance)
        chance.choice(MUTATIONS)(siblings, index, chance)
    changed = write(tree)
    return _damage(changed, chance) if chance.random() < 0.1 else changed


def take_apart(content: bytes, descriptor: Any) -> list[Part]:
    """The fields of a canonical message."""
    parts, position = [], 0
    while position < len(content):
        tag, position = _read_varint(content, position)
        number, wire = tag >> 3, tag & 7
        field = descriptor.fields_by_number[number]
        value: int | bytes | list[Part]
        if wire == VARINT:
            value, position = _read_varint(content, position)
        else:
            size = {FIXED64: 8, FIXED32: 4}.get(wire)
            if size is None:
                size, position = _read_varint(content, position)
            value, position = content[position : position + size], position + size
            if field.message_type:
                value = take_apart(value, field.message_type)
        external = descriptor.name == "TensorProto" and field.name in ("external_data", "data_location")
        parts.append(Part(number, wire, value, external))
    return parts


def write(parts: list[Part]) -> bytes:
    """The bytes of these fields."""
    return b"".join(map(_write_part, parts))


def _write_part(part: Part) -> bytes:
    tag = _varint(part.number << 3 | part.wire | part.tag_bits, part.tag_padding)
    payload = write(part.value) if isinstance(part.value, list) else part.value
    if part.wire == VARINT:
        return tag + _varint(payload if isinstance(payload, int) else len(payload), part.padding)
    if isinstance(payload, int):
        payload = _varint(payload)
    if part.wire == BYTES:
        return tag + _varint(max(0, len(payload) + part.longer), part.padding) + payload
    if part.wire == START:
        return tag + payload + _varint(part.number << 3 | END)
    return tag + payload


def _choose(tree: list[Part], chance: random.Random) -> tuple[list[Part], int]:
    """A field and the fields beside it; mostly one of those that lead to external data."""
    every = list(_walk(tree))
    leading = [place for place in every if _leads(place[0][place[1]])]
    return chance.choice(leading if leading and chance.random() < 0.7 else every)


def _walk(parts: list[Part]) -> Iterator[tuple[list[Part], int]]:
    for index, part in enumerate(parts):
        yield parts, index
        if isinstance(part.value, list):
            yield from _walk(part.value)


def _leads(part: Part) -> bool:
    return part.external or (isinstance(part.value, list) and any(map(_leads, part.value)))


def _widen_tag(parts: list[Part], index: int, chance: random.Random) -> None:
    parts[index].tag_bits |= 1 << chance.choice([29, 30, 31, 32, 33, 34, 35, 40, 63])


def _pad_tag(parts: list[Part], index: int, chance: random.Random) -> None:
    parts[index].tag_padding = chance.randint(1, 9)


def _pad(parts: list[Part], index: int, chance: random.Random) -> None:
    parts[index].padding = chance.randint(1, 9)


def _misstate_length(parts: list[Part], index: int, chance: random.Random) -> None:
    parts[index].longer = chance.choice([-2, -1, 1, 2, 5, 2**31, 2**32, 2**63])


def _change_number(parts: list[Part], index: int, chance: random.Random) -> None:
    value = parts[index].value
    if isinstance(value, int):
        bit = 1 << chance.choice([31, 32, 33, 62, 63, 64])
        parts[index].value = chance.choice([value | bit, value ^ 1, 0, 1, 2, 2**32, 2**32 + 1, 2**64 - 1])
    else:
        _change_field(parts, index, chance)


def _change_field(parts: list[Part], index: int, chance: random.Random) -> None:
    parts[index].number = chance.choice([0, 4, 5, 6, 10, 11, 13, 14, 15, 22, 23, 25, 2**29 - 1, 2**29 + 13])


def _change_wire_type(parts: list[Part], index: int, chance: random.Random) -> None:
    parts[index].wire = chance.randrange(8)


def _to_group(parts: list[Part], index: int, chance: random.Random) -> None:
    parts[index].wire = START


def _duplicate(parts: list[Part], index: int, chance: random.Random) -> None:
    copy = deepcopy(parts[index])
    if isinstance(copy.value, list) and chance.random() < 0.5:
        copy.value = [part for part in copy.value if not _leads(part)] if chance.random() < 0.5 else []
    parts.insert(chance.randint(0, len(parts)), copy)


def _split(parts: list[Part], index: int, chance: random.Random) -> None:
    """One message in two pieces, which parsers merge."""
    value = parts[index].value
    if isinstance(value, list):
        cut = chance.randint(0, len(value))
        rest = deepcopy(parts[index])
        parts[index].value, rest.value = value[:cut], value[cut:]
        parts.insert(index + 1, rest)


def _remove(parts: list[Part], index: int, chance: random.Random) -> None:
    del parts[index]


def _shuffle(parts: list[Part], index: int, chance: random.Random) -> None:
    chance.shuffle(parts)


def _insert_unknown(parts: list[Part], index: int, chance: random.Random) -> None:
    number = chance.choice([0, 9, 12, 17, 19, 24, 30, 100, 1000, 2**29 - 1])
    value: Any = chance.choice([0, 1, 2**64 - 1, b"", b"junk", deepcopy(parts[index].value)])
    wire = VARINT if isinstance(value, int) else chance.choice([BYTES, START])
    parts.insert(chance.randint(0, len(parts)), Part(number, wire, value))


def _insert_external(parts: list[Part], index: int, chance: random.Random) -> None:
    """The fields of an external tensor, wherever it may be, written in an odd way."""
    entry = Part(13, BYTES, [Part(1, BYTES, b"location"), Part(2, BYTES, SECRET.encode())], external=True)
    new = [entry, Part(14, VARINT, chance.choice([1, 2**32 + 1]), external=True)]
    for part in new:
        _widen_tag([part], 0, chance)
    value = parts[index].value
    (value if isinstance(value, list) else parts).extend(new)


def _pack(parts: list[Part], index: int, chance: random.Random) -> None:
    value = parts[index].value
    if isinstance(value, int):
        parts[index].value, parts[index].wire = _varint(value), BYTES


MUTATIONS: list[Callable[[list[Part], int, random.Random], None]] = [
    _widen_tag, _widen_tag, _pad_tag, _pad, _misstate_length, _change_number, _change_field, _change_wire_type,
    _to_group, _duplicate, _split, _remove, _shuffle, _insert_unknown, _insert_external, _pack,
]  # fmt: skip


def _damage(content: bytes, chance: random.Random) -> bytes:
    """`content` with a byte changed, added or missing, cut short, or with junk at its end."""
    at, byte = chance.randrange(len(content) + 1), bytes([chance.randrange(256)])
    return chance.choice(
        [content[:at] + byte + content[at + 1 :], content[:at] + byte + content[at:], content[:at], content + byte]
    )


def _varint(value: int, padding: int = 0) -> bytes:
    """`value` in base 128, with so many more bytes than it needs."""
    count = max(1, -(-value.bit_length() // 7)) + padding
    digits = [(value >> 7 * i) & 0x7F for i in range(count)]
    return bytes([digit | 0x80 for digit in digits[:-1]] + digits[-1:])


def _read_varint(content: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _tensors() -> dict[str, TensorProto]:
    both = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[VALUES], data_location=TensorProto.EXTERNAL)
    both.external_data.add(key="location", value=SECRET)
    entries, location = TensorProto(), TensorProto()
    entries.CopyFrom(both)
    entries.ClearField("data_location")
    location.CopyFrom(both)
    del location.external_data[:]
    plain = numpy_helper.from_array(np.ones(VALUES, np.float32), "w")
    return {"external": both, "entries": entries, "location": location, PLAIN: plain}


def _model(nodes: list[onnx.NodeProto], initializers: list[TensorProto] | None = None) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [VALUES])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [VALUES])
    graph = helper.make_graph(nodes, "g", [x], [y], initializers or [])
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=9)


ADD = helper.make_node("Add", ["x", "w"], ["y"])


def _in_initializer(tensor: TensorProto) -> onnx.ModelProto:
    return _model([ADD], [tensor])


def _in_constant(tensor: TensorProto) -> onnx.ModelProto:
    return _model([helper.make_node("Constant", [], ["w"], value=tensor), ADD])


def _in_list(tensor: TensorProto) -> onnx.ModelProto:
    node = helper.make_node("Constant", [], ["w"])
    node.attribute.append(helper.make_attribute("value", [tensor]))
    return _model([node, ADD])


def _in_constant_of_shape(tensor: TensorProto) -> onnx.ModelProto:
    value = TensorProto()
    value.CopyFrom(tensor)
    value.dims[:] = [1]
    shape = numpy_helper.from_array(np.array([VALUES]), "shape")
    return _model([helper.make_node("ConstantOfShape", ["shape"], ["w"], value=value), ADD], [shape])


def _in_branch(tensor: TensorProto) -> onnx.ModelProto:
    return _with_branch([ADD], [tensor])


def _in_constant_of_branch(tensor: TensorProto) -> onnx.ModelProto:
    return _with_branch([helper.make_node("Constant", [], ["w"], value=tensor), ADD])


def _in_branch_of_branch(tensor: TensorProto) -> onnx.ModelProto:
    return _with_branch([_if([ADD], [tensor])])


def _with_branch(nodes: list[onnx.NodeProto], initializers: list[TensorProto] | None = None) -> onnx.ModelProto:
    return _model([_if(nodes, initializers)], [numpy_helper.from_array(np.array([True]), "yes")])


def _if(nodes: list[onnx.NodeProto], initializers: list[TensorProto] | None) -> onnx.NodeProto:
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [VALUES])
    branch = helper.make_graph(nodes, "branch", [], [y], initializers or [])
    return helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)


def _in_sparse_initializer(tensor: TensorProto) -> onnx.ModelProto:
    model = _model([ADD])
    model.graph.sparse_initializer.append(_sparse(tensor))
    return model


def _in_sparse_constant(tensor: TensorProto) -> onnx.ModelProto:
    return _model([helper.make_node("Constant", [], ["w"], sparse_value=_sparse(tensor)), ADD])


def _sparse(values: TensorProto) -> onnx.SparseTensorProto:
    indices = numpy_helper.from_array(np.arange(VALUES), "indices")
    return helper.make_sparse_tensor(values, indices, [VALUES])


def _in_function(tensor: TensorProto) -> onnx.ModelProto:
    nodes = [helper.make_node("Constant", [], ["w"], value=tensor), ADD]
    model = _model([helper.make_node("F", ["x"], ["y"], domain="own")])
    model.functions.append(helper.make_function("own", "F", ["x"], ["y"], nodes, OPSETS))
    return model


def _in_default_of_function(tensor: TensorProto) -> onnx.ModelProto:
    constant = helper.make_node("Constant", [], ["w"])
    constant.attribute.append(onnx.AttributeProto(name="value", ref_attr_name="v", type=onnx.AttributeProto.TENSOR))
    defaults = [helper.make_attribute("v", tensor)]
    model = _model([helper.make_node("F", ["x"], ["y"], domain="own")])
    model.functions.append(
        helper.make_function("own", "F", ["x"], ["y"], [constant, ADD], OPSETS, attribute_protos=defaults)
    )
    return model


def _in_training(tensor: TensorProto) -> onnx.ModelProto:
    model = _in_initializer(numpy_helper.from_array(np.ones(VALUES, np.float32), "w"))
    model.training_info.add().initialization.initializer.append(tensor)
    model.training_info.add().algorithm.node.append(helper.make_node("Constant", [], ["v"], value=tensor))
    return model


BASES: list[Base] = [
    _in_initializer, _in_constant, _in_list, _in_constant_of_shape, _in_branch, _in_constant_of_branch,
    _in_branch_of_branch, _in_sparse_initializer, _in_sparse_constant, _in_function, _in_default_of_function,
    _in_training,
]  # fmt: skip
