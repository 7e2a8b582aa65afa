"""What a user of the library may rely on: `load`, closing, pickling, equality, threads, devices and providers."""

import copy
import gc
import multiprocessing
import pickle
import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest

import gan_runtime
from gan_runtime.devices.providers import parse_providers
from gan_runtime.onnx_runtime import CPU, CUDA


@pytest.fixture
def generator(conditional_model: Path) -> gan_runtime.Generator:
    return gan_runtime.Generator.load(conditional_model, "cpu", threads=2)


def test_the_example_of_the_documentation() -> None:
    with gan_runtime.load("mnist", device="auto") as generator:
        images = generator.sample(64, seed=1)  # uint8 [64, 28, 28, 1]
    assert (images.shape, images.dtype) == ((64, 28, 28, 1), np.uint8)


def test_after_close_every_use_is_one_clear_error(generator: gan_runtime.Generator) -> None:
    batches = generator.iter_batches(300, batch_size=64)
    next(batches)
    assert not generator.closed
    generator.close()
    generator.close()
    assert generator.closed
    uses = (lambda: generator.sample(300), lambda: generator(np.zeros((1, 16))), lambda: next(batches))
    for use in uses:
        with pytest.raises(gan_runtime.InputError, match=r"\.onnx: the model is closed; load it again"):
            use()


def test_the_repr_names_class_file_and_device(generator: gan_runtime.Generator, conditional_model: Path) -> None:
    assert repr(generator) == f"<Generator {str(conditional_model)!r}, device='cpu', threads=2>"
    generator.close()
    assert repr(generator) == f"<Generator {str(conditional_model)!r}, closed>"


def test_models_that_give_the_same_are_equal(
    generator: gan_runtime.Generator, conditional_model: Path, unconditional_model: Path, tmp_path: Path
) -> None:
    other = tmp_path / "copy.onnx"
    other.write_bytes(conditional_model.read_bytes())
    same = gan_runtime.load(other, "cpu", threads=1)
    assert generator == same
    assert hash(generator) == hash(same)
    assert generator != gan_runtime.load(unconditional_model, "cpu")
    assert generator != "generator"


def test_a_model_is_pickled_into_processes_that_are_spawned(generator: gan_runtime.Generator) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        parts = pool.starmap_async(generator.sample, [(5, 3, 0), (5, 3, 5), (5, 3, 10)]).get(timeout=60)
    np.testing.assert_array_equal(np.concatenate(parts), generator.sample(15, seed=3))


def test_pickling_keeps_how_a_model_was_opened(generator: gan_runtime.Generator, random_features: Path) -> None:
    again = pickle.loads(pickle.dumps(generator))
    assert (again, again.threads, again.session.device) == (generator, 2, "cpu")
    assert copy.deepcopy(generator) == generator
    network = gan_runtime.load(random_features, "cpu")
    assert pickle.loads(pickle.dumps(network)) == network


def test_a_label_of_all_images_is_pickled_once(generator: gan_runtime.Generator) -> None:
    pickled = pickle.dumps(generator.request(100_000, seed=3, labels=2))
    assert len(pickled) < 2000
    again = pickle.loads(pickled)
    assert set(again.labels(99_000, 1000)) == {2}
    np.testing.assert_array_equal(again.latents(500, 2), generator.request(502, seed=3).latents(500, 2))


def test_pickling_refuses_what_cannot_be_opened_again(conditional_model: Path, tmp_path: Path) -> None:
    with pytest.raises(gan_runtime.InputError, match="<bytes>: no such file, and a model is pickled as its path"):
        pickle.dumps(gan_runtime.load(conditional_model.read_bytes(), "cpu"))
    path = tmp_path / "model.onnx"
    path.write_bytes(conditional_model.read_bytes())
    pickled = pickle.dumps(gan_runtime.load(path, "cpu"))
    onnx.save(onnx.helper.make_model(onnx.load(path).graph, producer_name="another"), path)
    with pytest.raises(gan_runtime.ModelError, match="has changed since the model was pickled"):
        pickle.loads(pickled)


def test_eight_threads_at_once_draw_the_same_bytes(generator: gan_runtime.Generator) -> None:
    expected, barrier, found = generator.sample(700, seed=1).tobytes(), threading.Barrier(8), list[bytes]()

    def draw() -> None:
        barrier.wait()
        for _ in range(3):
            found.append(generator.sample(700, seed=1, batch_size=200).tobytes())

    threads = [threading.Thread(target=draw) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), set(found)) == (24, {expected})


def test_the_bytes_of_the_file_are_not_kept(conditional_model: Path) -> None:
    content = conditional_model.read_bytes()
    before = sys.getrefcount(content)
    generator = gan_runtime.load(content, "cpu")
    gc.collect()
    assert sys.getrefcount(content) == before
    assert generator.model.content == b""
    assert len(generator.model.sha256) == 64
    with pytest.raises(gan_runtime.ModelError, match="without its bytes; read it again"):
        gan_runtime.Generator.open(generator.model, "cpu")


def test_a_result_is_one_allocation(generator: gan_runtime.Generator) -> None:
    images = generator.sample(700, batch_size=64)
    assert images.base is None
    assert images.flags.owndata


@pytest.mark.parametrize("device", ["cuda:-1", "cuda:x", "cuda:", "cuda:1.5", "CUDA", "gpu", "cuda:٣"])
def test_a_device_that_is_none_is_refused(conditional_model: Path, device: str) -> None:
    with pytest.raises(gan_runtime.InputError, match="choose one of auto, cpu, cuda, or cuda:1 for the second GPU"):
        gan_runtime.load(conditional_model, device)


@pytest.mark.skipif(
    CUDA in __import__("onnxruntime").get_available_providers(), reason="this ONNX Runtime was built with CUDA"
)
def test_a_numbered_gpu_without_cuda_says_so(conditional_model: Path) -> None:
    with pytest.raises(gan_runtime.DeviceError, match=r"device cuda:1: cannot be used: .* built without CUDA"):
        gan_runtime.load(conditional_model, "cuda:1")
    with pytest.raises(gan_runtime.DeviceError, match=r"provider 'CUDAExecutionProvider': this ONNX Runtime .* has "):
        gan_runtime.load(conditional_model, providers=[(CUDA, {"device_id": 1})])


def test_providers_are_passed_on(generator: gan_runtime.Generator, conditional_model: Path) -> None:
    for providers in ([CPU], [(CPU, {"use_arena": "0"})], ["cpu"]):
        other = gan_runtime.load(conditional_model, providers=providers)
        assert other.session.onnx.get_providers() == [CPU]
        assert other.session.device == "cpu"
        np.testing.assert_array_equal(other.sample(9, seed=2), generator.sample(9, seed=2))
        assert pickle.loads(pickle.dumps(other)) == other


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"device": "cpu", "providers": [CPU]}, gan_runtime.InputError, "device 'cpu' and providers: both"),
        ({"providers": []}, gan_runtime.InputError, r"providers \[\]: must be a list of names"),
        ({"providers": CPU}, gan_runtime.InputError, "must be a list of names"),
        ({"providers": [3]}, gan_runtime.InputError, "must be a list of names"),
        ({"providers": ["NoProvider"]}, gan_runtime.DeviceError, "provider 'NoProvider': this ONNX Runtime"),
    ],
)
def test_bad_providers_are_refused(conditional_model: Path, options: dict, kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        gan_runtime.load(conditional_model, **options)


def test_a_device_may_name_providers(generator: gan_runtime.Generator, conditional_model: Path) -> None:
    for device in (CPU, f"{CPU}:use_arena=0", "cpu:use_arena=0,x=y=z:1"):
        other = gan_runtime.load(conditional_model, device)
        assert (other.session.device, other.session.reason) == ("cpu", "providers were given")
        np.testing.assert_array_equal(other.sample(9, seed=2), generator.sample(9, seed=2))
        assert pickle.loads(pickle.dumps(other)) == other


def test_the_syntax_of_providers() -> None:
    import onnxruntime

    text = "tensorrt:trt_fp16_enable=1,trt_engine_cache_path=C:\\a=b,CUDAExecutionProvider:device_id=1,cpu"
    assert parse_providers(onnxruntime, text) == [
        ("tensorrt", {"trt_fp16_enable": "1", "trt_engine_cache_path": "C:\\a=b"}),
        (CUDA, {"device_id": "1"}),
        ("cpu", {}),
    ]
    for wrong in ("", ",", "cpu,", "cpu,cuda:1", "cpu:=1", "=1", "a=1", "cpu:a", "cpu:a=1,nobody:b=1"):
        with pytest.raises(gan_runtime.InputError, match="or name providers of ONNX Runtime"):
            parse_providers(onnxruntime, wrong)


def test_a_provider_of_another_build_is_named_with_it(conditional_model: Path) -> None:
    with pytest.raises(
        gan_runtime.DeviceError, match=r"provider 'openvino': this .* has .*cpu .*install onnxruntime-openvino in"
    ):
        gan_runtime.load(conditional_model, "openvino:device_type=GPU")
