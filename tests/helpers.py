"""Small things that several tests need."""

import gzip
import hashlib
import os
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image

from gan_runtime.data.registry import IdxFile, IdxSource
from gan_runtime.manifest import ImageSize
from gan_trainer.recipes.latents import GenerateRecipe
from gan_trainer.recipes.recipe import RECIPES
from gan_trainer.systems import SYSTEMS, new_networks
from gan_trainer.training.system import Shapes

FROM_LATENTS = [name for name, recipe in RECIPES.items() if isinstance(recipe, GenerateRecipe)]
REMARKS = (
    "labels: ",
    "model: ",
    "label: ",
    "encoder: ",
    "device: ",
    "threads: ",
    "features: ",
    "run: ",
    "generator: ",
    "checkpoint: ",
    "blend: ",
    "skipped: ",
)
DIGIT = ImageSize(28, 28, 1)
SHORT = ("--size", 28, "--batch-size", 8, "--threads", 1, "--device", "cpu", "--width", 8, "--quiet")
TRAIN = ("gan-train", "a", *SHORT, "--images", 64)  # eight steps on a folder of the fixture `two_folders`
DIGITS_TRAIN, DIGITS_TEST = 800, 300  # images of the data set `digits`


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    def refused(self, *words: str, code: int | None = None) -> bool:
        """Whether it failed with one line on stderr, `words` in it, and nothing on stdout."""
        *remarks, line = self.err.splitlines()
        assert self.code == code if code is not None else self.code in (1, 2), self
        assert ": error: " in line, self
        assert all(remark.startswith(REMARKS) for remark in remarks), self
        assert self.out == "", self
        for word in words:
            assert word in line, (word, self)
        return True


def new_generator(recipe: str, classes: int = 0, size: ImageSize = DIGIT, **changes: Any) -> torch.nn.Module:
    """The generator of a recipe with random weights, for grey digits unless `size` says otherwise."""
    return new_networks(replace(RECIPES[recipe], **changes), Shapes(size, classes))["generator"]


def small_generator(classes: int = 10) -> torch.nn.Module:
    """Latents float [n, 16] and labels -> grey images of 28 x 28."""
    return new_generator("quick", classes, latent_dim=16, width=8)


def leftovers(folder: Path) -> list[str]:
    """Temporary files that should not be there."""
    return [str(path) for path in folder.rglob("*") if path.name.endswith(".tmp") or path.name.startswith(".new-")]


def started(process: int) -> list[int]:
    """The processes that a process has started."""
    found: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, path.read_text().split())
    return found


def is_writing(process: int) -> bool:
    """Whether a process has a temporary file open."""
    with suppress(OSError):
        return any(path.readlink().name.endswith(".tmp") for path in Path(f"/proc/{process}/fd").iterdir())
    return False


def colour_folders(home: Path) -> None:
    """Two folders in `home`, a and b, of 24 small colour pictures each."""
    rng = np.random.default_rng(0)
    for folder in ("a", "b"):
        (home / folder).mkdir()
        for i in range(24):
            pixels = rng.integers(0, 256, (28, 28, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(home / folder / f"{i:02d}.png")


def linear_generator(
    path: Path, latent_shape: list[int | str], image_shape: list[int | str], opset: int = 17, scale: float = 0.1
) -> Path:
    """Somebody else's generator, without a manifest: images = tanh(scale * z repeated over the pixels)."""
    dim = int(latent_shape[1])
    channels, height, width = (3 if isinstance(axis, str) else int(axis) for axis in image_shape[1:])
    weight = np.linspace(-scale, scale, dim * channels * height * width, dtype=np.float32)
    nodes = [
        helper.make_node("Reshape", ["z", "flat"], ["rows"]),
        helper.make_node("MatMul", ["rows", "weight"], ["values"]),
        helper.make_node("Reshape", ["values", "shape"], ["folded"]),
        helper.make_node("Tanh", ["folded"], ["img"]),
    ]
    constants = [
        onnx.numpy_helper.from_array(np.array([-1, dim], np.int64), "flat"),
        onnx.numpy_helper.from_array(weight.reshape(dim, -1), "weight"),
        onnx.numpy_helper.from_array(np.array([-1, channels, height, width], np.int64), "shape"),
    ]
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, latent_shape)],
        [helper.make_tensor_value_info("img", TensorProto.FLOAT, image_shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)
    return path


def tensors(value: Any, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor in nested containers, with the path that leads to it."""
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, dict | list | tuple):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from tensors(inner, f"{name}.{key}")


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int, number: int = signal.SIGTERM) -> None:
    """Send this process a signal at the n-th step of a training."""
    honest = SYSTEMS["gan"].step

    def step(state: Any, *rest: Any, **batch: Any) -> Any:
        if state.step + 1 == steps:
            os.kill(os.getpid(), number)
        return honest(state, *rest, **batch)

    replace_step(monkeypatch, step)


def replace_step(monkeypatch: pytest.MonkeyPatch, step: Callable[..., Any]) -> None:
    """Let the system of GANs make other steps."""
    monkeypatch.setitem(SYSTEMS, "gan", replace(SYSTEMS["gan"], step=step))


def idx(values: np.ndarray) -> bytes:
    """The bytes of an IDX file of uint8 `values`."""
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def idx_source(folder: Path, splits: dict[str, tuple[np.ndarray, np.ndarray]]) -> IdxSource:
    """A data set of digits: writes the images and labels of each split into `folder`, as the mirrors serve them."""
    folder.mkdir(parents=True)
    return IdxSource(
        {
            split: (_idx_file(folder / f"{split}-images", images), _idx_file(folder / f"{split}-labels", labels))
            for split, (images, labels) in splits.items()
        },
        tuple("0123456789"),
        "CC BY-SA 3.0",
    )


def _idx_file(path: Path, values: np.ndarray) -> IdxFile:
    content = idx(values)
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content, 1))
    return IdxFile(path.name, len(content), hashlib.sha256(content).hexdigest())
