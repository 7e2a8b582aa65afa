"""gan-sample with generators with styles: truncation, walks, mixing and latents files."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import Result
from numpy.typing import NDArray
from PIL import Image
from styled_formula import Styled

from gan_runtime import Generator
from gan_runtime.errors import InputError
from gan_runtime.images.array_files import load_latents
from gan_runtime.images.grids import Layout, arrange
from gan_runtime.latents import draw_latents
from gan_runtime.manifest import ImageSize
from gan_runtime.outputs import Options, write_output
from gan_runtime.outputs.mixing import coarse_layers
from gan_runtime.outputs.sampled import draw
from gan_runtime.outputs.walk import class_walk, walk

Call = Callable[..., Result]
CONDITIONAL = Styled(classes=3, noise=20, size=ImageSize(8, 6, 3))
PLAIN = Styled(layers=10, truncation=0.7, size=ImageSize(8, 8, 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("styled")
    CONDITIONAL.write(folder / "conditional.onnx")
    PLAIN.write(folder / "plain.onnx")
    PLAIN.write(folder / "alone.onnx", parts=False)
    return folder


@pytest.fixture
def conditional(folder: Path) -> Generator:
    return Generator.load(folder / "conditional.onnx", "cpu", 2)


@pytest.fixture
def plain(folder: Path) -> Generator:
    return Generator.load(folder / "plain.onnx", "cpu", 2)


@pytest.fixture
def sample(call: Call, folder: Path) -> Callable[..., Result]:
    """gan-sample of one of the files."""

    def sample(name: str, *arguments: object) -> Result:
        return call("gan-sample", "--model", folder / f"{name}.onnx", "--device", "cpu", *arguments)

    return sample


def picture(name: str) -> NDArray[np.uint8]:
    pixels = np.asarray(Image.open(name))
    return pixels.reshape(*pixels.shape[:2], -1)


def cells(name: str, rows: int, columns: int) -> NDArray[np.uint8]:
    """The images of a grid without gaps, [rows, columns, h, w, c]."""
    pixels = picture(name)
    height, width = pixels.shape[0] // rows, pixels.shape[1] // columns
    return pixels.reshape(rows, height, columns, width, -1).swapaxes(1, 2)


def test_truncation_is_that_of_the_file_unless_it_is_given(sample: Callable[..., Result], plain: Generator) -> None:
    for arguments, truncation in (((), 0.7), (("--truncation", 0.3), 0.3), (("--truncation", -0.5), -0.5)):
        done = sample("plain", "--n", 5, "--seed", 2, "out.npy", "--json", *arguments)
        assert json.loads(done.out)["truncation"] == truncation
        np.testing.assert_array_equal(np.load("out.npy"), plain.sample(5, 2, truncation=truncation))


def test_a_folder_is_continued_with_the_same_truncation_only(sample: Callable[..., Result]) -> None:
    assert sample("plain", "--n", 3, "--truncation", 0.5, "out/").code == 0
    assert "all 3 images exist already" in sample("plain", "--n", 3, "--truncation", 0.5, "out/").err
    assert sample("plain", "--n", 3, "out/").refused("a different request: truncation 0.5, not 0.7")


def test_walks_in_w_are_linear_between_the_styles_of_the_stations(conditional: Generator) -> None:
    drawn = draw(conditional, 2, seed=3, start=1, truncation=0.5)
    in_z, in_w = walk(drawn, 8), walk(drawn, 8, "w")
    stations = np.stack([conditional.styles(z, [1, 2], 0.5) for z in in_z.stations])
    np.testing.assert_array_equal(in_w.stations, stations)
    middle = (stations[0].astype(np.float64) + stations[1]) / 2
    np.testing.assert_array_equal(in_w.latents(1), middle.astype(np.float32))
    whole, every = list(in_z.images(range(8))), list(in_w.images(range(8)))
    for frame in (0, 2, 4, 6):
        np.testing.assert_array_equal(whole[frame], every[frame])  # with the noise of the images
    np.testing.assert_array_equal(every[0], conditional.sample(2, 3, 1, truncation=0.5))
    assert np.abs(every[1].astype(int) - whole[1]).max() > 2


def test_an_animation_in_w(sample: Callable[..., Result], conditional: Generator) -> None:
    arguments = ("--space", "w", "--frames", 8, "--n", 2, "--truncation", 0.6, "--label", 1, "out.webp", "--json")
    report = json.loads(sample("conditional", *arguments).out)
    assert (report["space"], report["truncation"], report["label"]) == ("w", 0.6, 1)
    steps = walk(draw(conditional, 2, labels=1, truncation=0.6), 8, "w")
    with Image.open("out.webp") as film:
        for frame, images in enumerate(steps.images(range(8))):
            film.seek(frame)
            shown = np.asarray(film.convert("RGB"))
            np.testing.assert_array_equal(shown, arrange(images, Options().layout(3)))


def test_a_walk_in_w_of_given_latents_visits_each_with_its_label_and_truncation(conditional: Generator) -> None:
    z, labels, truncation = draw_latents(4, 0, 3, CONDITIONAL.latent_dim), [2, 0, 1], [1.0, 0.5, 0.0]
    steps = walk(draw(conditional, 3, labels=labels, latents=z, truncation=truncation), 3, "w")
    visited = np.concatenate(list(steps.images([0, 1, 2])))
    np.testing.assert_array_equal(visited, conditional(z, labels, truncation))


def test_a_class_walk_keeps_the_latents(sample: Callable[..., Result], conditional: Generator) -> None:
    steps = class_walk(draw(conditional, 2, seed=4), 6)
    for label in range(3):
        images = next(steps.images([2 * label]))
        np.testing.assert_array_equal(images, conditional.sample(2, 4, labels=label))
    np.testing.assert_allclose(steps.latents(1), (steps.stations[0] + steps.stations[1]) / 2, atol=1e-6)
    done = sample("conditional", "--class-walk", "--n", 2, "--frames", 6, "out.gif", "--json")
    assert json.loads(done.out)["class_walk"] is True
    z = draw_latents(4, 0, 2, CONDITIONAL.latent_dim)
    given = class_walk(draw(conditional, 2, latents=z), 3)
    assert given.stations.shape == (3, 2, 4, 6)
    np.save("z.npy", z)
    assert sample("conditional", "--class-walk", "--latents", "z.npy", "--frames", 3, "z.gif").code == 0
    with Image.open("z.gif") as film:
        assert film.size == (2 * 6, 8)  # both images


def test_a_class_walk_needs_classes_and_enough_frames(sample: Callable[..., Result]) -> None:
    assert sample("plain", "--class-walk", "x.gif").refused("--class-walk: ", "plain.onnx is unconditional")
    refused = sample("conditional", "--class-walk", "--frames", 2, "x.gif")
    assert refused.refused("--frames 2: the animation visits 3 latents; use at least 3 frames")


@pytest.mark.parametrize("coarse", [None, 1, 7])
def test_mixed_styles(sample: Callable[..., Result], plain: Generator, coarse: int | None) -> None:
    arguments = () if coarse is None else ("--coarse", coarse)
    report = json.loads(sample("plain", "--mix", "2x3", "--seed", 7, "--start", 4, *arguments, "x.png", "--json").out)
    first = coarse or 4
    assert (report["mix"], report["coarse"], report["n"]) == ([2, 3], first, 5)
    grid = cells("x.png", 3, 4)
    sources = plain.sample(5, 7, 4)
    np.testing.assert_array_equal(grid[1:, 0], sources[:2])
    np.testing.assert_array_equal(grid[0, 1:], sources[2:])
    assert not grid[0, 0].any()
    styles = plain.styles(draw_latents(7, 4, 5, PLAIN.latent_dim))
    for row in range(2):
        for column in range(3):
            mixed = np.concatenate([styles[row, :first], styles[2 + column, first:]])
            expected = PLAIN.images(mixed[None])[0]
            assert np.abs(grid[row + 1, column + 1] - expected).max() <= 0.501


def test_mixing_with_labels_truncation_noise_padding_and_scale(
    sample: Callable[..., Result], conditional: Generator
) -> None:
    layout = ("--padding", 2, "--scale", 3)
    assert sample("conditional", "--mix", "1x2", "--label", 2, "--truncation", 0.4, *layout, "x.png").code == 0
    sources = conditional.sample(3, labels=2, truncation=0.4)
    pixels = picture("x.png")
    assert pixels.shape == (2 * (24 + 2) - 2, 3 * (18 + 2) - 2, 3)
    np.testing.assert_array_equal(pixels[26:, :18], arrange(sources[:1], Layout(scale=3)))
    np.testing.assert_array_equal(pixels[:24, 20:38], arrange(sources[1:2], Layout(scale=3)))
    assert (pixels[24:26] == 127).all()
    by_class = json.loads(sample("conditional", "--mix", "1x2", "y.png", "--json").out)
    assert by_class["label"] is None
    np.testing.assert_array_equal(cells("y.png", 2, 3)[1, 0], conditional.sample(1)[0])  # images 0, 1, 2 of all classes


def test_mixing_does_not_depend_on_batches(sample: Callable[..., Result]) -> None:
    assert sample("conditional", "--mix", "2x2", "--batch-size", 1, "--threads", 1, "x.png").code == 0
    assert sample("conditional", "--mix", "2x2", "--batch-size", 7, "--threads", 3, "y.png").code == 0
    assert Path("x.png").read_bytes() == Path("y.png").read_bytes()


def test_mixing_of_a_file_of_styles(sample: Callable[..., Result], plain: Generator) -> None:
    styles = plain.styles(draw_latents(0, 0, 3, PLAIN.latent_dim), truncation=1)
    np.savez("w.npz", latents=styles, space="w")
    assert sample("plain", "--mix", "1x2", "--latents", "w.npz", "x.png").code == 0
    np.testing.assert_array_equal(cells("x.png", 2, 3)[0, 1:], plain.synthesize(styles[1:]))
    assert sample("plain", "--mix", "2x2", "--latents", "w.npz", "y.png").refused(
        "--mix 2x2: is mixed of 2 + 2 images, and there are 3 latents"
    )


def test_how_many_layers_are_coarse() -> None:
    assert [coarse_layers(layers, None) for layers in (2, 4, 8, 10, 18)] == [1, 2, 4, 4, 4]
    with pytest.raises(InputError, match="--coarse 10: the generator has 10 layers; give 1 to 9"):
        coarse_layers(10, 10)


@pytest.mark.parametrize("space", ["z", "w"])
def test_latents_of_both_spaces_are_written_and_read(
    sample: Callable[..., Result], conditional: Generator, space: str
) -> None:
    z = draw_latents(5, 0, 4, CONDITIONAL.latent_dim)
    rows = z if space == "z" else conditional.styles(z, 2)
    np.save("rows.npy", rows)
    assert sample("conditional", "--latents", "rows.npy", "x.npz").code == 0
    with np.load("x.npz") as stored:
        np.testing.assert_array_equal(stored["latents"], rows)
        assert stored["space"] == space
        assert ("labels" in stored) == (space == "z")
        images = conditional(z) if space == "z" else conditional.synthesize(rows)
        np.testing.assert_array_equal(stored["images"], images)
    assert load_latents("x.npz", labelled=True).space == space
    assert sample("conditional", "--latents", "x.npz", "y.npz").code == 0
    assert Path("x.npz").read_bytes() == Path("y.npz").read_bytes()


def test_an_npz_of_a_generator_without_styles_names_no_space(call: Call, conditional_model: Path) -> None:
    assert call("gan-sample", "--n", 2, "--model", conditional_model, "x.npz").code == 0
    assert sorted(np.load("x.npz")) == ["images", "labels", "latents"]


def test_a_file_of_styles_is_a_folder_a_grid_and_a_walk(sample: Callable[..., Result], plain: Generator) -> None:
    styles = plain.styles(draw_latents(0, 0, 3, PLAIN.latent_dim))
    np.savez("w.npz", latents=styles.astype(np.float64), space=np.array("w"))
    images = plain.synthesize(styles)
    report = json.loads(sample("plain", "--latents", "w.npz", "x.png", "--columns", 3, "--json").out)
    assert (report["n"], report["seed"], report["truncation"]) == (3, None, None)
    np.testing.assert_array_equal(cells("x.png", 1, 3)[0], images)
    assert sample("plain", "--latents", "w.npz", "out/").code == 0
    np.testing.assert_array_equal(picture("out/00000002.png"), images[2])
    assert sample("plain", "--latents", "w.npz", "--frames", 6, "x.webp").code == 0
    with Image.open("x.webp") as film:
        film.seek(4)
        np.testing.assert_array_equal(np.asarray(film.convert("L"))[..., None], images[2])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"latents": np.zeros((2, 10, 6)), "space": "z"}, "latents: float64 [2, 10, 6], and its space is not 'w'"),
        ({"latents": np.zeros((2, 5)), "space": "w"}, "latents: float64 [2, 5], and its space is not 'z'"),
        ({"latents": np.zeros((2, 5)), "space": 3}, "and its space is not 'z'; [n, d] is in z, [n, layers, d] in w"),
        ({"latents": np.zeros((2, 5)), "space": "z" * 99}, "and its space is not 'z'"),
        ({"latents": np.zeros((2, 9, 6)), "space": "w"}, "styles of shape [2, 9, 6]: the model takes [n, 10, 6]"),
        ({"latents": np.zeros((2, 6))}, "latents of shape [2, 6]: the model takes [n, 5]"),
        ({"latents": np.zeros((2, 1, 2, 3))}, "needs one array of shape [n, d], or [n, layers, d] for styles"),
        ({"latents": np.full((1, 10, 6), np.nan)}, "styles: not all of them are finite"),
    ],
)
def test_latents_that_do_not_fit_are_refused(sample: Callable[..., Result], arrays: dict[str, Any], words: str) -> None:
    np.savez("bad.npz", **arrays)
    assert sample("plain", "--latents", "bad.npz", "x.png").refused(words)


def test_a_space_that_is_no_text_is_refused(sample: Callable[..., Result]) -> None:
    np.savez("bad.npz", latents=np.zeros((1, 5)), space=np.frombuffer(b"\xff" * 4, "<U1").reshape(()))
    assert sample("plain", "--latents", "bad.npz", "x.png").refused("and its space is not 'z'")


def test_styles_for_a_generator_without_are_refused(call: Call, conditional_model: Path) -> None:
    np.save("w.npy", np.zeros((2, 4, 6)))
    for arguments, word in (
        (["--latents", "w.npy", "x.png"], "--latents w.npy"),
        (["--truncation", "0.5", "x.png"], "--truncation 0.5"),
        (["--mix", "2x2", "x.png"], "--mix 2x2"),
        (["--space", "w", "x.gif"], "--space w"),
        (["--class-walk", "x.gif"], "--class-walk"),
    ):
        done = call("gan-sample", "--model", conditional_model, *arguments)
        assert done.refused(f"error: {word}: ", "conditional.onnx has no styles; name a generator that has")


@pytest.mark.parametrize("arguments", [["--mix", "2x2", "x.png"], ["--space", "w", "x.gif"]])
def test_a_missing_part_is_named(sample: Callable[..., Result], arguments: list[str]) -> None:
    words = "alone.onnx: has no alone-synthesis.onnx beside it; write it with gan-export --parts"
    assert sample("alone", *arguments).refused(words)
    assert sample("alone", "--truncation", 0.5, "y.png").code == 0
    assert not Path(arguments[-1]).exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--truncation", "2.5", "x.png"], ["--truncation", "2.5"]),
        (["--truncation", "nan", "x.png"], ["--truncation nan: must be from -1 to 2"]),
        (["--space", "y", "x.gif"], ["--space 'y': choose z or w"]),
        (["--space", "w", "x.png"], ["--space: has an effect only for .gif and .webp"]),
        (["--class-walk", "x.png"], ["--class-walk: has an effect only for .gif and .webp"]),
        (["--mix", "2x2", "x.gif"], ["--mix: has an effect only for .png and -"]),
        (["--mix", "2x2", "out/"], ["--mix: has an effect only for .png and -"]),
        (["--mix", "0x2", "x.png"], ["--mix '0x2': give ROWSxCOLUMNS, such as 4x8, each from 1 to 1000"]),
        (["--mix", "2", "x.png"], ["--mix '2': give ROWSxCOLUMNS"]),
        (["--mix", "2x1001", "x.png"], ["--mix '2x1001'"]),
        (["--mix", "1000x1000", "--scale", "2", "x.png"], ["n 1002001: a grid of 16016 x 16016 pixels is too large"]),
        (["--mix", "2x2", "--n", "4", "x.png"], ["--n: cannot be combined with --mix"]),
        (["--mix", "2x2", "--rows", "4", "x.png"], ["--rows: cannot be combined with --mix"]),
        (["--mix", "2x2", "--columns", "4", "x.png"], ["--columns: cannot be combined with --mix"]),
        (["--mix", "2x2", "--by-class", "x.png"], ["--by-class: cannot be combined with --mix"]),
        (["--mix", "2x2", "--coarse", "10", "x.png"], ["--coarse 10: the generator has 10 layers; give 1 to 9"]),
        (["--coarse", "3", "x.png"], ["--coarse: has an effect only with --mix"]),
        (["--class-walk", "--label", "1", "x.gif"], ["--label: cannot be combined with --class-walk"]),
        (["--class-walk", "--space", "z", "x.gif"], ["--space: cannot be combined with --class-walk"]),
        (["--class-walk", "--by-class", "x.gif"], ["--by-class: cannot be combined with --class-walk"]),
        (["--truncation", "0", "--reconstruct", "a.png", "x.png"], ["--truncation: cannot be combined with --reco"]),
        (["--space", "w", "--interpolate", "a.png", "b.png", "x.gif"], ["--space: cannot be combined with --interp"]),
        (["--latents", "w.npy", "--truncation", "1", "x.png"], ["--truncation: w.npy has styles", "no effect"]),
        (["--latents", "w.npy", "--label", "1", "x.png"], ["label"]),
        (["--latents", "w.npy", "--space", "z", "x.gif"], ["--space: w.npy has styles"]),
        (["--latents", "w.npy", "--class-walk", "x.gif"], ["--class-walk: w.npy has styles"]),
        (["--latents", "w.npy", "--by-class", "x.png"], ["--by-class: cannot be combined with --latents"]),
    ],
)
def test_what_makes_no_sense_is_refused(sample: Callable[..., Result], arguments: list[str], words: list[str]) -> None:
    np.save("w.npy", np.zeros((2, 10, 6)))
    assert sample("plain", *arguments).refused(*words)
    assert not Path(arguments[-1]).exists()


def test_outputs_in_python_refuse_what_they_cannot_draw(plain: Generator) -> None:
    with pytest.raises(InputError, match="--mix 2x2: is mixed of 2 \\+ 2 images, and there are 5 latents"):
        write_output("x.png", draw(plain, 5), Options(mix=(2, 2)))
    with pytest.raises(InputError, match="--mix: has an effect only for"):
        write_output("x.gif", draw(plain, 4), Options(mix=(2, 2)))
    with pytest.raises(InputError, match="--coarse 0: must be at least 1"):
        Options(mix=(2, 2), coarse=0)
    assert not list(Path().iterdir())


def test_nothing_of_styles_is_imported_for_other_generators(conditional_model: Path) -> None:
    code = (
        "import sys, gan_runtime.terminal.commandline as line; "
        "line.leave = lambda code: print(*sys.modules, file=sys.stderr);"
        "from gan_runtime.commands.sample import sample_main; sample_main()"
    )
    command = [sys.executable, "-c", code, "out.png", "--model", str(conditional_model), "--quiet"]
    imported = subprocess.run(command, capture_output=True, text=True, check=True).stderr.split()
    assert "gan_runtime.outputs.picture" in imported
    for module in ("gan_runtime.parts", "gan_runtime.outputs.mixing", "gan_runtime.outputs.walk"):
        assert module not in imported
