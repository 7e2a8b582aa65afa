"""Which library compresses: the pixels are the same with both, and levels mean the same."""

import io
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers import Result
from PIL import Image

from gan_runtime.images import deflate
from gan_runtime.images.bands import banded
from gan_runtime.images.png_writing import LARGE, png_files, write_png
from gan_runtime.outputs.whole import is_png

zlib_ng = pytest.importorskip("zlib_ng.zlib_ng", reason="zlib-ng is not installed: pip install 'gan-edge[fast]'")


@pytest.fixture(params=["zlib", "zlib-ng"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(deflate, "_zlib_ng", lambda: None if request.param == "zlib" else zlib_ng)
    return str(request.param)


@pytest.fixture
def pictures() -> np.ndarray:
    """Smooth images with a little noise, uint8 [4, 48, 48, 3]."""
    waves = np.sin(np.arange(48) / 7)[:, None, None] * np.cos(np.arange(48) / 5)[None, :, None] * [90, 70, 50]
    noise = np.random.default_rng(0).integers(-6, 7, (4, 48, 48, 3))
    return np.clip(128 + waves + noise, 0, 255).astype(np.uint8)


def opened(file: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_the_same_and_sizes_near_those_of_zlib(
    level: int, channels: int, library: str, pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = pictures[..., :channels]
    files = list(png_files(images, level))
    for file, image in zip(files, images, strict=True):
        assert is_png(file, image.shape)
        np.testing.assert_array_equal(opened(file).reshape(image.shape), image)
    monkeypatch.setattr(deflate, "_zlib_ng", lambda: None)
    plain = list(png_files(images, level))
    assert sum(map(len, files)) <= 1.03 * sum(map(len, plain))
    assert (library != "zlib" and level) or files == plain


@pytest.mark.parametrize("side", [40, 700])
def test_large_pictures_are_the_same(side: int, library: str) -> None:
    picture = np.random.default_rng(0).integers(0, 4, (side, side, 3), np.uint8)
    file = io.BytesIO()
    write_png(file, banded(picture), level=1)
    np.testing.assert_array_equal(opened(file.getvalue()), picture)
    assert (picture.nbytes > LARGE) == (side == 700)


def test_small_images_get_fixed_codes_and_others_their_own() -> None:
    assert deflate.compressor_for(1, 28 * 29) == (zlib_ng, 1)
    assert deflate.compressor_for(1, 32 * 97) == (zlib_ng, 2)
    assert deflate.compressor_for(6, 28 * 29) == (zlib_ng, 6)
    assert deflate.compressor_for(0, 28 * 29) == (zlib, 0)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(__import__("sys").modules, "zlib_ng", None)  # its import fails
    deflate._zlib_ng.cache_clear()
    yield
    deflate._zlib_ng.cache_clear()


@pytest.mark.usefixtures("without")
def test_without_it_the_standard_library_compresses() -> None:
    assert deflate.compressor_for(1, 28 * 29) == (zlib, 1)
    assert deflate.compressor_name() == f"zlib {zlib.ZLIB_RUNTIME_VERSION}"


def test_commands_say_which_library_compressed(call: Callable[..., Result], conditional_model: Path) -> None:
    name = f"zlib-ng {zlib_ng.ZLIBNG_RUNTIME_VERSION}"
    sample = ("--n", 3, "--model", conditional_model, "--device", "cpu", "--json")
    assert json.loads(call("gan-sample", "out/", *sample).out)["compressed_by"] == name
    stored = call("gan-sample", "stored/", "--compression", 0, *sample)
    assert json.loads(stored.out)["compressed_by"].startswith("zlib 1.")
    assert "compressed_by" not in json.loads(call("gan-sample", "out.npy", *sample).out)
    assert f"compression: {name}\n" in " ".join(call("gan-info", "--doctor").out.replace("  ", "").split("\t"))
