from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import Result, linear_generator
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from gan_runtime import Generator
from gan_runtime.errors import InputError
from gan_runtime.images.grids import arrange
from gan_runtime.latents import MAX_INDEX
from gan_runtime.outputs import Options, write_output
from gan_runtime.outputs.animation import frame_durations
from gan_runtime.outputs.sampled import draw
from gan_runtime.outputs.walk import Walk, slerp, walk

KINDS = ["out.gif", "out.webp"]


@pytest.fixture(scope="module")
def generator(conditional_model: Path) -> Generator:
    return Generator.load(conditional_model, device="cpu")


def frames_of(name: str) -> tuple[list[NDArray[np.uint8]], int, int | None]:
    """RGB frames, length of the film in milliseconds, and how often it is shown (0: without an end)."""
    with Image.open(name) as film:
        frames, length = [], 0
        for frame in ImageSequence.Iterator(film):
            frames.append(np.asarray(frame.convert("RGB")))
            length += film.info.get("duration", 0)
        return frames, length, film.info.get("loop")


def test_slerp_keeps_to_the_sphere() -> None:
    a, b = np.array([3.0, 0.0]), np.array([0.0, 3.0])
    np.testing.assert_allclose(slerp(a, b, 1 / 3), [3 * np.cos(np.pi / 6), 1.5], rtol=1e-6)
    assert slerp(a, b, 0.5).dtype == np.float32


def test_slerp_is_whites_formula_for_equal_lengths_and_exact_at_its_ends() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 50, 16)).astype(np.float32)
    np.testing.assert_array_equal(slerp(a, b, 0), a)
    np.testing.assert_allclose(slerp(a, b, 1), b, rtol=1e-6)
    lengths = np.linalg.norm(slerp(a, b, 0.3), axis=1)
    np.testing.assert_allclose(lengths, 0.7 * np.linalg.norm(a, axis=1) + 0.3 * np.linalg.norm(b, axis=1), rtol=1e-5)
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    omega = np.arccos(np.sum(a * b, -1, keepdims=True))
    expected = (np.sin(0.3 * omega) * b + np.sin(0.7 * omega) * a) / np.sin(omega)
    np.testing.assert_allclose(slerp(a, b, 0.3), expected, rtol=1e-4, atol=1e-5)


def test_slerp_of_one_direction_is_linear() -> None:
    a = np.random.default_rng(0).normal(size=16)
    for b in (a, 3 * a, a * (1 + 1e-9), np.zeros(16)):
        np.testing.assert_allclose(slerp(a, b, 0.25), 0.75 * a + 0.25 * b, rtol=1e-6)


@pytest.mark.parametrize("nudge", [0.0, 1e-12, 1e-7, 1e-5])
def test_slerp_of_opposites_is_a_half_circle(nudge: float) -> None:
    a = np.random.default_rng(0).normal(size=16)
    b = -a + nudge * np.eye(16)[3]
    for t in (0.0, 0.25, 0.5, 0.75, 1.0):
        z = slerp(a, b, t)
        np.testing.assert_allclose(np.linalg.norm(z), np.linalg.norm(a), rtol=1e-4)
        np.testing.assert_allclose(z @ a / (a @ a), np.cos(np.pi * t), atol=1e-4)


def test_slerp_of_numbers_goes_through_zero() -> None:
    np.testing.assert_allclose([slerp([2.0], [-2.0], t)[0] for t in (0, 0.5, 1)], [2, 0, -2], atol=1e-6)


def test_a_walk_passes_its_stations_and_closes(generator: Generator) -> None:
    steps = walk(draw(generator, 3, seed=1, start=4), 8)
    a, b = (draw(generator, 3, seed=1, start=start).request.latents(0, 3) for start in (4, 7))
    for frame, station in ((0, a), (2, b), (4, -a), (6, -b), (8 - 8, a)):
        np.testing.assert_array_equal(steps.latents(frame), station)
    sizes = [np.linalg.norm(steps.latents((i + 1) % 8) - steps.latents(i)) for i in range(8)]
    assert max(sizes) < 2 * min(sizes)  # the last step, which leads back, is one as the others


def test_a_walk_needs_twice_as_many_latents_as_images(generator: Generator) -> None:
    walk(draw(generator, 4, start=MAX_INDEX - 7), 4)
    with pytest.raises(InputError, match=f"start {MAX_INDEX - 6}: the last of 8 latents would have an index above"):
        write_output("out.gif", draw(generator, 4, start=MAX_INDEX - 6))
    assert not list(Path().iterdir())


def test_uniform_latents_walk_in_straight_lines(generator: Generator) -> None:
    stations = np.array([[[1.0, -1.0]], [[0.0, 1.0]]], np.float32)
    signature = replace(generator.signature, latents=replace(generator.signature.latents, distribution="uniform"))
    steps = Walk(draw(replace(generator, signature=signature), 1), stations, 4)
    np.testing.assert_array_equal(steps.latents(1), [[0.5, 0.0]])
    assert np.abs(walk(steps.sampled, 4).stations).max() <= 1


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("fps", [24, 7.3, 50])
def test_films_have_all_frames_and_last_as_long_as_they_should(generator: Generator, name: str, fps: float) -> None:
    options = Options(frames=20, fps=fps, padding=1, scale=2, rows=2)
    drawn = draw(generator, 5, seed=1, start=2)
    write_output(name, drawn, options)
    frames, length, loop = frames_of(name)
    assert (len(frames), loop) == (20, 0)
    assert abs(length - 20_000 / fps) <= (5 if name == "out.gif" else 0.5)
    images = list(walk(drawn, 20).images(range(20)))
    for frame, image in zip(frames, images, strict=True):
        np.testing.assert_array_equal(frame[:, :, :1], arrange(image, options.layout(10)))


def test_the_first_frame_is_the_picture_of_the_request(generator: Generator) -> None:
    for name in ("out.gif", "out.webp", "out.png"):
        options = Options(by_class=True) if name == "out.png" else Options(by_class=True, frames=4)
        write_output(name, draw(generator, 20, seed=1, start=3), options)
    picture = np.asarray(Image.open("out.png").convert("RGB"))
    for name in KINDS:
        np.testing.assert_array_equal(frames_of(name)[0][0], picture)


def test_own_latents_are_the_stations_of_one_image(call: Callable[..., Result], conditional_model: Path) -> None:
    z = np.random.default_rng(0).normal(size=(3, 16)).astype(np.float32)
    np.save("z.npy", z)
    arguments = ("--latents", "z.npy", "--label", 4, "--model", conditional_model, "--device", "cpu")
    assert call("gan-sample", *arguments, "--frames", 9, "out.webp").code == 0
    frames, _, _ = frames_of("out.webp")
    assert len(frames) == 9
    expected = Generator.load(conditional_model, "cpu")(z, 4)
    np.testing.assert_array_equal(np.stack(frames)[::3, :, :, :1], expected)
    refused = call("gan-sample", *arguments, "--frames", 2, "other.gif")
    assert refused.refused("--frames 2: the animation visits 3 latents; use at least 3 frames")
    np.save("z.npy", z[:1])
    assert call("gan-sample", *arguments, "other.gif").refused("--latents", "two")


def test_films_in_colour() -> None:
    generator = Generator.load(linear_generator(Path("rgb.onnx"), ["n", 8], ["n", 3, 20, 16], scale=0.3), "cpu")
    drawn = draw(generator, 6)
    images = np.stack([arrange(image, Options().layout(0)) for image in walk(drawn, 12).images(range(12))])
    for name in KINDS:
        write_output(name, drawn, Options(frames=12))
        difference = np.abs(np.stack(frames_of(name)[0]).astype(int) - images)
        assert difference.max() == 0 if name == "out.webp" else difference.mean() < 3


def test_a_film_without_motion_is_one_frame_that_lasts() -> None:
    generator = Generator.load(linear_generator(Path("still.onnx"), ["n", 8], ["n", 1, 20, 16], scale=0.0), "cpu")
    for name in KINDS:
        write_output(name, draw(generator, 2), Options(frames=96, fps=0.2))
        frames, length, _ = frames_of(name)
        assert len(frames) == 1
        assert length == (480_000 if name == "out.gif" else 0)  # a WebP of one frame is a still picture


@pytest.mark.parametrize("fps", [50, 24, 23.976, 7.3, 0.2])
def test_durations_add_up(fps: float) -> None:
    durations = frame_durations(96, fps, 100)
    assert abs(sum(durations) - 9600 / fps) <= 0.5
    assert max(durations) - min(durations) <= 1


@pytest.mark.parametrize(
    ("output", "options", "n", "words"),
    [
        ("out.gif", Options(fps=51), 4, "--fps 51: must be more than 0 and at most 50 for this format"),
        ("out.webp", Options(fps=1001), 4, "at most 1000"),
        ("out.webp", Options(fps=0), 4, "--fps 0"),
        ("out.webp", Options(fps=float("nan")), 4, "--fps nan"),
        ("out.gif", Options(frames=0), 4, "--frames 0: the animation visits 4 latents"),
        ("out.gif", Options(frames=3), 4, "--frames 3: the animation visits 4 latents; use at least 4 frames"),
        ("out.gif", Options(fps=0.1), 4, "--fps 0.1: 96 frames take more than 600 seconds; ask for more a s"),
        ("out.gif", Options(frames=30_001, fps=50), 1, "--fps 50: 30001 frames take .* 600 seconds; ask for fewer"),
        ("out.gif", Options(frames=100_000, fps=50), 4, "100000 frames of 56 x 56 pixels are too large|600 seconds"),
        ("out.webp", Options(frames=50_000, fps=1000), 4, "50000 frames of 56 x 56 pixels are too large"),
        ("out.webp", Options(frames=2, columns=600), 600, "n 600: 2 frames of 16800 x 28 pixels are too large"),
        ("out.gif", Options(), 10**9, "n 1000000000: 96 frames of"),
        ("out.gif", Options(rows=1, columns=3), 4, "does not fit"),
    ],
)
def test_films_that_cannot_be_are_refused(
    generator: Generator, output: str, options: Options, n: int, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        write_output(output, draw(generator, n), options)
    assert not list(Path().iterdir())


def test_a_walk_through_latents_of_several_classes_is_refused(
    call: Callable[..., Result], conditional_model: Path
) -> None:
    latents = np.random.default_rng(0).normal(size=(3, 16)).astype(np.float32)
    words = ("gan-sample", "--model", conditional_model, "--frames", 8)
    np.savez("mixed.npz", latents=latents, labels=[1, 2, 1])
    refused = call(*words, "--latents", "mixed.npz", "walk.gif")
    assert refused.refused("latents of several classes", "--label")
    assert call(*words, "--latents", "mixed.npz", "--label", 2, "walk.gif").code == 0
    np.savez("same.npz", latents=latents, labels=[1, 1, 1])
    assert call(*words, "--latents", "same.npz", "walk.gif").code == 0
