"""Runs with buffers on the device, on the CPU provider with the same code."""

import re
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from styled_formula import Styled
from upscalers import upscaler

from gan_runtime import Generator, Upscaler
from gan_runtime.devices.bound import SHAPES, BoundSession
from gan_runtime.errors import DeviceError
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.fingerprint import source_images
from gan_runtime.latents import draw_latents
from gan_runtime.manifest import ImageSize
from gan_runtime.parts import Mapping
from gan_runtime.threads import Workers


@pytest.fixture
def conditional(conditional_model: Path) -> Generator:
    return Generator.load(conditional_model, "cpu")


@pytest.fixture
def bound(conditional: Generator) -> Generator:
    session = BoundSession(onnxruntime, conditional.session.onnx, "cpu")
    return replace(conditional, session=replace(conditional.session, onnx=session, device="cuda"))


def test_bound_runs_give_the_bytes_of_plain_ones(conditional: Generator, bound: Generator) -> None:
    assert bound.session.onnx.get_providers() == ["CPUExecutionProvider"]
    for n in (3, 3, 64, 3, *range(1, SHAPES + 3), 64, 130, 3):
        np.testing.assert_array_equal(bound.sample(n, seed=n), conditional.sample(n, seed=n))


def test_results_and_inputs_are_left_alone_by_later_runs(bound: Generator) -> None:
    session = bound.session.onnx
    feeds = bound.request(5).feeds(0, 5)
    given = {name: values.copy() for name, values in feeds.items()}
    results = [session.run(["images"], feeds)[0] for _ in range(3)]
    kept = [images.copy() for images in results]
    session.run(["images"], bound.request(5, seed=1).feeds(0, 5))
    for before, now in zip(kept, results, strict=True):
        np.testing.assert_array_equal(now, before)
    for name, values in given.items():
        np.testing.assert_array_equal(feeds[name], values)


def test_threads_may_share_it(conditional: Generator, bound: Generator) -> None:
    expected = [conditional.sample(7, seed=seed) for seed in range(8)]
    found: dict[int, np.ndarray] = {}

    def sample(seed: int) -> None:
        found[seed] = bound.sample(7, seed)

    threads = [threading.Thread(target=sample, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, images in enumerate(expected):
        np.testing.assert_array_equal(found[seed], images)


class Options:
    """Run options that can be read."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def add_run_config_entry(self, name: str, value: str) -> None:
        self.entries[name] = value


class Recorder:
    """A session that remembers which CUDA graph each run had, and runs without one."""

    def __init__(self, onnx: Any) -> None:
        self.onnx, self.graphs = onnx, list[str]()

    def io_binding(self) -> Any:
        return self.onnx.io_binding()

    def run_with_iobinding(self, binding: Any, options: Options) -> None:
        self.graphs.append(options.entries["gpu_graph_id"])
        self.onnx.run_with_iobinding(binding)


def test_each_kept_shape_has_a_graph_from_its_second_run_on(conditional: Generator) -> None:
    ort: Any = SimpleNamespace(OrtValue=onnxruntime.OrtValue, RunOptions=Options)
    recorder = Recorder(conditional.session.onnx)
    session = BoundSession(ort, recorder, "cpu", graphs=True)
    for n in (1, 1, 2, 1, 2, *range(3, SHAPES + 2), SHAPES + 1):
        feeds = conditional.request(n).feeds(0, n)
        np.testing.assert_array_equal(session.run(["images"], feeds)[0], conditional.sample(n))
    assert recorder.graphs[:5] == ["-1", "1", "-1", "1", "2"]
    assert set(recorder.graphs[5:]) == {"-1"}  # shapes seen once, and the last one, for which there is no room


def on_a_gpu(model: Any) -> tuple[Any, list[int]]:
    """The model as if a GPU ran it, and the number of rows of each of its runs."""
    runs: list[int] = []
    onnx = model.session.onnx

    def run(outputs: list[str], feeds: dict[str, np.ndarray]) -> Any:
        runs.append(len(next(iter(feeds.values()))))
        return onnx.run(outputs, feeds)

    session = replace(model.session, onnx=SimpleNamespace(run=run), device="cuda")
    return replace(model, session=session, workers=Workers(3)), runs


def test_a_gpu_sees_images_in_chunks_of_one_shape(random_features: Path) -> None:
    images = source_images(ImageSize(28, 28, 1), 150)
    network = FeatureNetwork.load(random_features, "cpu")
    there, runs = on_a_gpu(network)
    np.testing.assert_array_equal(
        there.measure(iter([images[:100], images[100:]])).features, network.measure(iter([images])).features
    )
    assert runs == [64, 64, 64]
    there.measure(iter([images[:5]]))
    assert runs[3:] == [5]  # a call of a few images is not padded


def test_a_gpu_enlarges_images_in_chunks_of_one_shape(tmp_path: Path) -> None:
    enlarger = Upscaler.load(upscaler(tmp_path / "x.onnx"), "cpu")
    there, runs = on_a_gpu(enlarger)
    images = source_images(ImageSize(128, 128, 3), 9)
    np.testing.assert_array_equal(there(images), enlarger(images))
    assert runs == [4, 4, 4]


def test_styles_are_computed_in_chunks_of_one_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Styled().write(tmp_path / "x.onnx")
    mapping = Mapping.load(tmp_path / "x-mapping.onnx", "cpu")
    there, runs = on_a_gpu(mapping)
    monkeypatch.setattr("gan_runtime.parts.PIECE", 4)
    z = draw_latents(0, 0, 10, mapping.manifest.latents.dim)
    np.testing.assert_array_equal(there(z), mapping(z))
    assert set(runs) == {4}


def test_memory_that_runs_out_names_the_batch_and_a_way_out(conditional: Generator) -> None:
    def run(outputs: list[str], feeds: dict[str, np.ndarray]) -> Any:
        raise RuntimeError(
            "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Conv node. Name:'c' "
            "BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 9"
        )

    session = replace(conditional.session, onnx=SimpleNamespace(run=run), device="cuda")
    with pytest.raises(DeviceError) as refused:
        replace(conditional, session=session).sample(64)
    assert re.search(
        r"not enough memory on cuda for 64 images; use fewer at a time \(--batch-size\), or smaller tiles \(--tile\), "
        r"or --device cpu: .*Failed to allocate memory",
        str(refused.value),
    )
