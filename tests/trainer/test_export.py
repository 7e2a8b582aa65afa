import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from helpers import leftovers, new_generator, small_generator
from torch import Tensor, nn

from gan_runtime import Generator
from gan_runtime.errors import InputError, OutputError
from gan_runtime.latents import draw_latents
from gan_runtime.manifest import GenerateManifest, ImageSize, read_manifest
from gan_runtime.model_file import read_model_file
from gan_trainer.export import generator as export_module
from gan_trainer.export import network as export_network
from gan_trainer.export.generator import OPSETS, ExportError, export
from gan_trainer.export.network import fold_batch_norm
from gan_trainer.networks.layers import Reshape

SIZE = ImageSize(28, 28, 1)
LEAST_IR = {13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9}


def conditional() -> nn.Module:
    torch.manual_seed(0)
    network = small_generator()
    for _ in range(3):  # batch statistics that are not those of the start
        network(torch.randn(32, 16), torch.arange(32) % 10)
    return network


def small(*more: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 2 * 3 * 3), *more, nn.Tanh(), Reshape(2, 3, 3), nn.Conv2d(2, 3, 1), nn.Tanh())


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("which", ["conv", "mlp"])
def test_opset_is_exact_and_ir_version_the_least(which: str, opset: int) -> None:
    if which == "conv":
        export(conditional(), "x.onnx", latent_dim=16, classes=10, opset=opset)
    else:
        export(new_generator("gan"), "x.onnx", latent_dim=100, opset=opset)
    model = onnx.load("x.onnx")
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset)]
    assert model.ir_version == LEAST_IR[opset] == onnx.helper.find_min_ir_version_for(model.opset_import)
    onnx.checker.check_model(model, full_check=True)
    file = read_model_file("x.onnx")
    assert (file.opsets, file.ir_version) == ({"": opset}, LEAST_IR[opset])


@pytest.mark.parametrize("n", [1, 2, 5, 64, 200])
def test_images_are_those_of_torch(n: int) -> None:
    network = conditional().eval()
    export(network, "x.onnx", latent_dim=16, classes=10)
    z, y = draw_latents(3, 0, n, 16), np.arange(n) % 10
    with torch.no_grad():
        expected = network(torch.from_numpy(z), torch.from_numpy(y)).permute(0, 2, 3, 1).numpy() * 127.5 + 127.5
    images = Generator.load("x.onnx", device="cpu")(z, y)
    assert images.dtype == np.uint8
    assert np.abs(images - expected).max() < 0.5 + 127.5e-4


def test_the_file_is_one_and_knows_nothing_of_this_host() -> None:
    export(conditional(), "x.onnx", latent_dim=16, classes=10)
    assert [path.name for path in Path().iterdir()] == ["x.onnx"]
    content = Path("x.onnx").read_bytes()
    for place in (Path.cwd(), Path(__file__).parents[2], Path(torch.__file__).parent, sys.prefix, Path.home()):
        assert str(place).encode() not in content
    model = onnx.load("x.onnx")
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    assert [entry.key for entry in model.metadata_props] == ["gan_edge"]


def test_the_manifest_tells_all() -> None:
    names = tuple("abcdefghij")
    file = export(
        conditional(),
        "x.onnx",
        latent_dim=16,
        classes=10,
        class_names=names,
        name="letters",
        distribution="uniform",
        training={"recipe": "quick"},
    )
    manifest = read_manifest(file)
    assert isinstance(manifest, GenerateManifest)
    assert manifest.labels is not None
    assert (manifest.name, manifest.task, manifest.output) == ("letters", "generate", SIZE)
    assert (manifest.latents.dim, manifest.latents.distribution, manifest.labels.names) == (16, "uniform", names)
    assert manifest.training == {"recipe": "quick"}
    assert manifest.fingerprint is not None
    assert len(manifest.fingerprint.pixels) * 4 / 3 <= 4096


def test_the_module_stays_as_it_was() -> None:
    network = conditional().double().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    export(network, "x.onnx", latent_dim=16, classes=10)
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_the_same_module_gives_the_same_file() -> None:
    assert (
        export(small(), "a.onnx", latent_dim=4, name="x").sha256
        == export(small(), "b.onnx", latent_dim=4, name="x").sha256
    )


def test_any_module_can_be_exported() -> None:
    class Odd(nn.Module):
        """Not sequential, three channels, functional operators, batch norm and dropout in training mode."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(6, 3 * 5 * 7)
            self.norm = nn.BatchNorm2d(3)

        def forward(self, z: Tensor) -> Tensor:
            x = self.norm(self.inner(z).view(-1, 3, 5, 7))
            return torch.sin(nn.functional.dropout(nn.functional.interpolate(x, scale_factor=2.0), 0.5, self.training))

    export(Odd(), "x.onnx", latent_dim=6)
    assert Generator.load("x.onnx", device="cpu").sample(3).shape == (3, 10, 14, 3)


def test_batch_norm_is_folded_away() -> None:
    network = conditional().eval()
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
            nn.init.uniform_(values, 0.5, 2.0)
    z, y = torch.randn(4, 16), torch.arange(4)
    with torch.no_grad():
        torch.testing.assert_close(network(z, y), fold_batch_norm(network)(z, y), atol=1e-5, rtol=0)
    export(conditional(), "x.onnx", latent_dim=16, classes=10)
    kinds = [node.op_type for node in onnx.load("x.onnx").graph.node]
    assert kinds.count("BatchNormalization") <= 1


class Noisy(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(z.view(-1, 1, 2, 2) + torch.randn(len(z), 1, 2, 2))


class OfTheBatch(nn.Module):
    """Its pictures depend on how many there are, which the trace freezes."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(z.view(-1, 1, 2, 2) / z.shape[0].__int__())


class Frozen(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(z.view(-1, 1, 2, 2) * (2.0 if len(z) > 2 else 1.0))


class Poisoned(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * float("nan")


class NotExportable(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(torch.linalg.svdvals(z.view(-1, 1, 2, 2))[..., None].expand(-1, -1, 2, 2))


@pytest.mark.parametrize(
    ("network", "latent_dim", "message"),
    [
        (Noisy(), 4, "draws other images for the same latents"),
        (
            OfTheBatch(),
            4,
            r"no Python branches or values: test_export.py:\d+: return.*x.shape\[0\] without int",
        ),
        (Frozen(), 4, r"no Python branches or values: test_export.py:\d+: .*if len\(z\) > 2"),
        (NotExportable(), 4, "opset 17: torch cannot export the network"),
        (nn.Sequential(nn.Linear(4, 8)), 4, r"gives \[64, 8\], not images"),
        (nn.Sequential(nn.Linear(4, 8), Reshape(2, 2, 2)), 4, "not images"),
        (nn.Sequential(nn.Linear(4, 4), Reshape(1, 2, 2), nn.Hardtanh(-9, 9)), 4, r"outside of \[-1, 1\]"),
        (small(), 5, "does not take latents"),
        (nn.Sequential(nn.Linear(4, 4), Reshape(1, 2, 2), Poisoned()), 4, "values that are not finite"),
        (new_generator("gan", latent_dim=4), 3, "does not take latents"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_networks_that_cannot_be_deployed_are_refused(network: nn.Module, latent_dim: int, message: str) -> None:
    if message.startswith(r"outside"):
        network[0].weight.data.fill_(5.0)
    Path("x.onnx").write_bytes(b"old")
    with pytest.raises(ExportError, match=message):
        export(network, "x.onnx", latent_dim=latent_dim)
    assert Path("x.onnx").read_bytes() == b"old"
    assert not leftovers(Path())


@pytest.mark.parametrize("opset", [12, 21, 0, -1, 99])
def test_opsets_out_of_range_are_refused(opset: int) -> None:
    with pytest.raises(InputError, match=f"opset {opset}: choose one from 13 to 20"):
        export(small(), "x.onnx", latent_dim=4, opset=opset)


def test_an_exporter_that_lies_about_the_opset_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = export_module.to_onnx
    monkeypatch.setattr(
        export_module, "to_onnx", lambda module, inputs, outputs, opset: honest(module, inputs, outputs, 18)
    )
    with pytest.raises(ExportError, match=r"opset 17: torch wrote \{'': 18\} instead"):
        export(small(), "x.onnx", latent_dim=4)
    assert not Path("x.onnx").exists()


def test_an_exporter_that_changes_a_weight_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = export_module.to_onnx

    def careless(module: nn.Module, inputs: dict[str, Tensor], outputs: list[str], opset: int) -> onnx.ModelProto:
        model = honest(module, inputs, outputs, opset)
        tensor = max(model.graph.initializer, key=lambda one: len(one.raw_data))
        tensor.raw_data = (np.frombuffer(tensor.raw_data, np.float32) * 1.01).tobytes()
        return model

    monkeypatch.setattr(export_module, "to_onnx", careless)
    with pytest.raises(ExportError, match=r"batch of 1: the graph differs from torch by .* values in \[-1, 1\]"):
        export(small(), "x.onnx", latent_dim=4)


def test_bad_places_are_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "to_onnx", lambda *_: pytest.fail("exported"))
    with pytest.raises(OutputError, match="missing does not exist"):
        export(small(), "missing/x.onnx", latent_dim=4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {"device": torch.device("cpu")}}, "what JSON can hold"),
        ({"training": {"fid": float("nan")}}, "what JSON can hold"),
        ({"path": "x.png"}, "ends in .onnx"),
        ({"path": "x\udcff.onnx"}, "what JSON can hold"),
        ({"name": "x\udcff"}, "what JSON can hold"),
        ({"classes": -2}, "classes -2"),
        ({"classes": 3, "class_names": ("a",)}, "1 class names"),
        ({"latent_dim": 0}, "latent_dim 0"),
    ],
)
def test_bad_requests_are_refused_before_any_work(
    changes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "to_onnx", lambda *_: pytest.fail("exported"))
    request = {"path": "x.onnx", "latent_dim": 4} | changes
    with pytest.raises(InputError, match=message):
        export(small(), **request)
    assert not list(Path().iterdir())


class ReluBetween(nn.Sequential):
    """Looks like a plain sequence, and is none."""

    def forward(self, x: Tensor) -> Tensor:
        linear, norm, shape, tanh = self
        return tanh(shape(norm(torch.relu(linear(x)))))


class DoubledNorm(nn.BatchNorm1d):
    def forward(self, x: Tensor) -> Tensor:
        return 2.0 * super().forward(x)


def with_norm(sequence: type[nn.Sequential] = nn.Sequential, norm: type[nn.Module] = nn.BatchNorm1d) -> nn.Sequential:
    torch.manual_seed(0)
    network = sequence(nn.Linear(4, 9), norm(9), Reshape(1, 3, 3), nn.Tanh())
    network(torch.randn(64, 4) * 3 + 1)
    return network


def hooked() -> nn.Module:
    network = with_norm()
    network[0].register_forward_hook(lambda module, inputs, output: output * 0.5)
    return network


def parametrized() -> nn.Module:
    network = with_norm()
    nn.utils.parametrizations.weight_norm(network[0])
    return network


def grouped() -> nn.Module:
    layers = nn.Linear(4, 16), Reshape(4, 2, 2), nn.ConvTranspose2d(4, 4, 2, 2, groups=2), nn.BatchNorm2d(4)
    return nn.Sequential(*layers, nn.Conv2d(4, 1, 1), nn.Tanh())


@pytest.mark.parametrize(
    "network",
    [with_norm(), with_norm(sequence=ReluBetween), with_norm(norm=DoubledNorm), hooked(), parametrized(), grouped()],
    ids=["plain", "own forward", "own norm", "hook", "parametrized", "grouped"],
)
def test_what_is_exported_is_the_network_and_not_a_guess_of_it(network: nn.Module) -> None:
    export(network, "x.onnx", latent_dim=4)
    z = draw_latents(1, 0, 50, 4)
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(z)).permute(0, 2, 3, 1).numpy() * 127.5 + 127.5
    assert np.abs(Generator.load("x.onnx", device="cpu")(z) - expected).max() < 0.52


def careless(module: nn.Module, *_: object) -> nn.Module:
    module = deepcopy(module)
    module[1] = nn.Identity()
    return module


def test_a_wrong_fold_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_network, "fold_batch_norm", careless)
    network, z = with_norm(), draw_latents(1, 0, 50, 4)
    export(network, "x.onnx", latent_dim=4)
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(z)).permute(0, 2, 3, 1).numpy() * 127.5 + 127.5
    assert np.abs(Generator.load("x.onnx", device="cpu")(z) - expected).max() < 0.52


def test_a_wrong_copy_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "plain_copy", careless)
    with pytest.raises(ExportError, match="differs from torch"):
        export(with_norm(), "x.onnx", latent_dim=4)


class Deaf(nn.Module):
    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return torch.tanh(z.view(-1, 1, 2, 2))


def test_a_network_that_ignores_its_labels_is_refused() -> None:
    with pytest.raises(ExportError, match="does not use all of its inputs"):
        export(Deaf(), "x.onnx", latent_dim=4, classes=3)


@pytest.mark.parametrize("network", ["Net()", "torch.jit.script(Net())"])
def test_failures_of_torch_print_nothing(network: str) -> None:
    """In a process of its own: what native code has buffered appears only at its end."""
    code = (
        "import torch; from gan_trainer.export.generator import export, ExportError\n"
        "class Net(torch.nn.Module):\n"
        "    def forward(self, z):\n"
        "        return torch.tanh(torch.linalg.svdvals(z.view(-1, 1, 2, 2))[..., None].expand(-1, -1, 2, 2))\n"
        f"try: export({network}, 'x.onnx', latent_dim=4)\n"
        "except ExportError as error: print(error)"
    )
    Path("net.py").write_text(code)  # scripts have to have a source
    quiet = ["-W", "ignore"] if "jit" in network else []  # torch deprecates scripts
    done = subprocess.run([sys.executable, *quiet, "net.py"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("opset 17: torch cannot export the network: ")
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
