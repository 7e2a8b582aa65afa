"""Pictures through a model, by the parts of `gan_runtime.transform`; the models are functions."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_bytes import saved
from PIL import Image

from gan_runtime.errors import DataError, InputError, OutputError
from gan_runtime.images.bands import Banded
from gan_runtime.images.decoding import decoder
from gan_runtime.images.options import PictureOptions
from gan_runtime.images.prepare import PREPARATIONS
from gan_runtime.images.whole import Picture, WholeDecoder
from gan_runtime.images.writing import Encoding
from gan_runtime.manifest import ImageAxes, Tiling
from gan_runtime.tiling import bands_in_tiles
from gan_runtime.transform.inputs import open_inputs
from gan_runtime.transform.model import PictureModel
from gan_runtime.transform.parallel import Budget, in_order
from gan_runtime.transform.places import check_apart, output_names, place_of
from gan_runtime.transform.running import Made, Stopped
from gan_runtime.transform.settings import Settings
from gan_runtime.transform.transform import Transform

READ = WholeDecoder(PictureOptions())


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def png(pixels: np.ndarray) -> bytes:
    return saved(Image.fromarray(pixels), "png")


def model(
    function: Callable[[Any], Any],
    scale: int = 1,
    channels: int = 3,
    side: int | None = None,
    threads: int = 2,
    gives: int = 3,
) -> PictureModel:
    """A model that is a function of one picture, run in tiles as the models of the deploy core are."""
    tiling = None if side else Tiling(context=0)

    def run(picture: Any, tile: int | None, done: Any) -> Iterator[Any]:
        return bands_in_tiles(picture, function, tile or 512, Tiling(context=0), scale, done=done)

    source = ImageAxes(side, side, channels)
    return PictureModel(
        "test",
        "testing",
        Path("x.onnx"),
        "0" * 64,
        source,
        gives,
        scale,
        lambda tile: tiling,
        512,
        "cpu",
        threads,
        threads,
        "",
        False,
        run,
    )


def written(transform: Transform, content: bytes, *arguments: Any, **more: Any) -> tuple[bytes, Made]:
    """What a transform writes, and its account of it."""
    file = io.BytesIO()
    made = transform(content, lambda: nullcontext(file), *arguments, **more)
    return file.getvalue(), made


def result(transform: Transform, content: bytes, truth: bytes | None = None) -> Picture:
    return READ.picture(written(transform, content, truth)[0])


def invert(picture: Any) -> Any:
    return 255 - picture


def twice(picture: Any) -> Any:
    """Four times as many inverted pixels: a model of scale 2."""
    return 255 - picture.repeat(2, axis=0).repeat(2, axis=1)


def test_a_picture_is_decoded_run_and_encoded() -> None:
    content, made = written(Transform(model(invert), Settings()), png(noise(7, 9)))
    assert made == Made(frames=1, side=512, tiles=1, pixels=63)
    np.testing.assert_array_equal(READ.picture(content).colours, 255 - noise(7, 9))


def test_alpha_is_kept_and_transparent_pixels_are_seen_as_background() -> None:
    pixels = noise(6, 5, 4)
    pixels[..., 3] |= 1
    pixels[:2, :, 3] = 0
    seen = []

    def watched(picture: Any) -> Any:
        seen.append(picture)
        return invert(picture)

    settings = Settings(reading=PictureOptions(background="#0a141e"))
    made = result(Transform(model(watched), settings), png(pixels))
    assert (seen[0][:2] == (10, 20, 30)).all()
    np.testing.assert_array_equal(seen[0][2:], pixels[2:, :, :3])
    np.testing.assert_array_equal(made.alpha, pixels[..., 3])
    np.testing.assert_array_equal(made.colours[2:], 255 - pixels[2:, :, :3])


@pytest.mark.parametrize("tile", [None, 8])
def test_a_model_of_scale_two_gives_pictures_and_alpha_of_twice_the_size(tile: int | None) -> None:
    pixels = noise(11, 20, 4)
    pixels[..., 3] = 255
    pixels[:, :10, 3] = 100
    content, made = written(Transform(model(twice, scale=2), Settings(tile=tile)), png(pixels))
    picture = READ.picture(content)
    assert made.in_tiles == (tile == 8)
    np.testing.assert_array_equal(picture.colours, twice(pixels[..., :3]))
    assert picture.alpha is not None
    assert picture.alpha.shape == (22, 40)
    assert (picture.alpha[:, :16] == 100).all()
    assert (picture.alpha[:, 26:] == 255).all()


def test_jpeg_has_no_alpha_and_a_remark_says_what_shows_through() -> None:
    pixels = noise(16, 16, 4)
    pixels[..., 3] = 0
    notices: list[str] = []
    transform = Transform(model(invert), Settings(Encoding(".jpg", 100)))
    content, _ = written(transform, png(pixels), notice=lambda kind, value: notices.append(kind))
    assert notices == ["transparent"]
    assert READ.picture(content).colours.min() > 250


@pytest.mark.parametrize(("scale", "function"), [(1, invert), (2, twice)])
def test_comparisons_show_input_output_and_truth(scale: int, function: Callable[[Any], Any]) -> None:
    pixels, truth = noise(6, 8), np.zeros((6 * scale, 8 * scale, 3), np.uint8)
    transform = Transform(model(function, scale), Settings(compare=True))
    made = result(transform, png(pixels), png(truth)).colours
    width = 8 * scale
    assert made.shape == (6 * scale, 3 * width, 3)
    if scale == 1:
        np.testing.assert_array_equal(made[:, :width], pixels)
    np.testing.assert_array_equal(made[:, width : 2 * width], function(pixels))
    np.testing.assert_array_equal(made[:, 2 * width :], truth)
    assert result(transform, png(pixels)).size == (6 * scale, 2 * width)
    with pytest.raises(InputError, match="its truth has 3 x 2 pixels, the output"):
        written(transform, png(pixels), png(noise(2, 3)))


def test_a_comparison_of_grey_and_colour_is_in_colour() -> None:
    transform = Transform(model(lambda grey: grey.repeat(3, axis=2), channels=1), Settings(compare=True))
    made = result(transform, png(noise(5, 4, 1)[..., 0]))
    np.testing.assert_array_equal(made.colours, np.concatenate([noise(5, 4, 1).repeat(3, axis=2)] * 2, axis=1))


def test_prepared_inputs_are_made_of_photos_which_are_the_truth() -> None:
    from gan_runtime.images.prepare import PREPARATIONS

    photo = noise(12, 16)
    sketch = PREPARATIONS["sketch"](photo)
    grey_model = model(lambda grey: 255 - grey.repeat(3, axis=2), channels=1)
    made = result(Transform(grey_model, Settings(prepare="sketch")), png(photo))
    np.testing.assert_array_equal(made.colours, 255 - sketch.repeat(3, axis=2))
    compared = result(Transform(grey_model, Settings(prepare="sketch", compare=True)), png(photo))
    shown = [sketch.repeat(3, axis=2), 255 - sketch.repeat(3, axis=2), photo]
    np.testing.assert_array_equal(compared.colours, np.concatenate(shown, axis=1))


def test_inputs_of_transparent_photos_are_made_as_in_training() -> None:
    alpha = np.linspace(0, 255, 28 * 28).reshape(28, 28).astype(np.uint8)
    options, content = PictureOptions(size=28), png(np.dstack([noise(28, 28), alpha]))
    transform = Transform(model(lambda picture: picture), Settings(prepare="blur", reading=options))
    made = result(transform, content)
    np.testing.assert_array_equal(made.colours, PREPARATIONS["blur"](decoder(options)(content)))
    np.testing.assert_array_equal(made.alpha, alpha)


def test_pictures_are_resized_first() -> None:
    seen = []

    def watched(picture: Any) -> Any:
        seen.append(picture.shape)
        return picture

    pixels = np.full((40, 90, 4), 200, np.uint8)
    pixels[..., 3] = 255
    pixels[:, 45:] = (0, 0, 0, 0)  # black must not bleed into what is visible
    transform = Transform(model(watched), Settings(size=20))
    made = result(transform, png(pixels))
    assert seen == [(20, 45, 3)]
    assert made.alpha is not None
    assert (made.colours[made.alpha > 32] >= 198).all()
    written(Transform(model(watched), Settings(size=20)), png(noise(7, 3)))
    assert seen[1] == (47, 20, 3)
    compared = Transform(model(watched), Settings(size=20, compare=True))
    assert result(compared, png(noise(40, 90)), png(noise(40, 90))).size == (20, 3 * 45)
    with pytest.raises(InputError, match="would have more than 200,000,000 pixels"):
        written(Transform(model(watched), Settings(size=2000)), png(noise(100, 1)))


def test_inputs_of_a_grey_model_are_prepared_from_grey_pictures() -> None:
    from gan_runtime.images.prepare import PREPARATIONS

    grey = np.asarray(Image.fromarray(noise(12, 16)).convert("L"))[..., None]
    transform = Transform(model(lambda picture: picture, channels=1, gives=1), Settings(prepare="blur"))
    made = result(transform, png(noise(12, 16)))
    np.testing.assert_array_equal(made.colours, PREPARATIONS["blur"](grey).repeat(3, axis=2))


def test_settings_that_do_not_fit_the_model_are_refused() -> None:
    with pytest.raises(InputError, match="--prepare outline: choose one of sketch"):
        Transform(model(invert), Settings(prepare="outline"))
    with pytest.raises(InputError, match=r"--prepare sketch: makes 1 channel; x\.onnx takes 3"):
        Transform(model(invert), Settings(prepare="sketch"))
    with pytest.raises(InputError, match=r"x\.onnx: takes images of 4 channels"):
        Transform(model(invert, channels=4), Settings())
    with pytest.raises(InputError, match=r"--tile: .* takes pictures of one size"):
        Transform(model(invert, side=8), Settings(tile=4))
    with pytest.raises(InputError, match=r"7 x 9 pixels; x\.onnx takes 8 x 8 alone"):
        written(Transform(model(invert, side=8), Settings()), png(noise(9, 7)))


def test_animations_are_run_frame_by_frame() -> None:
    frames = [Image.new("RGB", (6, 4), (50 * i, 10, 200)) for i in range(5)]
    content = saved(frames[0], "gif", save_all=True, append_images=frames[1:], duration=[30, 90, 20, 50, 70], loop=0)
    steps: list[tuple[int, int]] = []
    settings = Settings(Encoding(".webp"))
    output, made = written(Transform(model(invert), settings), content, done=lambda part, of: steps.append((part, of)))
    assert (made.frames, made.in_tiles) == (5, False)
    assert steps == [(i + 1, 5) for i in range(5)]
    shown = list(READ.frames(output))
    assert [duration for _, duration in shown] == [30, 90, 20, 50, 70]
    for i, (picture, _) in enumerate(shown):
        assert (picture.colours == (255 - 50 * i, 245, 55)).all()
    with pytest.raises(InputError, match=r"is an animation; \.jpg holds one picture"):
        written(Transform(model(invert), Settings(Encoding(".jpg"))), content)
    with pytest.raises(InputError, match="is an animation, and has no truth"):
        written(Transform(model(invert), Settings(compare=True)), content, png(noise(4, 6)))


def test_an_animation_that_cannot_be_used_stops_no_other() -> None:
    frames = [Image.new("RGB", (6, 4), (50 * i, 10, 200)) for i in range(5)]
    content = saved(frames[0], "png", save_all=True, append_images=frames[1:])
    transform = Transform(model(invert), Settings())
    with pytest.raises(DataError, match="damaged"):
        written(transform, content[:-60])
    assert written(transform, content)[1].frames == 5


def test_stopping_ends_before_the_next_tile() -> None:
    begun = 0

    def slow(picture: Any) -> Any:
        nonlocal begun
        begun += 1
        transform.stop()
        return picture

    transform = Transform(model(slow), Settings(tile=4))
    with pytest.raises(Stopped):
        written(transform, png(noise(40, 40)))
    assert begun == 1
    with pytest.raises(Stopped):
        written(transform, png(noise(2, 2)))
    assert begun == 1


def test_results_come_in_order_and_failures_drop_what_has_not_begun() -> None:
    assert list(in_order(lambda i: time.sleep(0.01 * (i % 3)) or i, range(20), 4)) == list(range(20))
    for error, stops in ((ValueError, False), (KeyboardInterrupt, True)):
        begun, stopped = [], threading.Event()

        def work(i: int) -> int:
            begun.append(i)  # noqa: B023
            if i == 3:
                raise error(i)  # noqa: B023
            return i

        with pytest.raises(error, match="3"):
            list(in_order(work, range(1000), 2, stopped.set))
        assert len(begun) <= 8
        assert stopped.is_set() == stops


def test_items_are_taken_as_they_are_needed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for i in range(100):
            taken.append(i)
            yield i

    results = in_order(lambda i: i, items(), 2)
    assert next(results) == 0
    assert len(taken) <= 4
    results.close()


def test_a_budget_bounds_what_is_in_memory() -> None:
    budget, used, most = Budget(10), 0, 0
    lock = threading.Lock()

    def work(amount: int) -> None:
        nonlocal used, most
        with budget.taken(amount):
            with lock:
                used += amount
                most = max(most, used if amount <= 10 else 0)
                assert amount <= 10 or used == amount
            time.sleep(0.002)
            with lock:
                used -= amount

    list(in_order(work, [3, 4, 9, 25, 2, 2, 2, 8, 30, 1] * 4, 6))
    assert 0 < most <= 10


def test_memory_that_is_not_there_is_the_pictures_fault() -> None:
    def large(picture: Any) -> Any:
        raise MemoryError

    with pytest.raises(DataError, match="needs more memory than there is"):
        written(Transform(model(large), Settings()), png(noise(2, 2)))


def test_outputs_are_named_like_inputs() -> None:
    for name in ("a.jpg", "sub/b.PNG", "sub/c.tar.gz.webp", "d.gif", "d.png"):
        path = Path("in", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    with open_inputs(["in"]) as inputs:
        names = output_names(inputs.files, ".png")
    assert names == ["a.png", "d.gif.png", "d.png.png", "sub/b.png", "sub/c.tar.gz.png"]
    with open_inputs(["in/a.jpg", "in/d.gif"]) as inputs:
        assert output_names(inputs.files, ".jpg") == ["a.jpg", "d.jpg"]
    Path("a.jpg").write_bytes(b"x")
    with open_inputs(["in/a.jpg", "a.jpg"]) as inputs, pytest.raises(OutputError, match=r"would both become a\.jpg"):
        output_names(inputs.files, ".png")


def test_places() -> None:
    Path("there").mkdir()
    assert place_of("out/", ["a", "b"], None).suffix == ".png"
    assert place_of("there", ["a.png"], "webp").is_folder
    assert place_of("new", ["there"], None).is_folder
    assert place_of("new", ["a.png", "b.png"], None).is_folder
    assert place_of("x.JPG", ["a.png"], None).suffix == ".jpg"
    assert place_of("-", ["-"], "jpg").suffix == ".jpg"
    for output, sources, chosen, words in (
        ("x.png", ["a", "b"], None, "several pictures need a folder"),
        ("x.png", ["there"], None, "several pictures need a folder"),
        ("x.bmp", ["a"], None, "unknown kind of output; end it in .png"),
        ("x", ["a"], None, "unknown kind of output"),
        ("x.png", ["a"], "jpg", "--format: the name of x.png says its format"),
        ("out/", ["a"], "bmp", "--format bmp: choose one of png, jpg"),
        ("out/", ["-"], None, "has no name"),
        ("x.png", [], None, "name the pictures and then the output"),
    ):
        with pytest.raises((InputError, OutputError), match=words):
            place_of(output, sources, chosen)


def test_inputs_and_outputs_are_kept_apart() -> None:
    Path("in/sub").mkdir(parents=True)
    Path("in/a.png").write_bytes(b"x")
    Path("link.png").symlink_to("in/a.png")
    Path("hard.png").hardlink_to("in/a.png")
    check_apart("out/", ["in"])
    check_apart("in.png", ["in/a.png"])
    check_apart("-", ["in/a.png"])
    for output, source, words in (
        ("in/a.png", "in/a.png", "is also the input"),
        ("link.png", "in/a.png", "is also the input"),
        ("hard.png", "in/a.png", "is also the input"),
        ("in", "in/", "is also the input"),
        ("in/out/", "in", "is inside the input folder in,"),
        ("in/sub/", "./in", "is inside the input folder ./in"),
        ("in/", "in/a.png", "contains the input in/a.png"),
        (".", "in", "contains the input in"),
    ):
        with pytest.raises(OutputError, match=words):
            check_apart(output, [source])


def test_encoding_and_decoding_are_hidden_behind_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one thread for the model, a picture costs the time of the model alone, not the sum."""
    run, encode, count = 0.03, 0.02, 12
    honest = Encoding.write

    def slow_model(picture: Any) -> Any:
        time.sleep(run)
        return invert(picture)

    def slow_encoding(self: Encoding, file: Any, picture: Banded, exif: bytes) -> None:
        taken = Banded(picture.height, picture.width, picture.channels, list(picture.bands))
        time.sleep(encode)
        honest(self, file, taken, exif)

    monkeypatch.setattr(Encoding, "write", slow_encoding)
    transform = Transform(model(slow_model, threads=1), Settings())
    began = time.perf_counter()
    list(in_order(lambda _: written(transform, png(noise(4, 4))), range(count), transform.workers))
    assert count * run < time.perf_counter() - began < count * (run + encode) * 0.85
