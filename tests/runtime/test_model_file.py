import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from gan_runtime.errors import ModelError
from gan_runtime.model_file import FLOAT, Port, parse_model, read_model_file

HERE = Path("x.onnx")


def external_tensor(name: str = "weight") -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(3, np.float32), name)
    onnx.external_data_helper.set_external_data(tensor, "/etc/passwd")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    return tensor


def small_model(
    initializers: list[TensorProto] | None = None, nodes: list[onnx.NodeProto] | None = None
) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])
    nodes = nodes or [helper.make_node("Identity", ["x"], ["y"])]
    graph = helper.make_graph(nodes, "graph", [x], [y], initializers or [])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="someone", producer_version="2")


def constant_node(attribute: onnx.AttributeProto) -> onnx.NodeProto:
    node = helper.make_node("Constant", [], ["y"])
    node.attribute.append(attribute)
    return node


def in_initializer() -> onnx.ModelProto:
    return small_model([external_tensor()])


def in_attribute() -> onnx.ModelProto:
    return small_model(nodes=[constant_node(helper.make_attribute("value", external_tensor()))])


def in_list_of_tensors() -> onnx.ModelProto:
    return small_model(nodes=[constant_node(helper.make_attribute("values", [external_tensor()]))])


def in_subgraph() -> onnx.ModelProto:
    branch = helper.make_graph([], "branch", [], [], [external_tensor()])
    return small_model(nodes=[helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)])


def in_sparse_tensor() -> onnx.ModelProto:
    model = small_model()
    indices = numpy_helper.from_array(np.zeros(3, np.int64), "indices")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(external_tensor(), indices, [5]))
    return model


def in_function() -> onnx.ModelProto:
    model = small_model()
    node = constant_node(helper.make_attribute("value", external_tensor()))
    model.functions.append(helper.make_function("com.example", "F", [], ["y"], [node], [helper.make_opsetid("", 17)]))
    return model


def by_location_alone() -> onnx.ModelProto:
    tensor = external_tensor()
    del tensor.external_data[:]
    return small_model([tensor])


def by_entries_alone() -> onnx.ModelProto:
    tensor = external_tensor()
    tensor.data_location = TensorProto.DEFAULT
    return small_model([tensor])


@pytest.mark.parametrize(
    "make",
    [
        in_initializer,
        in_attribute,
        in_list_of_tensors,
        in_subgraph,
        in_sparse_tensor,
        in_function,
        by_location_alone,
        by_entries_alone,
    ],
)
def test_external_data_is_seen_wherever_it_hides(make: Callable[[], onnx.ModelProto]) -> None:
    assert parse_model(make().SerializeToString(), HERE).external_data


def test_facts_are_those_that_onnx_reads() -> None:
    model = small_model([numpy_helper.from_array(np.ones(3, np.float32), "weight")])
    model.graph.input.append(helper.make_tensor_value_info("weight", TensorProto.FLOAT, [3]))  # as old files do
    helper.set_model_props(model, {"key": "värde", "other": ""})
    file = parse_model(model.SerializeToString(), HERE)
    assert file.opsets == {"": 17, "com.example": 3}
    assert (file.ir_version, file.opset, file.producer) == (8, 17, "someone 2")
    assert file.metadata == {"key": "värde", "other": ""}
    assert file.inputs == (Port("x", FLOAT, ("n", 3)),)
    assert file.outputs == (Port("y", FLOAT, ("", 3)),)
    assert not file.external_data


def test_digest_is_of_the_whole_file(conditional_model: Path) -> None:
    import hashlib

    file = read_model_file(conditional_model)
    assert file.sha256 == hashlib.sha256(conditional_model.read_bytes()).hexdigest()


def test_every_truncation_is_refused_or_harmless() -> None:
    content = small_model([numpy_helper.from_array(np.ones(3, np.float32), "weight")]).SerializeToString()
    refused = 0
    for end in range(len(content)):
        try:
            assert parse_model(content[:end], HERE).opsets  # whole fields only: still a model, with fewer opsets
        except ModelError as error:
            refused += 1
            assert "x.onnx" in str(error)
    assert refused > 0.9 * len(content)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with pytest.raises(ModelError):
        parse_model(content, HERE)


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_byte_never_crashes_the_reader(data: st.DataObject) -> None:
    content = bytearray(in_subgraph().SerializeToString())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_model(bytes(content), HERE)
    except ModelError as error:
        assert "x.onnx" in str(error)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(50), b"PK\x03\x04" + bytes(50), b"{}"])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"x\.onnx"):
        parse_model(content, HERE)


def test_missing_file_is_named() -> None:
    with pytest.raises(ModelError, match=r"nowhere\.onnx: no such"):
        read_model_file("nowhere.onnx")


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.onnx")
    with pytest.raises(ModelError, match=r"x\.onnx: not a regular file"):
        read_model_file(tmp_path / "x.onnx")
