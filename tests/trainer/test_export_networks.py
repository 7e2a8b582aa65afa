"""Any nn.Module: whatever form it takes its inputs in, however it is wrapped, and whatever its layers share."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, spectral_norm

from gan_runtime import Generator
from gan_runtime.errors import InputError
from gan_runtime.latents import draw_latents
from gan_trainer.export.generator import ExportError, export
from gan_trainer.networks.layers import Reshape

DIM = 16


class Call(nn.Module):
    """A network whose forward is any function of it and its inputs."""

    def __init__(self, function: Callable[..., Any], **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.function = function

    def forward(self, *inputs: Tensor) -> object:
        return self.function(self, *inputs)


def linear(inputs: int = DIM, outputs: int = 36) -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(inputs, outputs)


def plain(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*(layers or [linear()]), Reshape(1, 6, 6), nn.Tanh())


def agrees(network: nn.Module, *expected_inputs: Tensor, labels: np.ndarray | None = None, **request: Any) -> bool:
    """Whether the exported file draws what the network draws of `expected_inputs`, which `latents` stand for."""
    training = network.training
    export(network, "x.onnx", latent_dim=DIM, **request)
    assert network.training == training
    with torch.no_grad():
        expected = network.eval()(*expected_inputs).float().permute(0, 2, 3, 1).numpy() * 127.5 + 127.5
    z = expected_inputs[0].flatten(1).float().numpy()
    generator = Generator.load("x.onnx", "cpu")
    images = generator(z) if labels is None else generator(z, labels)
    return bool(np.abs(images - expected).max() < 0.52)


def latents(n: int = 20) -> Tensor:
    return torch.from_numpy(draw_latents(7, 100, n, DIM))


def test_latents_may_be_maps_as_in_the_dcgan_tutorial() -> None:
    torch.manual_seed(0)
    layers = nn.ConvTranspose2d(DIM, 8, 4, bias=False), nn.BatchNorm2d(8), nn.ReLU(True), nn.ConvTranspose2d(8, 3, 4, 4)
    network = nn.Sequential(*layers, nn.Tanh())
    network(torch.randn(50, DIM, 1, 1))
    assert agrees(network, latents()[:, :, None, None])
    (port,) = onnx.load("x.onnx").graph.input
    assert [axis.dim_param or axis.dim_value for axis in port.type.tensor_type.shape.dim] == ["n", DIM]
    with pytest.raises(ExportError, match=r"does not take latents as .*\[64, 5\].*; nor as float32 \[64, 5, 1, 1\]"):
        export(network, "x.onnx", latent_dim=5)


@pytest.mark.parametrize("maps", [False, True])
def test_labels_may_be_one_hot(maps: bool) -> None:
    layer: nn.Module = nn.ConvTranspose2d(DIM + 3, 1, 6) if maps else linear(DIM + 3)
    tail = nn.Sequential(layer, *plain()[1:])
    network = Call(lambda self, z, y: self.tail(torch.cat([z, y], 1)), tail=tail)
    z, y = latents(), np.arange(20) % 3
    inputs = z, torch.eye(3)[y]
    if maps:
        inputs = tuple(x[:, :, None, None] for x in inputs)
    assert agrees(network, *inputs, labels=y, classes=3)


def test_labels_that_an_embedding_does_not_have_are_refused() -> None:
    network = Call(lambda self, z, y: self.tail(z + self.table(y)), tail=plain(), table=nn.Embedding(3, DIM))
    with pytest.raises(ExportError, match=r"index out of range.*labels are 0 to 4"):
        export(network, "x.onnx", latent_dim=DIM, classes=5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_precisions_become_float32(dtype: torch.dtype) -> None:
    network = plain().to(dtype)
    export(network, "x.onnx", latent_dim=DIM)
    assert network[0].weight.dtype == dtype
    assert agrees(network.float(), latents())


def wrapped(which: str) -> nn.Module:
    network = plain()
    if which == "module.compile()":
        network.compile()
        return network
    return {
        "torch.compile": lambda: torch.compile(network),
        "a compiled part": lambda: nn.Sequential(torch.compile(network), nn.Identity()),
        "DataParallel": lambda: nn.DataParallel(network),
        "traced": lambda: torch.jit.trace(network, torch.randn(2, DIM)),
        "a traced part": lambda: nn.Sequential(torch.jit.trace(network, torch.randn(2, DIM)), nn.Identity()),
        "scripted": lambda: torch.jit.script(network),
    }[which]()


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    "which",
    ["torch.compile", "module.compile()", "a compiled part", "DataParallel", "traced", "a traced part", "scripted"],
)
def test_how_a_network_runs_is_not_exported(which: str) -> None:
    network = wrapped(which)
    export(network, "x.onnx", latent_dim=DIM)
    z = latents()
    with torch.no_grad():
        expected = plain()(z).permute(0, 2, 3, 1).numpy() * 127.5 + 127.5
    assert np.abs(Generator.load("x.onnx", "cpu")(z.numpy()) - expected).max() < 0.52


def normed(which: str) -> nn.Module:
    if which == "weight_norm, as hook":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return plain(nn.utils.weight_norm(linear()))
    return plain(
        {
            "spectral_norm, as hook": spectral_norm,
            "spectral_norm": parametrizations.spectral_norm,
            "weight_norm": parametrizations.weight_norm,
            "orthogonal": parametrizations.orthogonal,
        }[which](linear())
    )


@pytest.mark.parametrize(
    "which", ["spectral_norm, as hook", "weight_norm, as hook", "spectral_norm", "weight_norm", "orthogonal"]
)
def test_parametrized_weights_are_stored_and_the_original_keeps_its_parameters(which: str) -> None:
    network = normed(which)
    network(torch.randn(4, DIM)).sum().backward()  # leaves computed weights behind, which cannot be copied
    names = list(network.state_dict())
    assert agrees(network, latents())
    assert list(network.state_dict()) == names
    network.train()(torch.randn(4, DIM)).sum().backward()
    assert not [node.op_type for node in onnx.load("x.onnx").graph.node if node.op_type in ("MatMul", "ReduceL2")]


def shared(which: str) -> nn.Sequential:
    torch.manual_seed(0)
    act, square, norm = nn.LeakyReLU(0.2), nn.Linear(DIM, DIM), nn.BatchNorm1d(DIM)
    layers: dict[str, list[nn.Module]] = {
        "an activation used twice": [nn.Linear(DIM, DIM), act, nn.BatchNorm1d(DIM), act, nn.BatchNorm1d(DIM), linear()],
        "a layer used twice": [square, nn.BatchNorm1d(DIM), act, square, nn.BatchNorm1d(DIM), square, linear()],
        "a norm used twice": [square, norm, act, nn.Linear(DIM, DIM), norm, norm, linear()],
        "a layer of two parents": [nn.Sequential(square, norm), nn.Sequential(square, act), linear()],
        "a parent used twice": [shared_parent := nn.Sequential(square, norm, act), shared_parent, linear()],
        "channels that are no rows": [Reshape(4, 4), nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Flatten(), linear()],
        "channels of another axis": [Reshape(4, 4), nn.Linear(4, 8), nn.BatchNorm1d(4), nn.Flatten(), linear(32)],
        "a shuffle used twice": [
            *(nn.Linear(DIM, 64), Reshape(16, 2, 2), shuffle := nn.PixelShuffle(2), nn.BatchNorm2d(4)),
            *(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), shuffle, nn.BatchNorm2d(1), nn.Flatten(), linear(64)),
        ],
    }
    return plain(*layers[which])


@pytest.mark.parametrize(
    "which",
    [
        "an activation used twice",
        "a layer used twice",
        "a norm used twice",
        "a layer of two parents",
        "a parent used twice",
        "channels that are no rows",
        "channels of another axis",
        "a shuffle used twice",
    ],
)
def test_norms_are_folded_into_neighbours_alone(which: str) -> None:
    network = shared(which)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
                nn.init.uniform_(values, 0.5, 2.0)
    assert agrees(network, latents())


@pytest.mark.parametrize(
    "forward",
    [
        lambda self, z: self.end(self.body(z) + self.body[0](z)),
        lambda self, z: self.end(self.body[2](self.body[1](self.body[0](z) + 1))),
        lambda self, z: self.end(self.body(z) * self.body[1].running_var.mean()),
    ],
    ids=["a layer without its norm", "something between them", "statistics read"],
)
def test_a_sequence_whose_parts_are_used_apart_is_exported_without_folding(forward: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(DIM, DIM), nn.BatchNorm1d(DIM), nn.ReLU())
    nn.init.uniform_(body[1].running_var, 0.5, 2.0)
    network = Call(forward, body=body, end=plain())
    with torch.no_grad():
        expected = network.eval()(latents()).permute(0, 2, 3, 1).numpy() * 127.5 + 127.5
    export(network, "x.onnx", latent_dim=DIM)
    assert np.abs(Generator.load("x.onnx", "cpu")(latents().numpy()) - expected).max() < 0.52


@pytest.mark.parametrize("last", [Tensor.round, Tensor.floor, Tensor.byte], ids=["round", "floor", "byte"])
def test_a_network_that_rounds_by_itself_may_fall_to_either_side(last: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(DIM, 1024), nn.ReLU(), nn.Linear(1024, 32 * 32), Reshape(1, 32, 32), nn.Sigmoid())
    network = Call(lambda self, z: last(self.body(z) * 255), body=body)
    with torch.no_grad():
        expected = network(latents()).permute(0, 2, 3, 1).numpy().astype(int)
    export(network, "x.onnx", latent_dim=DIM, range=(0, 255))
    assert np.abs(Generator.load("x.onnx", "cpu")(latents().numpy()) - expected).max() <= 1


class Remembers(nn.Module):
    """A network with something that its first call makes."""

    def __init__(self, make: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.tail = plain()
        self.make = make
        self.made: Tensor | None = None

    def forward(self, z: Tensor) -> Tensor:
        if self.made is None:
            self.made = self.make(z)
        return self.tail(z + self.made)


@pytest.mark.parametrize("make", [lambda z: torch.randn(1, DIM), lambda z: z[0].clone()], ids=["noise", "an input"])
def test_what_a_first_call_stores_at_random_is_refused_until_it_is_stored(make: Callable[[Tensor], Tensor]) -> None:
    network = Remembers(make)
    with pytest.raises(ExportError, match="stores values when it is first called"):
        export(network, "x.onnx", latent_dim=DIM)
    assert network.made is None
    with torch.no_grad():
        network(torch.randn(3, DIM))
    assert agrees(network, latents())
    assert agrees(Remembers(lambda z: torch.arange(DIM) / DIM), latents())


def test_inputs_that_a_network_changes_are_its_own_affair() -> None:
    network = Call(lambda self, z: self.tail(z.mul_(2)), tail=plain())
    z = latents()
    export(network, "x.onnx", latent_dim=DIM)
    with torch.no_grad():
        expected = network(z.clone()).permute(0, 2, 3, 1).numpy() * 127.5 + 127.5
    assert np.abs(Generator.load("x.onnx", "cpu")(z.numpy()) - expected).max() < 0.52


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (lambda: Call(lambda self, z: (self.tail(z), z), tail=plain()), "gives a tuple, not images .* wrap it"),
        (lambda: Call(lambda self, z: {"images": self.tail(z)}, tail=plain()), "gives a dict, not images"),
        (lambda: nn.Sequential(linear(), Reshape(4, 3, 3), nn.Tanh()), r"gives \[64, 4, 3, 3\], not images"),
        (lambda: plain(nn.LazyLinear(36)), r"layer 0 \(LazyLinear\) has no weights yet"),
        (lambda: plain().to("meta"), "cannot be copied: Sequential: .*meta tensor"),
        (lambda: plain(linear(), nn.BatchNorm1d(36, track_running_stats=False)), r"layer 1 \(BatchNorm1d\) takes its"),
        (
            lambda: Call(lambda self, z: self.tail(z).squeeze().unsqueeze(1), tail=plain()),
            "another size: keep the first",
        ),
        (lambda: Call(lambda self, z: self.tail(z)[:1], tail=plain()), "1 images for 64 latents"),
        (lambda: Call(lambda self, z: self.tail(z).view(-1, 6, 6), tail=plain()), r"gives \[64, 6, 6\], not images"),
    ],
    ids=["tuple", "dict", "channels", "lazy", "meta", "batch statistics", "squeezed", "images", "axes"],
)
def test_what_cannot_be_a_generator_is_refused_with_the_way_out(network: Callable[[], nn.Module], words: str) -> None:
    with pytest.raises(ExportError, match=words):
        export(network(), "x.onnx", latent_dim=DIM)
    assert not list(Path().iterdir())


@pytest.mark.parametrize("module", [lambda z: z, nn.Linear, "a.pt"])
def test_what_is_no_module_is_refused(module: Any) -> None:
    with pytest.raises(InputError, match=r"expected a torch.nn.Module, not (function|type|str)"):
        export(module, "x.onnx", latent_dim=DIM)
