import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gan_runtime.errors import ModelError
from gan_runtime.model_file import parse_model
from gan_runtime.protobuf import FIELDS

HERE = Path("x.onnx")


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: "bytes | int", tag_bits: int = 0) -> bytes:
    """A field of a protobuf message; `tag_bits` are set in its tag beside its own."""
    if isinstance(value, int):
        return varint(number << 3 | tag_bits) + varint(value)
    return varint(number << 3 | 2 | tag_bits) + varint(len(value)) + value


def within(path: tuple[int, ...], message: bytes) -> bytes:
    """A model with `message` in it, under these numbers of fields."""
    for number in reversed(path):
        message = field(number, message)
    whole = message if path[0] == 7 else message + field(7, b"")
    return field(1, 9) + whole + field(8, field(2, 17))


ENTRY = field(1, b"location") + field(2, b"/etc/passwd")
PLACES = {
    "initializer": (7, 5),
    "attribute": (7, 1, 5, 5),
    "list": (7, 1, 5, 10),
    "branch": (7, 1, 5, 6, 5),
    "branches": (7, 1, 5, 11, 5),
    "sparse initializer": (7, 15, 1),
    "indices": (7, 15, 2),
    "sparse attribute": (7, 1, 5, 22, 1),
    "sparse list": (7, 1, 5, 23, 1),
    "initialization": (20, 1, 5),
    "algorithm": (20, 2, 1, 5, 5),
    "function": (25, 7, 5, 5),
    "default of a function": (25, 11, 5),
}
NOT_CANONICAL = {
    "tag of 33 bits": field(13, ENTRY, 1 << 32),
    "tag of 36 bits": field(13, ENTRY, 1 << 35),
    "location in a tag of 33 bits": field(14, 1, 1 << 32),
    "tag of a byte too many": b"\xea\x00" + varint(len(ENTRY)) + ENTRY,
    "length of a byte too many": varint(13 << 3 | 2) + bytes([len(ENTRY) | 0x80, 0]) + ENTRY,
    "number of a byte too many": varint(2 << 3) + b"\x81\x00",
    "number of 65 bits": varint(2 << 3) + b"\xff" * 9 + b"\x02",
    "tag 0": b"\x00\x00",
    "field 0": field(0, b""),
    "group": varint(13 << 3 | 3) + ENTRY + varint(13 << 3 | 4),
    "unknown group": varint(99 << 3 | 3) + varint(99 << 3 | 4),
    "wire type 6": varint(13 << 3 | 6),
    "wire type 7": varint(13 << 3 | 7),
    "external_data as a number": field(13, 1),
    "data_location as bytes": field(14, b"\x01"),
    "name as fixed32": varint(8 << 3 | 5) + bytes(4),
    "two names": field(8, b"a") + field(8, b"b"),
    "two locations": field(14, 0) + field(14, 0),
    "name that is not UTF-8": field(8, b"\xff"),
    "unknown message": field(99, ENTRY),
    "length beyond the end": varint(13 << 3 | 2) + b"\x7f",
}


@pytest.mark.parametrize("path", PLACES.values(), ids=PLACES)
def test_what_is_not_canonical_is_refused_at_any_depth(path: tuple[int, ...]) -> None:
    assert not parse_model(within(path, field(8, b"w") + field(99, 5)), HERE).external_data
    assert parse_model(within(path, field(13, ENTRY)), HERE).external_data
    assert parse_model(within(path, field(14, 1)), HERE).external_data
    assert parse_model(within(path, field(14, 2**32 + 1)), HERE).external_data  # 1 to who keeps 32 bits
    for name, tensor in NOT_CANONICAL.items():
        with pytest.raises(ModelError, match=r"x\.onnx"):
            pytest.fail(f"{name}: {parse_model(within(path, tensor), HERE)}")
    for depth in range(1, len(path)):  # the same in the messages around the tensor
        for name in ("tag 0", "group", "unknown group", "wire type 6", "unknown message", "length beyond the end"):
            with pytest.raises(ModelError, match=r"x\.onnx"):
                pytest.fail(f"{name}: {parse_model(within(path[:depth], NOT_CANONICAL[name]), HERE)}")


@pytest.mark.parametrize(
    ("path", "twice"),
    [
        ((), field(7, b"")),
        ((), field(1, 9)),
        ((7,), field(2, b"g")),
        ((7, 1, 5), field(5, b"")),
        ((7, 1, 5), field(6, b"")),
        ((7, 1, 5), field(20, 4)),
        ((7, 15), field(1, b"")),
        ((20,), field(1, b"")),
        ((7, 11), field(2, b"")),
        ((7, 11, 2), field(1, b"")),
        ((7, 11, 2), field(1, b"") + field(4, b"")),
        ((7, 11, 2, 1), field(2, b"")),
        ((7, 11, 2, 1, 2, 1), field(1, 3)),
        ((7, 11, 2, 1, 2, 1), field(1, 3) + field(2, b"n")),
    ],
)
def test_what_parsers_merge_or_replace_is_refused(path: tuple[int, ...], twice: bytes) -> None:
    content = within(path, twice * 2) if path else within((7,), b"") + twice
    with pytest.raises(ModelError, match=r"is there twice|several values"):
        parse_model(content, HERE)


def test_keys_with_two_values_are_refused() -> None:
    for number, entries in {8: (field(2, 17), field(1, b"ai.onnx") + field(2, 18)), 14: (ENTRY, ENTRY + b"")}.items():
        content = within((7,), b"") + b"".join(field(number, entry) for entry in entries)
        if number == 14:
            assert parse_model(content, HERE).metadata == {"location": "/etc/passwd"}  # twice the same
            content += field(14, field(1, b"location") + field(2, b"elsewhere"))
        with pytest.raises(ModelError, match="has two values"):
            parse_model(content, HERE)


KINDS = {1: "double", 2: "float", 3: "int", 4: "int", 5: "int", 9: "text", 12: "bytes", 14: "int"}


def test_the_tables_are_those_of_onnx_proto() -> None:
    """Each field has its number and type, and no message that may hold a tensor is passed over as bytes."""
    messages = {name: vars(onnx)[name].DESCRIPTOR for name in FIELDS if name in vars(onnx)}
    messages["TensorTypeProto"] = onnx.TypeProto.Tensor.DESCRIPTOR
    messages["Dimension"] = onnx.TensorShapeProto.Dimension.DESCRIPTOR
    for name, fields in FIELDS.items():
        assert fields.keys() == {one.number for one in messages[name].fields}, name
        for one in messages[name].fields:
            kind, repeated = fields[one.number].rstrip("*"), fields[one.number].endswith("*")
            assert repeated == one.is_repeated, one.full_name
            if one.message_type is None:
                assert kind == KINDS[one.type], one.full_name
            elif kind == "bytes":
                assert not _may_hold_a_tensor(one.message_type), one.full_name
            else:
                assert messages[kind] is one.message_type, one.full_name


def _may_hold_a_tensor(message: Any, seen: frozenset[str] = frozenset()) -> bool:
    if message.name == "TensorProto":
        return True
    inside = [one.message_type for one in message.fields if one.message_type and one.message_type.full_name not in seen]
    return any(_may_hold_a_tensor(one, seen | {message.full_name}) for one in inside)


def test_what_writers_write_is_taken() -> None:
    """All element types, packed or not, with all that onnx.proto has around them."""
    tensors = [
        numpy_helper.from_array(np.ones(3, np.float32), "raw"),
        helper.make_tensor("t", TensorProto.STRING, [1], [b"\xff"]),
    ]
    for element in (1, 2, 3, 6, 7, 9, 10, 11, 12, 13, 14, 16):
        tensors.append(helper.make_tensor(f"values{element}", element, [2], [0, 1]))
    attributes = {"i": -5, "f": 0.5, "s": b"\xff", "is": [1, -2], "fs": [0.5], "ss": ["a"]}
    node = helper.make_node("Identity", ["x"], ["y"], **attributes)
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(helper.make_graph([node], "g", [], [], tensors), opset_imports=[opset])
    model.doc_string, model.domain, model.model_version = "d", "e", -1
    model.graph.node[0].metadata_props.add(key="a", value="b")
    model.graph.value_info.append(helper.make_tensor_sequence_value_info("v", 1, ["n"]))
    model.graph.quantization_annotation.add(tensor_name="t").quant_parameter_tensor_names.add(key="a", value="b")
    model.training_info.add().initialization.CopyFrom(model.graph)
    model.functions.append(
        helper.make_function("own", "F", ["x"], ["y"], list(model.graph.node), list(model.opset_import))
    )
    assert not parse_model(model.SerializeToString(), HERE).external_data
    packed = within((7, 5), field(1, b"\x03\x02") + field(4, bytes(24)) + field(8, b"w"))  # dims as proto3 writes them
    assert not parse_model(packed, HERE).external_data


def test_nothing_gets_past_the_reader_that_onnxruntime_loads_with_external_data() -> None:
    """A few of the files of a fuzzer, which is run at length by hand."""
    if sys.platform != "linux":
        pytest.skip("inotify shows which files ONNX Runtime opens, and only Linux has it")
    script = Path(__file__).parents[2] / "benchmarks" / "fuzz_model_file.py"
    command = [sys.executable, str(script), "--files", "2000", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["loaded with external data"] > 100


def test_endless_nesting_is_refused() -> None:
    with pytest.raises(ModelError, match="nested"):
        parse_model(within((7, *(1, 5, 6) * 200), b""), HERE)
