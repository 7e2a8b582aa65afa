"""Graphs in the forms that 8-bit kernels and 16-bit floats need: with equal results in fp32."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from torch import nn

from gan_trainer.export.precision.graph import Graph
from gan_trainer.export.precision.int8 import quantised_weights
from gan_trainer.export.precision.subpixel import kernel_before_shuffle, rewrite_shuffles, subpixel_kernel


@pytest.mark.parametrize(
    ("kernel", "stride", "pad"), [(4, 2, 1), (2, 2, 0), (6, 2, 2), (3, 1, 1), (8, 4, 2), (5, 3, 1)]
)
def test_a_transposed_convolution_is_a_convolution_and_a_shuffle(kernel: int, stride: int, pad: int) -> None:
    torch.manual_seed(0)
    layer, x = nn.ConvTranspose2d(5, 7, kernel, stride, pad, bias=False), torch.randn(2, 5, 6, 4)
    weight, before = subpixel_kernel(layer.weight.detach().numpy(), stride, pad)
    after = weight.shape[2] - 1 - before
    padded = nn.functional.pad(x, (before, after, before, after))
    found = nn.functional.pixel_shuffle(nn.functional.conv2d(padded, torch.from_numpy(weight)), stride)
    assert torch.allclose(found, layer(x), atol=1e-6)


@pytest.mark.parametrize(("kernel", "block"), [(3, 2), (5, 2), (1, 2), (3, 4), (3, 3)])
def test_a_convolution_after_a_shuffle_is_one_before_it(kernel: int, block: int) -> None:
    torch.manual_seed(0)
    layer, x = nn.Conv2d(3, 2, kernel, padding=kernel // 2, bias=False), torch.randn(2, 3 * block**2, 5, 4)
    weight, before = kernel_before_shuffle(layer.weight.detach().numpy(), block, kernel // 2)
    weight, after = weight.reshape(-1, *weight.shape[3:]), weight.shape[-1] - 1 - before
    padded = nn.functional.pad(x, (before, after, before, after))
    found = nn.functional.pixel_shuffle(nn.functional.conv2d(padded, torch.from_numpy(weight)), block)
    assert torch.allclose(found, layer(nn.functional.pixel_shuffle(x, block)), atol=1e-6)


def traced(network: nn.Module, x: torch.Tensor) -> onnx.ModelProto:
    torch.onnx.export(network, (x,), "x.onnx", input_names=["x"], output_names=["y"], opset_version=17, dynamo=False)
    return onnx.load("x.onnx")


def values(model: onnx.ModelProto, x: torch.Tensor) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x.numpy()})[0])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_whole_networks_give_the_same() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.ConvTranspose2d(6, 8, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(8, 12, 3, padding=1),
        nn.PixelShuffle(2),
        nn.LeakyReLU(0.2),
        nn.Conv2d(3, 4, 3, padding=1),
        nn.PixelShuffle(2),
        nn.Tanh(),
    ).eval()
    x = torch.randn(2, 6, 5, 3)
    model = traced(network, x)
    expected, graph = values(model, x), Graph(model)
    rewrite_shuffles(graph)
    graph.shorten_names()
    graph.write()
    onnx.checker.check_model(model, full_check=True)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds == ["Conv", "Relu", "DepthToSpace", "Conv", "LeakyRelu", "Conv", "DepthToSpace", "Tanh"]
    assert model.graph.node[-2].attribute[0].i == 4  # both shuffles are one
    assert np.allclose(values(model, x), expected, atol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "layer",
    [
        nn.ConvTranspose2d(4, 6, 3, 2, 1, 1),  # output padding
        nn.ConvTranspose2d(4, 6, 4, 1, 0),  # not as large as its input
        nn.ConvTranspose2d(4, 6, 4, 2, 1, groups=2),
        nn.ConvTranspose2d(4, 6, 3, 2, 1, 0, dilation=2),
    ],
)
def test_other_transposed_convolutions_stay_as_they_are(layer: nn.Module) -> None:
    model = traced(layer.eval(), torch.randn(2, 4, 5, 5))
    graph = Graph(model)
    rewrite_shuffles(graph)
    assert [node.op_type for node in graph.nodes] == ["ConvTranspose"]


@pytest.mark.parametrize("axis", [0, 1])
def test_weights_of_a_channel_share_a_scale_and_no_pair_of_products_overflows(axis: int) -> None:
    weight = np.random.default_rng(0).standard_normal((6, 6, 3, 3)).astype(np.float32)
    weight[2] = 0
    stored, scales = quantised_weights(weight, axis)
    assert stored.dtype == np.int8
    assert scales.shape == (6,)
    back = stored * np.expand_dims(scales, [i for i in range(4) if i != axis])
    assert (np.abs(back - weight) <= np.expand_dims(scales, [i for i in range(4) if i != axis]) / 2 + 1e-6).all()
    assert 2 * 255 * int(np.abs(stored.astype(int)).max()) <= np.iinfo(np.int16).max


def test_constants_of_other_types_stay() -> None:
    node = onnx.helper.make_node("Reshape", ["x", "shape"], ["y"])
    ports = [onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    shape = onnx.numpy_helper.from_array(np.array([0, -1]), "shape")
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", ports[:1], ports[1:], [shape]))
    graph = Graph(model)
    graph.shorten_names()
    graph.write()
    assert [onnx.numpy_helper.to_array(one).tolist() for one in model.graph.initializer] == [[0, -1]]
    assert [port.name for port in (*model.graph.input, *model.graph.output)] == ["x", "y"]
