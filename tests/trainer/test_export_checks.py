"""What export() promises of a file is checked: range, independence of the batch, all classes, and the fingerprint."""

import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from helpers import leftovers
from torch import Tensor, nn
from torch.nn.functional import dropout

from gan_runtime import Generator
from gan_runtime.errors import InputError
from gan_runtime.latents import draw_latents
from gan_runtime.manifest import ImageSize, Latents
from gan_trainer.export import generator as export_module
from gan_trainer.export import onnx_file
from gan_trainer.export.encoder import encoder_file
from gan_trainer.export.generator import ExportError, export
from gan_trainer.export.points import export_points
from gan_trainer.features.export import export_features
from gan_trainer.networks.layers import Reshape

DIM = 16
SIZE = ImageSize(8, 8, 1)
LATENTS = Latents(DIM, "normal")


class Net(nn.Module):
    """tanh of a linear layer, with `change` made to its values [n, 36]; labels, if any, may change them, too."""

    def __init__(self, change: Callable[..., Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(DIM, 36)
        self.change = change

    def forward(self, z: Tensor, *labels: Tensor) -> Tensor:
        return torch.tanh(self.change(self.layer(z), *labels)).view(-1, 1, 6, 6)


def values(*last: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(DIM, 36), Reshape(1, 6, 6), *last)


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


@pytest.mark.parametrize(
    ("network", "given", "scale", "offset"),
    [
        (values(nn.Tanh()), None, 127.5, 127.5),
        (values(nn.Tanh()), (-1, 1), 127.5, 127.5),
        (values(nn.Sigmoid()), (0, 1), 255, 0),
        (values(nn.Sigmoid(), Times(255.0)), (0, 255), 1, 0),
        (values(nn.Sigmoid()), (-1, 1), 127.5, 127.5),
    ],
)
def test_the_range_of_a_network_can_be_said(network: nn.Module, given: Any, scale: float, offset: float) -> None:
    export(network, "x.onnx", latent_dim=DIM, range=given)
    z = draw_latents(3, 0, 50, DIM)
    with torch.no_grad():
        expected = network(torch.from_numpy(z)).permute(0, 2, 3, 1).numpy() * scale + offset
    assert np.abs(Generator.load("x.onnx", "cpu")(z) - expected).max() < 0.52


@pytest.mark.parametrize(
    ("network", "request_", "words"),
    [
        (values(nn.Sigmoid()), {}, r"as if their range were \[0, 1\].*range=\(0, 1\).*range=\(-1, 1\)"),
        (values(), {}, r"outside of \[-1, 1\]: end it with tanh.*clip=True"),
        (values(nn.Sigmoid(), Times(255.0)), {}, r"outside of \[-1, 1\].*range=\(0, 255\)"),
        (values(nn.Tanh()), {"range": (0, 1)}, r"reach -.*outside of \[0, 1\]"),
    ],
)
def test_values_of_another_range_are_refused(network: nn.Module, request_: dict[str, Any], words: str) -> None:
    with pytest.raises(ExportError, match=words):
        export(network, "x.onnx", latent_dim=DIM, **request_)
    assert not list(Path().iterdir())


def test_a_class_that_leaves_the_range_is_found() -> None:
    class Loud(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Embedding(100, 1)
            self.gain.weight.data.fill_(0.9)
            self.gain.weight.data[97] = 1.2
            self.tail = values(nn.Tanh())

        def forward(self, z: Tensor, labels: Tensor) -> Tensor:
            return self.tail(z) * self.gain(labels)[:, :, None, None]

    with pytest.raises(ExportError, match=r"outside of \[-1, 1\]"):
        export(Loud(), "x.onnx", latent_dim=DIM, classes=100)


def test_what_leaves_the_range_is_cut_off_if_asked_for() -> None:
    export(values(), "x.onnx", latent_dim=DIM, clip=True)
    z = draw_latents(3, 0, 50, DIM)
    with torch.no_grad():
        grey = values()(torch.from_numpy(z)).permute(0, 2, 3, 1).numpy() * 127.5 + 127.5
    assert grey.max() > 300
    assert np.abs(Generator.load("x.onnx", "cpu")(z) - grey.clip(0, 255)).max() < 0.52


@pytest.mark.parametrize("given", [(1, 0), (0, 0), "0..1", (0, 1, 2), (0, float("nan")), 5, ("a", "b")])
def test_ranges_that_are_none_are_refused(given: Any) -> None:
    with pytest.raises(InputError, match=r"range .*black and white"):
        export(values(nn.Tanh()), "x.onnx", latent_dim=DIM, range=given)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x - x.mean(0, keepdim=True),
        lambda x: x / x.abs().max(),
        lambda x: x - x.roll(1, 0),
        lambda x: x.sort(0).values,
        lambda x: x * x.cumsum(0).softmax(0),
        lambda x: x + 0.01 * x[:1],
    ],
    ids=["mean", "maximum", "neighbour", "order", "sum", "first"],
)
def test_images_that_depend_on_their_batch_are_refused(change: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(ExportError, match=r"depends on the others in its batch: by .* in a batch of \d+"):
        export(Net(change), "x.onnx", latent_dim=DIM)
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("change", "operator"),
    [
        (lambda x: x + torch.randn_like(x), "RandomNormalLike"),
        (lambda x: x + torch.rand(x.shape[0], 1), "RandomUniform"),
        (lambda x: x + 0 * torch.randn_like(x), "RandomNormalLike"),
        (lambda x: x * torch.bernoulli(torch.full_like(x, 0.5)), "Bernoulli"),
        (lambda x: dropout(x, 0.5), "Dropout"),
    ],
)
def test_random_numbers_are_refused_by_name(change: Callable[[Tensor], Tensor], operator: str) -> None:
    with pytest.raises(ExportError, match=rf"draws other images .* by {operator}.* in the graph: .*an input"):
        export(Net(change), "x.onnx", latent_dim=DIM)


def test_random_numbers_that_the_trace_freezes_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ExportError, match=r"another graph for other inputs: .* random numbers outside of torch"):
        export(Net(lambda x: x * float(rng.random())), "x.onnx", latent_dim=DIM)


def branch(x: Tensor, labels: Tensor) -> Tensor:
    return -x if labels[0] == 3 else x + 0 * labels[:, None]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (branch, r"test_export_checks.py:\d+: return -x if labels\[0\] == 3 else .*boolean"),
        (lambda x, y: x * torch.tensor([float(one) for one in y])[:, None], "Iterating over a tensor"),
        (lambda x, y: x * y[0].item() + 0 * y[:, None], "Python number"),
        (lambda x, y: x * torch.from_numpy(y.numpy())[:, None], "NumPy array"),
        (lambda x, y: x * y.tolist()[0], "Python list"),
        (lambda x, y: x * int(y.max()), "Python integer"),
        (lambda x, y: x * len(y) + 0 * y[:, None], "len"),
    ],
)
def test_values_that_a_trace_would_freeze_are_refused_by_line(change: Callable[..., Tensor], words: str) -> None:
    with pytest.raises(ExportError, match=f"no Python branches or values: .*{words}"):
        export(Net(change), "x.onnx", latent_dim=DIM, classes=5)


@pytest.mark.filterwarnings("ignore:To copy construct from a tensor")
@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: x * torch.tensor([y[0], y[1]]).sum() + 0 * y[:, None],
        lambda x, y: x * torch.asarray([y[0], 1]).sum() + 0 * y[:, None],
        lambda x, y: x * torch.tensor(y)[:1] + 0 * y[:, None],
        lambda x, y: torch.stack([x[i] for i in range(x.shape[0])]) + 0 * y[:, None],
        lambda x, y: x + 0 * y[:, None] if torch.equal(y, torch.arange(2)) else -x + 0 * y[:, None],
        lambda x, y: torch.cat(x.split(1)) + 0 * y[:, None],
    ],
)
def test_values_that_are_frozen_without_a_warning_are_found(change: Callable[..., Tensor]) -> None:
    with pytest.raises(ExportError, match=r"another graph for other inputs|depends on the others in its batch"):
        export(Net(change), "x.onnx", latent_dim=DIM, classes=5)


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.attention = nn.Linear(DIM, 256), nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, z: Tensor) -> Tensor:
        assert z.shape[1] == DIM
        x = self.layer(z).view(-1, 64, 4)
        x = x * torch.tensor([0.5, 1.0, 1.5, 2.0])  # a constant, and no input's
        return self.attention(x, x, x)[0].transpose(1, 2).unflatten(2, (8, 8))


def test_checks_of_sizes_freeze_nothing() -> None:
    torch.manual_seed(0)

    norms = nn.InstanceNorm2d(4), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True)
    network = nn.Sequential(Attending(), *norms, nn.Conv2d(4, 3, 1), nn.Tanh())
    export(network, "x.onnx", latent_dim=DIM)
    z = draw_latents(5, 0, 30, DIM)
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(z)).permute(0, 2, 3, 1).numpy() * 127.5 + 127.5
    assert np.abs(Generator.load("x.onnx", "cpu")(z) - expected).max() < 0.52


def test_every_class_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Class 90 of 100 is wrong in the file alone, as where an exporter has lost something."""
    network = Conditional()
    honest = export_module.to_onnx

    def careless(module: nn.Module, inputs: dict[str, Tensor], outputs: list[str], opset: int) -> onnx.ModelProto:
        model = honest(module, inputs, outputs, opset)
        table = next(one for one in model.graph.initializer if list(one.dims) == [100, DIM])
        rows = np.frombuffer(table.raw_data, np.float32).reshape(100, DIM).copy()
        rows[90] *= -1
        table.raw_data = rows.tobytes()
        return model

    export(network, "x.onnx", latent_dim=DIM, classes=100)
    monkeypatch.setattr(export_module, "to_onnx", careless)
    with pytest.raises(ExportError, match="differs from torch"):
        export(network, "x.onnx", latent_dim=DIM, classes=100)


class Conditional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.tail = nn.Embedding(100, DIM), values(nn.Tanh())

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.tail(z + self.table(labels))


@pytest.mark.parametrize(
    ("change", "classes"),
    [
        (lambda x, z: torch.where((z.abs() > 6).any(1)[:, None, None, None], -x, x), 0),  # large latents
        (lambda x, z, y: torch.where((y == y[:1]).all(), -x, x) if len(y) > 1 else x, 5),  # one class
    ],
    ids=["large latents", "a single class"],
)
def test_files_that_differ_where_seeds_seldom_come_are_refused(change: Callable[..., Tensor], classes: int) -> None:
    """The file is made of `change`, the network has none."""

    class Changed(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network
            self.eval()

        def forward(self, *inputs: Tensor) -> Tensor:
            if torch.jit.is_tracing():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # as networks do that silence the tracer
                    return change(self.network(*inputs), *inputs)
            return self.network(*inputs)

    network = Changed(Conditional() if classes else values(nn.Tanh()))
    if classes:
        network.network.table = nn.Embedding(classes, DIM)
    with pytest.raises(ExportError, match="differs from torch"):
        export(network, "x.onnx", latent_dim=DIM, classes=classes)


def test_a_wrong_fingerprint_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Generator.__call__
    monkeypatch.setattr(Generator, "__call__", lambda *given: honest(*given) ^ np.uint8(128))
    Path("x.onnx").write_bytes(b"old")
    with pytest.raises(ExportError, match="fingerprint would differ from torch by 128 grey levels"):
        export(values(nn.Tanh()), "x.onnx", latent_dim=DIM)
    assert Path("x.onnx").read_bytes() == b"old"
    assert not leftovers(Path())


def test_points_are_checked_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    points = nn.Sequential(nn.Linear(DIM, 2), nn.Tanh())
    with pytest.raises(ExportError, match=r"outside of \[-1, 1\]"):
        export_points(points[:1], "x.onnx", extent=3.0, latent_dim=DIM)
    with pytest.raises(ExportError, match="depends on the others in its batch"):
        export_points(nn.Sequential(Centred(), *points), "x.onnx", extent=3.0, latent_dim=DIM)
    with pytest.raises(ExportError, match=r"gives \[128\], not points"):
        export_points(nn.Sequential(*points, nn.Flatten(0)), "x.onnx", extent=3.0, latent_dim=DIM)
    honest = Generator.__call__
    monkeypatch.setattr(Generator, "__call__", lambda *given: -honest(*given))
    with pytest.raises(ExportError, match="fingerprint would differ"):
        export_points(points, "x.onnx", extent=3.0, latent_dim=DIM)
    assert not list(Path().iterdir())


class Centred(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0, keepdim=True)


class Measuring(nn.Module):
    def __init__(self, *first: nn.Module) -> None:
        super().__init__()
        self.first = nn.Sequential(*first)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = self.first(images.flatten(1).float() / 255)
        return x, x[:, :3]


class OnlyDark(nn.Module):
    """Wrong in the file alone, for images that are nearly black."""

    def forward(self, x: Tensor) -> Tensor:
        wrong = torch.where(x.mean(1, keepdim=True) < -0.9, x + 1, x)
        return wrong if torch.jit.is_tracing() else x


def test_encoders_and_feature_networks_are_checked_alike() -> None:
    layer = nn.Linear(64, DIM)
    for first in ([Centred()], [nn.BatchNorm1d(64, track_running_stats=False)]):
        words = "the others in its batch"
        with pytest.raises(ExportError, match=words):
            encoder_file(
                nn.Sequential(nn.Flatten(), *first, layer), Path("e.onnx"), size=SIZE, latents=Latents(DIM, "normal")
            )
        with pytest.raises(ExportError, match=words):
            export_features(Measuring(*first, layer), "f.onnx", size=SIZE, class_names=tuple("abc"))
    with pytest.raises(ExportError, match="differs from torch"):
        encoder_file(
            nn.Sequential(nn.Flatten(), OnlyDark(), layer), Path("e.onnx"), size=SIZE, latents=Latents(DIM, "normal")
        )
    assert not list(Path().iterdir())


def test_warnings_of_other_threads_pass(recwarn: pytest.WarningsRecorder) -> None:
    inside, done = threading.Event(), threading.Event()

    def other() -> None:
        inside.wait(10)
        warnings.warn("from another thread", UserWarning, stacklevel=1)
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with onnx_file._tracer_warnings() as frozen:
            inside.set()
            done.wait(10)
            warnings.warn("of torch", UserWarning, stacklevel=1)
    thread.join()
    assert [str(one.message) for one in caught] == ["from another thread"]
    assert frozen == []


def test_exports_of_several_threads_do_not_meet() -> None:
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            if number % 2:
                export(values(nn.Tanh()), f"{number}.onnx", latent_dim=DIM)
            else:
                with pytest.raises(ExportError, match="no Python branches"):
                    export(Net(lambda x: x * len(x)), f"{number}.onnx", latent_dim=DIM)
        except Exception as error:
            failures.append(error)

    before = warnings.filters[:], warnings.showwarning
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (warnings.filters[:], warnings.showwarning) == before
    assert sorted(path.name for path in Path().iterdir()) == ["1.onnx", "3.onnx"]
