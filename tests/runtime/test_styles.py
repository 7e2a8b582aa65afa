"""Generators with styles in Python: truncation, noise, styles and their parts."""

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from helpers import Result
from numpy.typing import NDArray
from styled_formula import Styled

import gan_runtime
from gan_runtime import Generator
from gan_runtime.errors import InputError, ModelError, OutputError
from gan_runtime.evaluation.fingerprint import check_fingerprint
from gan_runtime.latents import draw_latents, draw_noise
from gan_runtime.manifest import METADATA_KEY
from gan_runtime.outputs import write_output
from gan_runtime.outputs.sampled import draw
from gan_runtime.parts import Mapping, Synthesis

FORMULA = Styled(classes=3, noise=20, truncation=0.7)
PLAIN = Styled()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("styled")
    FORMULA.write(folder / "x.onnx")
    PLAIN.write(folder / "plain.onnx")
    Styled(noise=20).write(folder / "alone.onnx", parts=False)
    return folder


@pytest.fixture
def styled(folder: Path) -> Generator:
    return Generator.load(folder / "x.onnx", "cpu", 2)


@pytest.fixture
def plain(folder: Path) -> Generator:
    return Generator.load(folder / "plain.onnx", "cpu", 2)


def latents(n: int, seed: int = 0, start: int = 0) -> NDArray[np.float32]:
    return draw_latents(seed, start, n, FORMULA.latent_dim)


def noise_of(seed: int, start: int, n: int) -> NDArray[np.float32]:
    return np.stack([draw_noise(seed, start + i, FORMULA.noise) for i in range(n)])


def is_rounded(images: NDArray[np.uint8], expected: NDArray[np.float64]) -> bool:
    return bool(np.abs(images - expected).max() <= 0.501)


def test_noise_is_a_stream_of_its_own() -> None:
    noise = draw_noise(5, 3, 1000)
    np.testing.assert_array_equal(noise, draw_latents(5, 3, 1, 1000, stream=1)[0])
    assert abs(np.corrcoef(noise, draw_latents(5, 3, 1, 1000)[0])[0, 1]) < 0.1
    words = np.random.Philox(key=[5, 1], counter=3 * 250).random_raw(1)  # as docs/file-format.md says
    first = draw_latents(5, 3, 1, 1000, "uniform", stream=1)[0, 0]
    assert first == np.float32(2 * ((int(words[0]) >> 12) + 0.5) * 2.0**-52 - 1)


@pytest.mark.parametrize("truncation", [None, 1, -1, 0.3, [1.0, 0.5, 0.0, -0.5, 2.0]])
def test_images_are_those_of_the_formula(styled: Generator, truncation: Any) -> None:
    images = styled.sample(5, seed=3, start=2, truncation=truncation)
    z, y = latents(5, 3, 2), np.arange(2, 7) % 3
    assert is_rounded(images, FORMULA.images(FORMULA.styles(z, y, truncation), noise_of(3, 2, 5)))
    given = styled(z, y, truncation)
    assert is_rounded(given, FORMULA.images(FORMULA.styles(z, y, truncation)))  # with the noise in the file
    assert np.abs(given.astype(int) - images).max() > 10


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_truncation_and_noise_keep_images_apart_from_batches(folder: Path, threads: int, batch_size: int) -> None:
    t = np.linspace(-1, 2, 40)
    whole = Generator.load(folder / "x.onnx", "cpu", 2).sample(40, seed=9, start=5, truncation=t)
    with Generator.load(folder / "x.onnx", "cpu", threads) as other:
        np.testing.assert_array_equal(whole, other.sample(40, 9, 5, batch_size=batch_size, truncation=t))
        batches = other.iter_batches(17, 9, 28, batch_size=batch_size, truncation=t[23:])
        np.testing.assert_array_equal(whole[23:], np.concatenate(list(batches)))


def test_the_fingerprint_is_of_the_truncation_and_the_noise_in_the_file(styled: Generator) -> None:
    assert check_fingerprint(styled) == 0
    moved = styled.sample(2, truncation=1.0)
    assert np.abs(moved.astype(int) - styled.sample(2, truncation=0.7)).max() > 1


def test_styles_come_from_the_mapping_or_from_the_whole(folder: Path, styled: Generator) -> None:
    z, y, t = latents(50), np.arange(50) % 3, np.linspace(-1, 2, 50)
    styles = styled.styles(z, y, t)
    assert (styles.dtype, styles.shape) == (np.float32, (50, 4, 6))
    np.testing.assert_allclose(styles, FORMULA.styles(z, y, t), atol=1e-6)
    np.testing.assert_array_equal(styles[:7], styled.styles(z[:7], y[:7], t[:7]))
    assert set(styled.parts) == {Mapping}
    alone = Generator.load(folder / "alone.onnx", "cpu", 2)
    np.testing.assert_allclose(alone.styles(z), Styled().styles(z), atol=1e-6)
    assert not alone.parts


def test_styles_are_drawn_by_the_synthesis(styled: Generator) -> None:
    z = latents(50)
    styles = styled.styles(z, 1, 0.5)
    np.testing.assert_array_equal(styled.synthesize(styles, batch_size=7), styled(z, 1, 0.5))
    mixed = np.concatenate([styles[:1, :2], styles[1:2, 2:]], 1)
    assert is_rounded(styled.synthesize(mixed), FORMULA.images(mixed))
    request = styled.request(50, styles=styles)
    np.testing.assert_array_equal(np.concatenate(list(styled.batches(request))), styled.synthesize(styles))


def test_parts_are_open_once_on_the_device_of_the_generator_and_closed_with_it(styled: Generator) -> None:
    synthesis = styled.synthesis
    assert styled.synthesis is synthesis
    assert (synthesis.session.device, synthesis.threads, synthesis.session.threads) == ("cpu", 2, 1)
    styled.close()
    assert synthesis.closed
    with pytest.raises(InputError, match=r"x\.onnx: the model is closed"):
        styled.synthesize(np.zeros((1, 4, 6)))


def test_parts_take_the_providers_of_the_generator(folder: Path) -> None:
    with gan_runtime.load(folder / "plain.onnx", providers=["CPUExecutionProvider"], threads=1) as generator:
        assert generator.synthesis.arguments["providers"] == ["CPUExecutionProvider"]
        assert generator.synthesize(generator.styles(latents(2))).shape == (2, 8, 8, 3)


def test_an_unpickled_generator_opens_its_parts_anew(styled: Generator) -> None:
    styles = styled.styles(latents(3))
    again = pickle.loads(pickle.dumps(styled))
    assert (again == styled, again.parts) == (True, {})
    np.testing.assert_array_equal(again.synthesize(styles), styled.synthesize(styles))


def test_parts_are_models_of_their_own(folder: Path, styled: Generator) -> None:
    z = latents(5)
    with gan_runtime.load(folder / "x-mapping.onnx", "cpu") as mapping:
        assert isinstance(mapping, Mapping)
        styles = mapping(z, labels=[0, 1, 2, 0, 1], truncation=0.5)
        np.testing.assert_array_equal(styles, styled.styles(z, [0, 1, 2, 0, 1], 0.5))
        np.testing.assert_array_equal(mapping(z), styled.styles(z))  # labels 0, 1, 2, 0, 1
        with pytest.raises(InputError, match="truncation 3: must be from -1 to 2"):
            mapping(z, truncation=3)
    with gan_runtime.load(folder / "x-synthesis.onnx", "cpu") as synthesis:
        assert isinstance(synthesis, Synthesis)
        assert (synthesis.image_shape, synthesis.dtype, synthesis.points) == ((8, 8, 3), np.uint8, None)
        np.testing.assert_array_equal(synthesis(styles, batch_size=2), styled.synthesize(styles))
        with pytest.raises(InputError, match=r"styles of shape \[5, 6\]: the model takes \[n, 4, 6\], n at least 1"):
            synthesis(styles[:, 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"truncation": 2.1}, "truncation 2.1: must be from -1 to 2; 1 changes nothing"),
        ({"truncation": -1.01}, "truncation -1.01: must be from -1 to 2"),
        ({"truncation": float("nan")}, "truncation nan: must be from -1 to 2"),
        ({"truncation": [1, 1, 3]}, "truncation 3: must be from -1 to 2"),
        ({"truncation": [1, 1]}, r"truncation of shape \[2\]: give a number, or one for each of the 3 images"),
        ({"truncation": "strong"}, "truncation: not a number"),
    ],
)
def test_bad_truncations_are_refused(styled: Generator, arguments: dict[str, Any], message: str) -> None:
    for call in (styled.sample, styled.request, styled.iter_batches):
        with pytest.raises(InputError, match=message):
            call(3, **arguments)
    with pytest.raises(InputError, match=message):
        styled(latents(3), **arguments)
    with pytest.raises(InputError, match=message):
        styled.styles(latents(3), **arguments)


@pytest.mark.parametrize(
    ("styles", "message"),
    [
        (np.zeros((2, 3, 6)), r"styles of shape \[2, 3, 6\]: the model takes \[n, 4, 6\], n at least 1"),
        (np.zeros((0, 4, 6)), r"styles of shape \[0, 4, 6\]"),
        (np.full((1, 4, 6), np.inf), "styles: not all of them are finite"),
        ("mean", "styles: not an array of real numbers"),
    ],
)
def test_bad_styles_are_refused(styled: Generator, styles: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        styled.synthesize(styles)


def test_styles_exclude_latents_labels_and_truncation(styled: Generator) -> None:
    styles = np.zeros((2, 4, 6))
    for other in ({"latents": latents(2)}, {"labels": 1}, {"truncation": 0.5}):
        with pytest.raises(InputError, match="styles: take the place of latents, labels and truncation"):
            styled.request(2, styles=styles, **other)
    with pytest.raises(InputError, match="n 3: there are 2 styles"):
        styled.request(3, styles=styles)


def test_a_generator_without_styles_has_none(conditional_model: Path) -> None:
    generator = Generator.load(conditional_model, "cpu")
    z = np.zeros((1, 16))
    for what, call in {
        "truncation": lambda: generator.sample(1, truncation=0.5),
        "styles": lambda: generator.styles(z),
        "synthesis": lambda: generator.synthesis,
    }.items():
        with pytest.raises(InputError, match=rf"{what}: .*conditional\.onnx has no styles; name a generator that has"):
            call()
    with pytest.raises(InputError, match=r"styles: .* has no styles"):
        generator.synthesize(np.zeros((1, 4, 6)))


def test_a_missing_part_is_named(folder: Path) -> None:
    alone = Generator.load(folder / "alone.onnx", "cpu")
    message = r"alone\.onnx: has no alone-synthesis\.onnx beside it; write it with gan-export --parts"
    with pytest.raises(ModelError, match=message):
        alone.synthesize(alone.styles(latents(1)))


def test_the_part_of_another_generator_is_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("plain.onnx", "plain-synthesis.onnx", "plain-mapping.onnx"):
        shutil.copy(folder / name, tmp_path / name.replace("plain", "x"))
    replace(PLAIN, truncation=0.5).write(tmp_path / "x.onnx", parts=False)
    generator = Generator.load(tmp_path / "x.onnx", "cpu")
    with pytest.raises(ModelError, match=r"x-mapping\.onnx: was not exported together with .*x\.onnx; write all of"):
        generator.styles(latents(1))
    with pytest.raises(ModelError, match=r"x-synthesis\.onnx: was not exported together with .*x\.onnx; write all of"):
        generator.synthesize(np.zeros((1, 4, 6)))
    shutil.copy(folder / "plain.onnx", tmp_path / "x-synthesis.onnx")
    with pytest.raises(ModelError, match=r"x-synthesis\.onnx: made for the task 'generate', not 'synthesize'; .*part"):
        generator.synthesize(np.zeros((1, 4, 6)))


def test_a_part_that_is_no_generator_is_refused_by_the_commands(folder: Path, call: Callable[..., Result]) -> None:
    for part in ("mapping", "synthesis"):
        done = call("gan-sample", "--model", folder / f"x-{part}.onnx", "out.png")
        assert done.refused(f"x-{part}.onnx: made for the task", "name a generator")


def test_styles_that_are_not_as_declared_are_refused(folder: Path, tmp_path: Path) -> None:
    model = onnx.load(folder / "alone.onnx")
    times = next(tensor for tensor in model.graph.initializer if tensor.name == "times")
    times.CopyFrom(onnx.numpy_helper.from_array(np.int64([1, 3, 1]), "times"))
    onnx.save(model, tmp_path / "x.onnx")
    with pytest.raises((ModelError, gan_runtime.DeviceError), match=r"x\.onnx"):
        Generator.load(tmp_path / "x.onnx", "cpu").styles(latents(2))


def test_nothing_is_printed_of_optional_inputs(folder: Path, process: Callable[..., Result]) -> None:
    done = process("gan-sample", "--model", folder / "x.onnx", "--device", "cpu", "--n", 4, "out.png")
    assert done == Result(0, "out.png\n", "")


def test_info_shows_styles_and_the_check_passes(folder: Path, call: Callable[..., Result]) -> None:
    done = call("gan-info", folder / "x.onnx", "--check", "--json", "--device", "cpu")
    report = json.loads(done.out)
    assert done.code == 0
    assert report["check"]["largest_difference"] == 0
    assert (report["styles"], report["truncation"], report["noise"]) == ("4 of 6", "0.7 if none is given", "20 values")
    assert report["optional_inputs"] == ["truncation float32 [t]", "noise float32 [k, 20]"]
    mapping, synthesis = (json.loads(call("gan-info", folder / f"x-{part}.onnx", "--json").out) for part in PARTS)
    assert (mapping["latents"], mapping["classes"], mapping["styles"]) == ("5, normal", 3, "4 of 6")
    assert (synthesis["images"], synthesis["styles"], synthesis["noise"]) == ("8 x 8 x 3", "4 of 6", "20 values")
    assert "truncation" not in synthesis
    assert METADATA_KEY not in report


PARTS = ("mapping", "synthesis")


@pytest.mark.parametrize("output", ["out/", "out.tar"])
def test_a_job_with_another_truncation_is_not_continued(output: str, styled: Generator) -> None:
    write_output(output, draw(styled, 5, truncation=0.5))
    write_output(output, draw(styled, 5, truncation=[0.5] * 5))
    with pytest.raises(OutputError, match=r"a different request: truncation 0\.5, not 0.7;"):
        write_output(output, draw(styled, 5))  # that of the file
    with pytest.raises(OutputError, match=r"a different request: truncation 0\.5, not [0-9a-f]{64};"):
        write_output(output, draw(styled, 5, truncation=[0.5, 0.5, 0.5, 0.5, 0.6]))
    with pytest.raises(OutputError, match=r"a different request: styles None, not [0-9a-f]{64}, truncation"):
        write_output(output, draw(styled, 5, styles=np.zeros((5, 4, 6))))


def test_a_job_of_styles_is_continued(styled: Generator) -> None:
    styles = styled.styles(latents(5))
    write_output("out/", draw(styled, 5, styles=styles))
    Path("out/00000002.png").unlink()
    assert write_output("out/", draw(styled, 5, styles=styles)).kept == 4
    assert not Path("out/labels.csv").exists()
    with pytest.raises(OutputError, match="a different request: styles"):
        write_output("out/", draw(styled, 5, styles=styles + 1))


def test_parts_of_a_request_have_its_truncation_noise_and_styles(styled: Generator) -> None:
    t = np.linspace(-1, 2, 9)
    for drawn in (draw(styled, 9, 1, 2, truncation=t), draw(styled, 9, styles=styled.styles(latents(9), 1, t))):
        whole = np.concatenate(list(drawn.batches()))
        np.testing.assert_array_equal(np.concatenate(list(drawn.part(3, 4).batches())), whole[3:7])
