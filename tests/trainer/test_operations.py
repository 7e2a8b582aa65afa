"""The operations in a manifest are those that torch counts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from helpers import DIGIT, new_generator
from styled import styled_generator
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gan_runtime.manifest import GenerateManifest, ImageSize, Latents, read_manifest
from gan_runtime.model_file import ModelFile, read_model_file
from gan_trainer.export import export, export_styled
from gan_trainer.export.encoder import encoder_file
from gan_trainer.export.network import plain_copy
from gan_trainer.export.operations import operations_of
from gan_trainer.export.translator import translator_file
from gan_trainer.export.upscaler import upscaler_file
from gan_trainer.networks.upscaling import new_upscaler
from gan_trainer.recipes.recipe import RECIPES
from gan_trainer.systems import new_networks
from gan_trainer.training.system import Shapes


def counted(network: nn.Module, *inputs: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(*inputs)
    return counter.get_total_flops()


def flops(file: ModelFile) -> int:
    manifest = read_manifest(file)
    assert manifest
    return manifest.flops


@pytest.mark.parametrize("recipe", ["gan", "quick"])
def test_of_a_generator(recipe: str) -> None:
    network = new_generator(recipe)
    dim = 100 if recipe == "gan" else 64
    export(network, "x.onnx", latent_dim=dim)
    exported = plain_copy(network.eval(), (np.zeros((3, dim), np.float32),))  # with merged pixel shuffles
    assert flops(read_model_file("x.onnx")) == counted(exported, torch.zeros(1, dim)) > 0


def test_of_an_upscaler_per_pixel_of_its_input() -> None:
    network = new_upscaler("compact", 2, 3, 8, 1)
    file = upscaler_file(network, Path("x.onnx"), channels=3, scale=2)
    assert flops(file) == pytest.approx(counted(network, torch.zeros(1, 3, 32, 32)) / 32**2, abs=1)
    assert flops(file) > 0


def test_of_an_encoder() -> None:
    torch.manual_seed(0)
    recipe = replace(RECIPES["vae"], width=8)
    network = new_networks(recipe, Shapes(DIGIT))["encoder"]
    file = encoder_file(network, Path("e.onnx"), size=DIGIT, latents=Latents(recipe.latent_dim, "normal"))
    assert flops(file) == pytest.approx(
        counted(network, torch.zeros(1, 1, 28, 28)), rel=0.05
    )  # half of the head is cut
    assert flops(file) > 0


def test_of_a_generator_with_styles() -> None:
    network = styled_generator()
    export_styled(network, "x.onnx")
    assert flops(read_model_file("x.onnx")) == counted(network, torch.zeros(1, 6))


def test_of_a_translator_per_pixel_of_its_input() -> None:
    torch.manual_seed(0)
    network = TranslatorNetwork()
    file = translator_file(network, Path("t.onnx"), source=ImageSize(32, 32, 3), images=ImageSize(32, 32, 3))
    assert flops(file) == counted(network, torch.zeros(1, 3, 8, 8)) / 64 > 0


class TranslatorNetwork(nn.Module):
    """One convolution with a stride, and one back."""

    multiple = least = 4

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 4, 2, 1)
        self.up = nn.ConvTranspose2d(8, 3, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.up(torch.relu(self.down(x))))


def test_transposed_matrices_and_dynamic_products() -> None:
    nodes = [
        onnx.helper.make_node("Gemm", ["a", "latents"], ["b"], transA=1, transB=1),  # [3, 2]' [1, 3]'
        onnx.helper.make_node("MatMul", ["b", "latents"], ["images"]),  # [2, 1] [1, 3]
    ]
    ports = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 3]) for name in ("latents", "images")
    ]
    matrix = onnx.numpy_helper.from_array(np.ones((3, 2), np.float32), "a")
    graph = onnx.helper.make_graph(nodes, "g", ports[:1], ports[1:], [matrix])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    manifest = GenerateManifest(name="x", latents=Latents(3, "normal"), output=ImageSize(1, 1, 3))
    assert operations_of(model, manifest) == 2 * 2 * 3 + 2 * 2 * 1 * 3
