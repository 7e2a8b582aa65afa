"""Find the operator that computes an output of a graph."""

from gan_runtime.model_file import ModelFile
from gan_runtime.protobuf import read_message

REARRANGING = {
    "Identity", "Cast", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "QuantizeLinear", "DequantizeLinear",
}  # fmt: skip
"""Operators that leave values where they are, or move and store them."""


def operator_of(model: ModelFile, name: str) -> str:
    """The operator of the default domain that computes the output `name`, before it is rearranged; "" if unknown."""
    (graph,) = read_message(memoryview(model.content), "ModelProto").messages(7)
    for node in reversed(graph.messages(1)):
        if name in node.fields.get(2, []):
            if node.text(7) not in ("", "ai.onnx"):
                return ""
            if node.text(4) not in REARRANGING:
                return node.text(4)
            name = str(node.fields.get(1, [""])[0])
    return ""
