import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from helpers import linear_generator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan_runtime import Generator
from gan_runtime.class_labels import find_class
from gan_runtime.errors import DeviceError, InputError, ModelError
from gan_runtime.evaluation.fingerprint import check_fingerprint
from gan_runtime.latents import MAX_INDEX, draw_latents
from gan_runtime.manifest import METADATA_KEY
from gan_runtime.outputs.sampled import draw
from gan_runtime.session import Session
from gan_runtime.threads import Workers


@pytest.fixture(scope="module")
def conditional(conditional_model: Path) -> Generator:
    return Generator.load(conditional_model, device="cpu")


@pytest.fixture(scope="module")
def unconditional(unconditional_model: Path) -> Generator:
    return Generator.load(unconditional_model, device="cpu")


def test_facts_come_from_the_manifest(conditional: Generator, unconditional: Generator) -> None:
    assert (conditional.latent_dim, conditional.classes, conditional.image_shape) == (16, 10, (28, 28, 1))
    assert (unconditional.latent_dim, unconditional.classes) == (100, 0)


def test_images_are_bytes(conditional: Generator) -> None:
    images = conditional.sample(7, seed=3)
    assert images.shape == (7, 28, 28, 1)
    assert images.dtype == np.uint8
    assert images.std() > 1


@pytest.mark.parametrize("which", ["conditional_model", "unconditional_model"])
def test_same_bytes_for_any_pieces_batches_and_threads(which: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(which)
    whole = Generator.load(path, device="cpu", threads=1).sample(1000, seed=5)
    for threads, batch_size in [(1, 1), (1, 7), (2, 64), (2, 333), (3, 1000), (8, 50)]:
        other = Generator.load(path, device="cpu", threads=threads)
        np.testing.assert_array_equal(whole, other.sample(1000, seed=5, batch_size=batch_size))
    pieces = [other.sample(n, seed=5, start=start) for start, n in [(0, 1), (1, 299), (300, 200), (500, 500)]]
    np.testing.assert_array_equal(whole, np.concatenate(pieces))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(start=st.integers(0, 2**40), n=st.integers(1, 40), batch_size=st.integers(1, 50))
def test_iterating_is_sampling(conditional: Generator, start: int, n: int, batch_size: int) -> None:
    batches = list(conditional.iter_batches(n, seed=1, start=start, batch_size=batch_size))
    assert all(len(batch) <= batch_size for batch in batches)
    np.testing.assert_array_equal(np.concatenate(batches), conditional.sample(n, seed=1, start=start))


def test_own_latents_give_the_images_of_their_seed(conditional: Generator) -> None:
    z = draw_latents(9, 0, 12, conditional.latent_dim)
    np.testing.assert_array_equal(conditional(z), conditional.sample(12, seed=9))
    np.testing.assert_array_equal(conditional(z.astype(np.float64).tolist(), labels=4), conditional(z, [4] * 12))


def test_own_latents_have_the_same_labels_in_a_draw_and_in_a_call(conditional: Generator) -> None:
    z = draw_latents(9, 0, 12, conditional.latent_dim)
    for drawn in (draw(conditional, 12, latents=z), draw(conditional, 12, seed=7, start=3, latents=z)):
        np.testing.assert_array_equal(np.concatenate(list(drawn.batches())), conditional(z))
        np.testing.assert_array_equal(drawn.part(5, 2).labels(0, 2), [5, 6])


def test_no_images_are_an_empty_array(conditional: Generator) -> None:
    images = conditional.sample(0)
    assert (images.shape, images.dtype) == ((0, 28, 28, 1), np.uint8)
    with pytest.raises(InputError, match="seed -1"):
        conditional.sample(0, seed=-1)


class Recorder:
    """A session that remembers how many latents each run had."""

    def __init__(self, session: Session) -> None:
        self.session, self.runs = session, list[int]()

    def run(self, names: list[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.runs.append(len(feeds["latents"]))
        return self.session.onnx.run(names, feeds)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_own_latents_are_run_in_batches_on_every_device(conditional: Generator, device: str) -> None:
    recorder = Recorder(conditional.session)
    session = replace(conditional.session, onnx=recorder, device=device)
    z = draw_latents(0, 0, 2000, conditional.latent_dim)
    images = replace(conditional, session=session, workers=Workers(2))(z)
    np.testing.assert_array_equal(images, conditional(z))
    if device == "cuda":
        assert set(recorder.runs) == {64}  # one shape: another one would be tuned for anew
    else:
        assert max(recorder.runs) <= 256


def named(path: Path, names: tuple[str, ...]) -> Generator:
    """The file at `path` with other names for its classes."""
    model = onnx.load(path)
    text = json.loads(model.metadata_props[0].value)
    text["inputs"]["labels"]["names"] = list(names)
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(text)})
    onnx.save(model, "named.onnx")
    return Generator.load("named.onnx", "cpu")


ANIMALS = ("cat", "dog", "10", "2", "horse", "mouse", "cow", "pig", "hen", "bee")


def number(generator: Generator, name: str) -> int:
    return find_class(name, generator.signature.labels, generator.model.path)


def test_labels_may_be_names(conditional_model: Path, conditional: Generator) -> None:
    animals = named(conditional_model, ANIMALS)
    np.testing.assert_array_equal(animals.sample(3, labels="mouse"), conditional.sample(3, labels=5))
    np.testing.assert_array_equal(animals.sample(2, labels=["bee", "cat"]), conditional.sample(2, labels=[9, 0]))
    assert [number(animals, name) for name in ("2", "10", "3", "0")] == [3, 2, 3, 0]  # a name before a number
    for name, words in (("mose", "there are 'mouse', 'horse'"), ("11", "label 11: .* 0 to 9"), ("-1", "label -1")):
        with pytest.raises(InputError, match=words):
            animals.sample(1, labels=name)


def test_names_are_found_however_their_accents_are_written(conditional_model: Path) -> None:
    both = named(conditional_model, ("caf\u00e9", "u\u0308ber", *ANIMALS[2:]))
    assert [number(both, name) for name in ("cafe\u0301", "caf\u00e9", "\u00fcber", "u\u0308ber")] == [0, 0, 1, 1]


def test_numbers_and_names_are_not_mixed(conditional_model: Path) -> None:
    with pytest.raises(InputError, match="numbers and names are mixed, and a number may be a name"):
        named(conditional_model, ANIMALS).sample(2, labels=[2, "2"])


def test_labels_decide_the_class(conditional: Generator) -> None:
    default = conditional.sample(10, seed=2)
    np.testing.assert_array_equal(default, conditional.sample(10, seed=2, labels=np.arange(10)))
    assert (default[1:] != conditional.sample(10, seed=2, labels=0)[1:]).any()
    np.testing.assert_array_equal(default[:1], conditional.sample(1, seed=2, labels=0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n 0"),
        ({"n": -1}, "n -1: must be at least 1"),
        ({"n": np.int64(-3)}, "n -3"),
        ({"n": 1, "seed": -1}, "seed -1"),
        ({"n": 1, "start": -1}, "start -1"),
        (
            {"n": 2, "start": MAX_INDEX},
            f"start {MAX_INDEX}: the last of 2 latents would have an index above {MAX_INDEX}",
        ),
        ({"n": np.int64(2), "start": np.int64(MAX_INDEX)}, "the last of 2 latents"),
        ({"n": MAX_INDEX + 2, "labels": 1}, "start 0: the last of"),
        ({"n": 1, "batch_size": 0}, "batch size 0"),
        ({"n": 1, "labels": 10}, "label 10: the model has the classes 0 to 9"),
        ({"n": 2, "labels": [0, -1]}, "label -1"),
        ({"n": 2, "labels": [0, 1, 2]}, "labels: expected 2 integers"),
        ({"n": 1, "labels": 0.5}, "labels: expected"),
    ],
)
def test_bad_requests_are_refused_at_once(conditional: Generator, arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        conditional.iter_batches(**arguments)


def test_labels_for_an_unconditional_generator_are_refused(unconditional: Generator) -> None:
    with pytest.raises(InputError, match="unconditional"):
        unconditional.sample(1, labels=0)
    with pytest.raises(InputError, match="unconditional"):
        unconditional(np.zeros((1, 100)), labels=0)


def test_own_latents_must_be_as_many_as_asked_for(conditional: Generator) -> None:
    with pytest.raises(InputError, match="n 3: there are 2 latents"):
        draw(conditional, 3, latents=np.zeros((2, 16)))


@pytest.mark.parametrize(
    "latents",
    [np.zeros((2, 15)), np.zeros(16), np.zeros((0, 16)), np.full((1, 16), np.nan), [["a"] * 16], [[1], [2, 3]]],
)
def test_bad_latents_are_refused(conditional: Generator, latents: object) -> None:
    with pytest.raises(InputError, match="latents"):
        conditional(latents)


def test_fingerprint_is_of_the_same_pictures(conditional: Generator) -> None:
    assert check_fingerprint(conditional) == 0


def test_a_damaged_weight_shows_in_the_fingerprint(conditional_model: Path, tmp_path: Path) -> None:
    model = onnx.load(conditional_model)
    weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    damaged = np.frombuffer(weight.raw_data, np.float32).copy()
    damaged[: len(damaged) // 4] *= -1
    weight.raw_data = damaged.tobytes()
    onnx.save(model, tmp_path / "damaged.onnx")
    difference = check_fingerprint(Generator.load(tmp_path / "damaged.onnx", device="cpu"))
    assert difference is not None
    assert difference > 1


@pytest.mark.parametrize("latent_shape", [["n", 6], ["n", 6, 1, 1]])
@pytest.mark.parametrize("image_shape", [["n", 3, 4, 5], ["n", "c", "h", "w"]])
def test_plain_foreign_files_work(latent_shape: list, image_shape: list, tmp_path: Path) -> None:
    generator = Generator.load(linear_generator(tmp_path / "f.onnx", latent_shape, image_shape), device="cpu")
    assert "no manifest" in generator.signature.assumed
    assert generator.manifest is None
    images = generator.sample(5)
    assert images.shape == (5, *generator.image_shape)
    z = draw_latents(0, 0, 5, 6)
    _, channels, height, width = (3 if isinstance(axis, str) else axis for axis in image_shape)
    weight = np.linspace(-0.1, 0.1, 6 * channels * height * width, dtype=np.float32).reshape(6, -1)
    expected = np.rint(np.tanh(z @ weight) * 127.5 + 127.5).reshape(5, channels, height, width).transpose(0, 2, 3, 1)
    assert np.abs(images.astype(float) - expected).max() <= 1


def test_a_foreign_file_with_one_batch_size_takes_any_n(tmp_path: Path) -> None:
    free = Generator.load(linear_generator(tmp_path / "free.onnx", ["n", 6], ["n", 1, 4, 5]), device="cpu")
    fixed = Generator.load(linear_generator(tmp_path / "fixed.onnx", [4, 6], [4, 1, 4, 5]), device="cpu")
    np.testing.assert_array_equal(fixed.sample(10), free.sample(10))
    np.testing.assert_array_equal(fixed(np.ones((3, 6))), free(np.ones((3, 6))))


def test_foreign_files_with_open_roles_are_refused(tmp_path: Path) -> None:
    path = linear_generator(tmp_path / "f.onnx", ["n", 6], ["n", 1, 4, 5])
    model = onnx.load(path)
    model.graph.input.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, ["n", 6]))
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"f\.onnx: not made by gan-export"):
        Generator.load(path, device="cpu")


def test_a_graph_that_gives_something_else_than_it_declares_is_refused(tmp_path: Path) -> None:
    path = linear_generator(tmp_path / "f.onnx", ["n", 6], ["n", 1, 4, 5])
    model = onnx.load(path)
    for axis in model.graph.output[0].type.tensor_type.shape.dim[2:]:
        axis.dim_value = 8
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"gives \[1, 1, 4, 5\] where img float32 \[n, 1, 8, 8\]"):
        Generator.load(path, device="cpu").sample(2)


def test_a_dimension_of_minus_one_means_any(tmp_path: Path) -> None:
    path = linear_generator(tmp_path / "f.onnx", [-1, 6], [-1, 1, 4, 5])
    assert Generator.load(path, device="cpu").sample(3).shape == (3, 4, 5, 1)


def test_a_failure_while_running_is_one_error_and_no_print(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = linear_generator(tmp_path / "f.onnx", ["n", 6], ["n", 1, 4, 5])
    model = onnx.load(path)
    shape = next(tensor for tensor in model.graph.initializer if tensor.name == "shape")
    shape.CopyFrom(onnx.numpy_helper.from_array(np.array([1, 1, 4, 6], np.int64), "shape"))
    onnx.save(model, path)
    with pytest.raises(DeviceError, match=r"f\.onnx: failed on cpu with 1 image:"):
        Generator.load(path, device="cpu").sample(3)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_samples_too(conditional_model: Path) -> None:
    code = (
        "import os, sys; from gan_runtime import Generator; g = Generator.load(sys.argv[1], 'cpu', 2); g.sample(600);"
        "child = os.fork(); g.sample(600); child or os._exit(0); sys.exit(os.waitpid(child, 0)[1])"
    )
    assert subprocess.run([sys.executable, "-c", code, str(conditional_model)], timeout=60, check=False).returncode == 0


def test_foreign_values_outside_of_the_range_are_refused(tmp_path: Path) -> None:
    path = linear_generator(tmp_path / "f.onnx", ["n", 6], ["n", 1, 4, 5])
    model = onnx.load(path)
    model.graph.node[-1].op_type = "Exp"
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"not images .* in \[-1, 1\]"):
        Generator.load(path, device="cpu").sample(50)
