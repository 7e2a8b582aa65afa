"""A task of one's own is one file and a row in each table: images in, images of the same size out.

The system learns to invert pictures, which one convolution can do.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from helpers import Result, tensors
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

import gan_runtime
from gan_runtime import opening
from gan_runtime.data import Dataset
from gan_runtime.images.grids import grid
from gan_runtime.manifest import MANIFESTS, ImageSize, Manifest, read_manifest
from gan_runtime.model_file import UINT8, ModelFile
from gan_runtime.outputs import write_output
from gan_runtime.session import Session, open_session, run_session
from gan_runtime.signature import SIGNATURES, Signature, check_signature
from gan_runtime.signature import Tensor as Axes
from gan_trainer import systems, tasks
from gan_trainer.data.pixels import denormalise, normalise, to_pixels
from gan_trainer.export.network import frozen_copy
from gan_trainer.export.onnx_file import EXAMPLE_ROWS, finish, to_onnx
from gan_trainer.export.parity import Output, check_parity, file_rows, image_blocks, network_rows
from gan_trainer.recipes.base import Recipe
from gan_trainer.recipes.recipe import RECIPES, SETTINGS
from gan_trainer.runs.folder import Run
from gan_trainer.systems import SYSTEMS
from gan_trainer.tasks import TASKS
from gan_trainer.tasks.task import Best, Metric, Task
from gan_trainer.training.checkpoint import load_checkpoint
from gan_trainer.training.config import Config
from gan_trainer.training.state import TrainState
from gan_trainer.training.step import descend
from gan_trainer.training.system import System

# The file: what goes in and what comes out, and the class that runs it.


@dataclass(frozen=True, kw_only=True)
class InvertManifest(Manifest):
    task: str = field(default="invert", init=False)
    images: ImageSize = field(metadata={"path": "inputs.source", "kind": ImageSize})
    output: ImageSize = field(metadata={"path": "output", "kind": ImageSize})


AXES = ("height", "width", "channels")
SIGNATURE = Signature(
    inputs={"source": Axes(UINT8, "images", AXES)},
    outputs={"images": Axes(UINT8, "output", AXES)},
    advice="name an inverter",
)


@dataclass(frozen=True)
class Inverter:
    model: ModelFile
    session: Session

    @classmethod
    def open(cls, model: ModelFile, device: str, threads: int | None, **more: Any) -> "Inverter":
        manifest = read_manifest(model)
        assert manifest is not None
        check_signature(model, manifest)
        return cls(model, open_session(model, device, threads or 1))

    def __call__(self, source: NDArray[np.uint8]) -> NDArray[np.uint8]:
        (images,) = run_session(self.model, self.session, ["images"], {"source": source}, len(source))
        return images


@dataclass(frozen=True)
class Inverted:
    """The source of outputs: inverted pictures in order."""

    inverter: Inverter
    pictures: NDArray[np.uint8]
    start: int = 0
    unit: ClassVar = "images"
    dtype: ClassVar = np.dtype(np.uint8)
    threads: ClassVar = 1
    classes: ClassVar = 0
    class_names: ClassVar = ()
    names: ClassVar = None

    @property
    def n(self) -> int:
        return len(self.pictures)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.pictures.shape

    def part(self, first: int, count: int) -> "Inverted":
        return replace(self, pictures=self.pictures[first : first + count], start=self.start + first)

    def batches(self) -> Iterator[NDArray[np.uint8]]:
        yield self.inverter(self.pictures)

    def labels(self, first: int, count: int) -> None:
        return None

    def identity(self) -> dict[str, Any]:
        return {"model": self.inverter.model.sha256}


def invert_command(model: str, folder: str, output: str) -> None:
    pictures = np.stack([np.asarray(Image.open(path)) for path in sorted(Path(folder).iterdir())])
    write_output(output, Inverted(gan_runtime.load(model, "cpu"), pictures))


# The task: preview, judge, best metric, export.


@dataclass(frozen=True)
class Scores:
    l1: float


@dataclass(frozen=True)
class Judge:
    images: NDArray[np.uint8]
    most: None = None

    def scores(self, networks: dict[str, nn.Module], config: Config, *counts: int) -> list[Scores]:
        return [
            Scores(float(np.abs(255.0 - self.images[:n] - apply(networks["generator"], self.images[:n])).mean()))
            for n in counts
        ]

    def words(self, scores: Scores, n: int) -> str:
        return f"L1 {scores.l1:.3f}"

    def floors(self, *counts: int) -> dict[str, Any]:
        return {"floors": {str(n): {"exact": {"n": n, "l1": 0.0}} for n in counts}}


@torch.no_grad()
def apply(generator: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return to_pixels(denormalise(generator(normalise(torch.from_numpy(images))))).numpy()


def preview(config: Config, state: TrainState, dataset: Dataset) -> NDArray[np.uint8]:
    source = dataset.images[:10]
    return grid(np.concatenate([source, apply(state.averaged("generator"), source)]), 10)


class Deployed(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, source: Tensor) -> Tensor:
        return to_pixels(denormalise(self.network(normalise(source))))


def export(networks: dict[str, nn.Module], config: Config, output: Path, about: dict[str, Any]) -> dict[str, ModelFile]:
    opset, size, deployed = about.pop("opset"), config.data.size, Deployed(frozen_copy(networks["generator"]))
    blocks = image_blocks(size)
    manifest = InvertManifest(images=size, output=size, **about)
    model = to_onnx(deployed, {"source": torch.from_numpy(blocks[0][0][:EXAMPLE_ROWS])}, ["images"], opset)
    file = finish(model, manifest, {"images": size.shape}, opset, output)
    compared = network_rows(deployed, lambda values: [values]), file_rows(file, ["images"])
    check_parity(*compared, blocks, [Output("grey levels", 1)])
    return {"generator": file}


TASK = Task(
    name="invert",
    export=export,
    preview=preview,
    subject=lambda config: f"{config.data.name}: {config.data.images} pictures to invert",
    cannot_judge=lambda source: "",
    open_judge=lambda config, dataset, data_dir, **_: Judge(dataset.images),
    metrics=(Metric("l1", "L1", "mean difference in grey levels", "exact"),),
    best=Best("l1", "L1"),
    floors=("exact",),
)

# A system for it.


@dataclass(frozen=True)
class InvertRecipe(Recipe):
    system: str = field(default="inverse", init=False)
    task: ClassVar = "invert"


def step(state: TrainState, recipe: InvertRecipe, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    loss = (state.networks["generator"](images) + images).abs().mean()
    descend(state, "g", loss)
    return {"g_loss": loss.detach()}


SYSTEM = System(
    lambda recipe, shapes: {"generator": nn.Conv2d(shapes.size.channels, shapes.size.channels, 1)},
    step,
    optimizers={"g": ("generator",)},
    averaged=(),
    logged=(),
)


@pytest.fixture
def _invert(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(MANIFESTS, "invert", InvertManifest)
    monkeypatch.setitem(SIGNATURES, "invert", SIGNATURE)
    monkeypatch.setitem(opening.CLASSES, "invert", (__name__, "Inverter"))
    trainer = (TASKS, SYSTEMS, SETTINGS, RECIPES)
    before = [dict(table) for table in trainer]
    tasks.register(TASK)
    systems.register(SYSTEM, InvertRecipe, {"inverse": InvertRecipe(source="one convolution", lr=0.03, decay_from=0.0)})
    yield
    for table, rows in zip(trainer, before, strict=True):
        table.clear()
        table.update(rows)  # type: ignore[arg-type]


OPTIONS = ("--size", 28, "--images", 4096, "--batch-size", 8, "--eval-every", 256, "--preview-every", 2048)


@pytest.mark.usefixtures("_invert", "two_folders")
def test_a_task_of_ones_own_goes_from_pictures_to_pictures(call) -> None:
    def train(name: str, *more: object) -> Result:
        return call(
            "gan-train", "a", "--recipe", "inverse", "--name", name, *OPTIONS, "--device", "cpu", "--threads", 1, *more
        )

    done = train("whole")
    assert done.code == 0, done
    assert "L1 0" in done.err
    entries = Run(Path("runs/whole")).entries()
    measured = [entry["l1"] for entry in entries if "n" in entry]
    assert measured[-1] < min(1.0, measured[0] / 5)
    assert len(list(Path("runs/whole/samples").iterdir())) == 2
    page = Path("runs/whole/report.html").read_text()
    assert all(words in page for words in ("20 pictures to invert", "Best L1", "The best generator"))

    assert train("cut", "--checkpoint-every", 2048, "--keep-checkpoints", 9).code == 0
    for path in sorted(Path("runs/cut/checkpoints").iterdir()):
        if int(path.stem) > 2048:
            path.unlink()
    assert call("gan-train", "--resume", "runs/cut", "--quiet").code == 0
    whole, cut = (load_checkpoint(Path(f"runs/{name}/checkpoints/{4096:012d}.pt")) for name in ("whole", "cut"))
    for part in ("networks", "optimizers", "rng"):
        pairs = list(zip(tensors(whole[part], part), tensors(cut[part], part), strict=True))
        assert pairs
        assert all(torch.equal(one, other) for (_, one), (_, other) in pairs), part

    exported = call("gan-export", "runs/whole", "--output", "x.onnx")
    assert "the best of the run: L1 0." in exported.err
    invert_command("x.onnx", "b", "out/")
    for i, path in enumerate(sorted(Path("b").iterdir())):
        inverted = 255 - np.asarray(Image.open(path)).astype(int)
        assert np.abs(np.asarray(Image.open(f"out/{i:08d}.png")) - inverted).max() <= 2


@pytest.mark.usefixtures("_invert", "two_folders")
def test_data_of_another_kind_is_refused(call) -> None:
    assert call("gan-train", "ring8", "--recipe", "inverse").refused("no task 'invert' on points", "learns from images")
