"""Translators and upscalers in Python: arrays and images of Pillow, tiles, and files that are refused."""

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import Result
from PIL import Image
from translators import translator
from upscalers import enlarged, upscaler

import gan_runtime
from gan_runtime import Translator, Upscaler
from gan_runtime.errors import InputError, ModelError
from gan_runtime.evaluation.fingerprint import PIXELS, source_images, spread
from gan_runtime.manifest import Fingerprint, ImageAxes, Tiling

Call = Callable[..., Result]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def opened(scale: int = 2, channels: int = 3, **about: Any) -> Upscaler:
    return Upscaler.load(upscaler("x.onnx", scale, channels, **about), "cpu", 2)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_become_scale_times_as_large(scale: int, channels: int) -> None:
    with opened(scale, channels) as up:
        assert up.scale == up.manifest.scale == scale
        for size in [(1, 1), (1, 9), (13, 7), (40, 65)]:
            images = noise(5, *size, channels)
            np.testing.assert_array_equal(up(images), enlarged(images, scale))
            np.testing.assert_array_equal(up.upscale(images[0]), enlarged(images, scale)[0])


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_tiles_give_the_bytes_of_the_whole(scale: int) -> None:
    with opened(scale) as up:
        for size in [(1, 90), (37, 50), (64, 31)]:
            picture = noise(*size, 3)
            expected = enlarged(picture[None], scale)[0]
            for tile in (0, 3, 16, 17, 64):
                np.testing.assert_array_equal(up.upscale(picture, tile), expected)
            np.testing.assert_array_equal(up(np.stack([picture, picture]), tile=16)[1], expected)


@pytest.mark.parametrize("many", [False, True])
def test_it_has_as_many_threads_as_it_is_asked_for(many: bool) -> None:
    with Upscaler.load(upscaler("x.onnx", 2, 3), "cpu", 2, many=many) as up:
        other = up.with_threads(3)
        assert (up.threads, other.threads, other.session.threads, other == up) == (2, 3, 1 if many else 3, True)
        np.testing.assert_array_equal(other(noise(4, 9, 8, 3)), up(noise(4, 9, 8, 3)))


def test_what_is_done_is_reported_after_each_tile() -> None:
    calls: list[tuple[int, int]] = []
    opened().upscale(noise(20, 30, 3), tile=12, done=lambda *parts: calls.append(parts))
    assert calls == [(i, 6) for i in range(1, 7)]


def test_a_tile_below_the_least_is_refused() -> None:
    with opened() as up, pytest.raises(InputError, match="tile 2: too small for this network, which needs at least 3"):
        up.upscale(noise(20, 30, 3), tile=2)


def test_upscalers_have_smaller_windows_than_translators() -> None:
    with opened(4) as up, opened(1) as same:
        assert up.window is not None
        assert same.window is not None
        assert up.window < same.window


def test_a_large_context_makes_the_window_larger() -> None:
    with opened(network=Tiling(context=400)) as up:
        assert up.window is not None
        assert up.window > 800


@pytest.mark.parametrize("network", [Tiling(context=700), Tiling(256, 256, 511), Tiling(256, 256, None)])
def test_the_whole_is_run_at_once_however_far_the_network_sees(network: Tiling) -> None:
    with opened(network=network) as up:
        for size in [(1, 1), (30, 20), (300, 500)]:
            picture = noise(*size, 3)
            for found in (up.upscale(picture, 0), up.upscale(picture), up(picture[None])[0]):
                np.testing.assert_array_equal(found, enlarged(picture[None], 2)[0])


def test_load_opens_upscalers() -> None:
    up = gan_runtime.load(upscaler("x.onnx"), "cpu")
    assert isinstance(up, gan_runtime.Upscaler)
    assert pickle.loads(pickle.dumps(up)) == up


def test_files_of_the_other_task_are_refused_with_a_way_out() -> None:
    with pytest.raises(ModelError, match="'translate', not 'upscale'; run it with gan-translate"):
        Upscaler.load(translator("x.onnx"))
    with pytest.raises(ModelError, match="'upscale', not 'translate'; run it with gan-upscale"):
        Translator.load(upscaler("x.onnx"))


def test_a_graph_with_another_scale_than_the_manifests_is_refused() -> None:
    with opened(2, gives=3) as up, pytest.raises(ModelError, match=r"gives \[1, 12, 15, 3\] where \[1, 8, 10, 3\]"):
        up(noise(1, 4, 5, 3))


def test_images_that_do_not_fit_are_refused() -> None:
    with opened() as up:
        for wrong in (noise(1, 4, 4, 1), noise(4, 4, 3), noise(1, 4, 4, 3).astype(float), noise(0, 4, 4, 3), [[1]]):
            with pytest.raises(InputError, match="takes"):
                up(wrong)  # type: ignore[type-var]
        with pytest.raises(InputError, match="takes"):
            up.upscale([[1]])  # type: ignore[type-var]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_images_of_pillow_are_enlarged_with_their_alpha(mode: str) -> None:
    channels = len(mode)
    pixels = noise(6, 9, channels).clip(1, None)  # none is fully transparent
    picture = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    assert picture.mode == mode
    with opened(3, 1 if mode[0] == "L" else 3) as up:
        for found in (up(picture), up.upscale(picture, tile=0)):
            assert isinstance(found, Image.Image)
            assert (found.mode, found.size) == (mode, (27, 18))
            values = np.asarray(found).reshape(18, 27, channels)
            colours = channels - mode.endswith("A")
            np.testing.assert_array_equal(values[..., :colours], enlarged(pixels[None, ..., :colours], 3)[0])
            if mode.endswith("A"):
                alpha = Image.fromarray(pixels[..., -1]).resize((27, 18), Image.Resampling.BICUBIC)
                np.testing.assert_array_equal(values[..., -1], np.asarray(alpha))


def test_images_of_pillow_are_converted_to_what_the_file_takes() -> None:
    pixels = noise(6, 9, 3)
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    with opened(2, 1) as up:
        np.testing.assert_array_equal(
            np.asarray(up(Image.fromarray(pixels))), enlarged(grey[None, ..., None], 2)[0, ..., 0]
        )
    with opened(2, 3) as up:
        found = np.asarray(up(Image.fromarray(grey)))
        np.testing.assert_array_equal(found, enlarged(grey[None, ..., None], 2)[0, ..., 0])
        deep = Image.fromarray(grey.astype(np.uint16) * 257)
        np.testing.assert_array_equal(np.asarray(up(deep)), found)


def test_images_of_pillow_are_turned_upright() -> None:
    pixels = noise(6, 9, 3)
    picture = Image.fromarray(pixels)
    picture.getexif()[0x0112] = 6
    with opened() as up:
        turned = np.rot90(pixels, -1)[None]
        np.testing.assert_array_equal(np.asarray(up(picture)), enlarged(np.ascontiguousarray(turned), 2)[0])


def test_translators_take_images_of_pillow() -> None:
    pixels = noise(6, 9, 4)
    with Translator.load(translator("x.onnx"), "cpu") as invert:
        found = np.asarray(invert(Image.fromarray(pixels)))
        np.testing.assert_array_equal(found, np.asarray(invert.translate(Image.fromarray(pixels))))
    visible = pixels[..., 3] > 0
    np.testing.assert_array_equal(found[..., 3], pixels[..., 3])
    np.testing.assert_array_equal(found[visible, :3], 255 - pixels[visible, :3])


@pytest.mark.parametrize("channels", [1, 3])
def test_info_describes_and_checks_upscalers(call: Call, channels: int) -> None:
    seen = enlarged(source_images(ImageAxes(None, None, channels), 2), 4)
    good = Fingerprint(0, 2, spread(seen, PIXELS).tobytes())
    path = upscaler("good.onnx", 4, channels, fingerprint=good)
    report = json.loads(call("gan-info", path, "--check", "--json").out)
    assert report["gives"] == f"images, any x any x {channels}"
    assert (report["scale"], report["channel_order"]) == (4, "L" if channels == 1 else "RGB")
    assert report["network"]["context"] == "1 pixels"
    assert report["fingerprint"] == "3072 pixels of 2 images"
    assert report["check"]["largest_difference"] == 0
    other = upscaler("other.onnx", 4, channels, fingerprint=replace(good, pixels=good.pixels[::-1]))
    done = call("gan-info", other, "--check")
    assert done.code == 1
    assert "OTHER PICTURES" in done.out
