"""Files in int8 and fp16: what is in them, and that each image is the same in every batch."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from helpers import new_generator, small_generator
from onnx import TensorProto, numpy_helper
from torch import nn
from trained_translators import COLOUR, GREY, pictures, trained

from gan_runtime import Generator
from gan_runtime.evaluation.fingerprint import check_fingerprint
from gan_runtime.latents import default_labels, draw_latents
from gan_runtime.manifest import ImageSize, Latents, Precision, read_manifest
from gan_runtime.model_file import ModelFile, parse_model
from gan_runtime.opening import open_model
from gan_trainer.export.encoder import encoder_file
from gan_trainer.export.generator import generator_file
from gan_trainer.export.onnx_file import ExportError
from gan_trainer.export.precision import FP16, INT8, described, reduced_file
from gan_trainer.export.translator import translator_file
from gan_trainer.export.upscaler import upscaler_file
from gan_trainer.networks.upscaling import new_upscaler

N = 32
COST = Precision(INT8, "fid", 1.0, 1.1, 100, 1000)


def generator(kind: str, opset: int = 17) -> tuple[ModelFile, list[dict[str, np.ndarray]]]:
    """A file in fp32 with weights as after a moment of training, and inputs that are typical of it."""
    torch.manual_seed(0)
    path = Path("x.onnx")
    if kind == "quick":
        network = small_generator()
        for _ in range(3):
            network(torch.randn(32, 16), torch.arange(32) % 10)
        file = generator_file(network, path, latent_dim=16, classes=10, opset=opset)
        return file, [{"latents": draw_latents(1, 0, N, 16), "labels": default_labels(0, N, 10)}]
    network = new_generator("gan", network=kind, width=8)
    file = generator_file(network, path, latent_dim=100, range=(-1, 1), opset=opset)
    return file, [{"latents": draw_latents(1, 0, N, 100)}]


def inner_operators(file: ModelFile) -> set[str]:
    """The operators that ONNX Runtime makes of a graph."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = "optimised.onnx", 3
    onnxruntime.InferenceSession(file.content, options, providers=["CPUExecutionProvider"])
    return {node.op_type for node in onnx.load("optimised.onnx").graph.node}


@pytest.mark.parametrize("opset", [13, 17, 20])
@pytest.mark.parametrize("precision", [INT8, FP16])
def test_opset_is_exact_and_ir_version_the_least(precision: str, opset: int) -> None:
    whole, feeds = generator("quick", opset)
    file = reduced_file(whole, precision, feeds)
    model = onnx.load_from_string(file.content)
    onnx.checker.check_model(model, full_check=True)
    assert (file.opsets, file.ir_version) == ({"": opset}, whole.ir_version)
    assert (file.inputs, file.outputs) == (whole.inputs, whole.outputs)
    assert [entry.key for entry in model.metadata_props] == ["gan_edge"]


@pytest.mark.parametrize(
    ("kind", "kernels"), [("quick", {"QLinearConv"}), ("mlp", {"QGemm"}), ("dcgan", {"QLinearConv"})]
)
def test_products_are_computed_in_integers(kind: str, kernels: set[str]) -> None:
    whole, feeds = generator(kind)
    file = reduced_file(whole, INT8, feeds)
    found = inner_operators(file)
    assert kernels <= found
    assert not found & {"Conv", "FusedConv", "ConvTranspose", "Gemm", "FusedGemm", "MatMul"}
    images, expected = (Generator.open(one, "cpu").sample(N).astype(int) for one in (file, whole))
    assert np.abs(images - expected).mean() < 3


@pytest.mark.parametrize("precision", [INT8, FP16])
def test_an_image_is_the_same_in_every_batch_and_with_every_number_of_threads(precision: str) -> None:
    file = reduced_file(*generator("quick")[:1], precision, generator("quick")[1])
    one, two = (Generator.open(file, "cpu", threads) for threads in (1, 2))
    whole = one.sample(50)
    for batch in (1, 7, 16, 49):
        assert np.array_equal(one.sample(50, batch_size=batch), whole)
        assert np.array_equal(two.sample(50, batch_size=batch), whole)


def test_sums_of_two_products_fit_into_16_bits() -> None:
    """So that `vpmaddubsw`, which processors without VNNI multiply with, never saturates."""
    file = reduced_file(*generator("quick")[:1], INT8, generator("quick")[1])
    stored = [numpy_helper.to_array(one) for one in onnx.load_from_string(file.content).graph.initializer]
    weights = [one.astype(np.int64).reshape(-1) for one in stored if one.dtype == np.int8 and one.ndim > 1]
    assert len(weights) == 4
    largest = np.full(2, 255)
    for weight in weights:
        pairs = np.lib.stride_tricks.sliding_window_view(np.abs(weight), 2) @ largest  # whichever two are added
        assert pairs.max() <= np.iinfo(np.int16).max
        assert np.abs(weight).max() == 64  # all that there is room for


def test_what_saturates_would_be_seen() -> None:
    """The bound of the test above is tight: weights of 8 bits would not fit."""
    assert 2 * 255 * 64 <= np.iinfo(np.int16).max < 2 * 255 * 65


@pytest.mark.parametrize("kind", ["unet", "resnet", "transposed", "instance"])
def test_translators_in_int8(kind: str) -> None:
    size = COLOUR if kind in ("resnet", "instance") else GREY
    whole = translator_file(trained(kind), Path("x.onnx"), source=size, images=COLOUR)
    shown = pictures(16, size)
    file = reduced_file(whole, INT8, [{"source": shown}])
    with open_model(file, "cpu", 1) as here, open_model(whole, "cpu", 1) as there:
        assert check_fingerprint(here) == 0
        change = here(pictures(8, size, seed=5)).astype(int) - there(pictures(8, size, seed=5))
        assert np.abs(change).mean() < 4
    assert len(file.content) < 0.6 * len(whole.content)  # the smallest networks are mostly names


@pytest.mark.parametrize("network", ["compact", "edsr"])
def test_upscalers_in_int8_give_the_same_for_tiles(network: str) -> None:
    torch.manual_seed(0)
    module = new_upscaler(network, channels=3, scale=2, width=16, blocks=2).eval()
    whole = upscaler_file(module, Path("x.onnx"), channels=3, scale=2)
    file = reduced_file(whole, INT8, [{"source": pictures(4)}])
    assert "QLinearConv" in inner_operators(file)
    picture = pictures(1, ImageSize(60, 50, 3))[0]
    with open_model(file, "cpu", 1) as opened:
        assert np.array_equal(opened.run_picture(picture, 32), opened.run_picture(picture, 0))


def test_encoders_in_int8() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 16, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(16 * 14 * 14, 8))
    size = ImageSize(28, 28, 1)
    whole = encoder_file(network, Path("x.onnx"), size=size, latents=Latents(4, "normal"))
    images = np.random.default_rng(0).integers(0, 256, (N, 28, 28, 1), np.uint8)
    file = reduced_file(whole, INT8, [{"images": images}])
    here, there = (open_model(one, "cpu", 1)(images) for one in (file, whole))
    assert 0 < np.abs(here - there).max() < 0.05 * np.abs(there).max()


def test_half_the_bytes_in_fp16_with_ends_in_fp32() -> None:
    whole, feeds = generator("mlp")
    file = reduced_file(whole, FP16, feeds)
    graph = onnx.load_from_string(file.content).graph
    kinds = {one.data_type for one in graph.initializer if len(one.dims) > 1}
    assert kinds == {TensorProto.FLOAT16}
    casts = [node.attribute[0].i for node in graph.node if node.op_type == "Cast"]
    assert casts.count(TensorProto.FLOAT16) == 1  # of the latents
    producer = {name: node for node in graph.node for name in node.output}
    tanh = next(node for node in graph.node if node.op_type == "Tanh")
    before = producer[tanh.input[0]]
    assert "Cast" in (before.op_type, producer[before.input[0]].op_type)
    images, expected = (Generator.open(one, "cpu").sample(N).astype(int) for one in (file, whole))
    assert np.abs(images - expected).max() <= 1
    assert len(file.content) < 0.55 * len(whole.content)


def test_values_that_could_overflow_stay_in_fp32() -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 48)]
    with torch.no_grad():
        layers[1].weight *= 1e5
        layers[2].weight *= 1e-5
    network = nn.Sequential(*layers, nn.Unflatten(1, (3, 4, 4)), nn.Tanh())
    whole = generator_file(network, Path("x.onnx"), latent_dim=4)
    file = reduced_file(whole, FP16, [{"latents": draw_latents(1, 0, N, 4)}])
    weights = [one.data_type for one in onnx.load_from_string(file.content).graph.initializer if len(one.dims) == 2]
    assert sorted(weights) == [TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.FLOAT16]
    images, expected = (Generator.open(one, "cpu").sample(N).astype(int) for one in (file, whole))
    assert np.abs(images - expected).max() <= 1


def test_a_network_without_products_is_refused() -> None:
    class Repeated(nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return torch.tanh(z)[:, :, None, None].expand(-1, 3, 4, 4)

    whole = generator_file(Repeated(), Path("x.onnx"), latent_dim=3)
    for precision in (INT8, FP16):
        with pytest.raises(ExportError, match=f"--precision {precision}: the network has no convolution"):
            reduced_file(whole, precision, [{"latents": draw_latents(1, 0, N, 3)}])


def test_the_manifest_says_what_it_costs(call) -> None:
    whole, feeds = generator("quick")
    file = described(reduced_file(whole, INT8, feeds), replace(COST, bytes=len(whole.content)))
    Path("x.onnx").write_bytes(file.content)
    manifest = read_manifest(file)
    assert manifest is not None
    assert manifest.precision == replace(COST, bytes=len(whole.content))
    shown = call("gan-info", "x.onnx", "--check")
    assert shown.code == 0
    for words in ("computes_in:", "int8", "FID 1.1000 instead of 1.0000, of 100 samples", "bytes in fp32"):
        assert words in shown.out
    assert "fingerprint_tolerance" not in shown.out
    levels = manifest.fingerprint.tolerance  # type: ignore[attr-defined]
    assert json.loads(call("gan-info", "x.onnx", "--json").out)["precision"] == {
        "name": "int8", "metric": "fid", "before": 1.0, "after": 1.1, "n": 100, "bytes": len(whole.content),
        "fingerprint_tolerance": levels,
    }  # fmt: skip


def test_the_tolerance_of_a_fingerprint_decides(call) -> None:
    whole, _ = generator("quick")
    manifest = read_manifest(whole)
    assert manifest is not None
    near = manifest.fingerprint  # type: ignore[attr-defined]
    shifted = bytes(level + 3 if level < 253 else level - 3 for level in near.pixels)
    for tolerance, code in ((1, 1), (3, 0)):
        other = replace(near, pixels=shifted, tolerance=tolerance)
        file = described(whole, COST, fingerprint=other)
        Path("y.onnx").write_bytes(file.content)
        assert read_manifest(parse_model(file.content, Path("y.onnx"))).fingerprint == other  # type: ignore[union-attr]
        done = call("gan-info", "y.onnx", "--check", "--json")
        report = json.loads(done.out)["check"]
        assert (done.code, report["largest_difference"], report["tolerance"]) == (code, 3, tolerance)
