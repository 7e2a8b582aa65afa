"""Pictures that are written in bands of rows: what Pillow reads is what was written."""

import io
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image

from gan_runtime.devices.memory import available_memory, resident_memory
from gan_runtime.errors import InputError
from gan_runtime.images import tiff_writing
from gan_runtime.images.bands import Banded
from gan_runtime.images.png_writing import write_png
from gan_runtime.images.tiff_writing import write_tiff
from gan_runtime.images.writing import Encoding
from gan_runtime.manifest import Tiling
from gan_runtime.outputs.prefetch import prefetch
from gan_runtime.tiling import bands_in_tiles

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
SIZES = [(1, 1), (7, 5), (64, 300), (2500, 130)]
Write = Callable[[BinaryIO, Banded], None]


def noise(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def in_bands(pixels: np.ndarray, cuts: int = 4) -> Banded:
    """A picture in bands of uneven heights, some of them empty."""
    rows = sorted(np.random.default_rng(1).integers(0, len(pixels) + 1, cuts).tolist())
    return Banded(*pixels.shape, iter(np.split(pixels, rows)))


def read(content: bytes) -> Any:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image


@pytest.mark.parametrize("write", [write_png, write_tiff])
@pytest.mark.parametrize("channels", MODES)
@pytest.mark.parametrize("size", SIZES)
def test_what_pillow_reads_is_what_was_written(write: Write, channels: int, size: tuple[int, int]) -> None:
    smooth = np.cumsum(noise(*size, channels) // 64, axis=1, dtype=np.uint8)
    for pixels in (noise(*size, channels), smooth, np.full((*size, channels), 200, np.uint8)):
        file = io.BytesIO()
        write(file, in_bands(pixels))
        image = read(file.getvalue())
        assert image.mode == MODES[channels]
        np.testing.assert_array_equal(np.asarray(image).reshape(*size, channels), pixels)


def test_a_large_tiff_has_offsets_of_64_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, kinds = noise(2500, 700, 3), []
    for most in (tiff_writing.MOST_BYTES, 0):
        monkeypatch.setattr(tiff_writing, "MOST_BYTES", most)
        file = io.BytesIO()
        write_tiff(file, in_bands(pixels))
        kinds.append(file.getvalue()[:4])
        np.testing.assert_array_equal(np.asarray(read(file.getvalue())), pixels)
    assert kinds == [b"II*\0", b"II+\0"]


def test_bands_are_taken_as_they_are_written() -> None:
    taken = 0

    class Sink(io.BytesIO):
        most = 0

        def write(self, content: Any) -> int:
            self.most = max(self.most, len(content))
            return super().write(content)

    def bands() -> Any:
        nonlocal taken
        for _ in range(40):
            taken += 1
            yield noise(64, 500, 3)

    for write in (write_png, write_tiff):
        sink, taken = Sink(), 0
        write(sink, Banded(40 * 64, 500, 3, bands()))
        assert taken == 40
        assert sink.most < 40 * 64 * 500 * 3 / 3


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
@pytest.mark.parametrize("channels", MODES)
def test_every_format_takes_bands(suffix: str, channels: int) -> None:
    pixels = noise(90, 70, channels)
    whole, parts = io.BytesIO(), io.BytesIO()
    Encoding(suffix).write(whole, Banded(90, 70, channels, [pixels]))
    Encoding(suffix).write(parts, in_bands(pixels))
    assert whole.getvalue() == parts.getvalue()
    if suffix == ".jpg":
        assert read(parts.getvalue()).mode == MODES[channels - (channels % 2 == 0)]


def test_what_a_format_cannot_hold_is_refused_before_the_work() -> None:
    Encoding(".png").check(70_000, 70_000)
    for suffix, side, words in (
        (".webp", 16_384, "WEBP has at most 16,383"),
        (".jpg", 65_501, "JPEG has at most 65,500"),
    ):
        with pytest.raises(InputError, match=words):
            Encoding(suffix).check(1, side)


def test_what_does_not_fit_into_memory_is_refused_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_runtime.images.writing.available_memory", lambda: 10**9)
    Encoding(".png").check(20_000, 20_000)
    with pytest.raises(InputError, match=r"20000 x 20000 pixels need 1\.6 GB of memory as JPEG, and 1\.0 GB are free"):
        Encoding(".jpg").check(20_000, 20_000)


def test_the_memory_of_a_container_counts(tmp_path: Any) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    5000 kB\n")
    assert available_memory(tmp_path) == 5000 * 1024
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("3000000\n")
    (group / "memory.stat").write_text("anon 5\ninactive_file 500000\n")
    assert available_memory(tmp_path) == 5000 * 1024
    (group / "memory.max").write_text("4000000\n")
    assert available_memory(tmp_path) == 1_500_000
    assert available_memory(tmp_path / "nowhere") is None
    assert resident_memory(tmp_path) is None


def test_bands_come_as_soon_as_their_tiles_are_done() -> None:
    begun = 0

    def run(tile: np.ndarray) -> np.ndarray:
        nonlocal begun
        begun += 1
        return tile

    pixels = noise(100, 100, 3)
    bands = bands_in_tiles(pixels, run, 30, Tiling(context=2))
    first = next(bands)
    assert begun == 4
    np.testing.assert_array_equal(np.concatenate([first, *bands]), pixels)


def test_an_interruption_stops_what_is_computed_ahead() -> None:
    stopped = threading.Event()

    def source() -> Iterator[int]:
        yield 1
        stopped.wait(60)

    items = prefetch(source(), 1, stopped.set)
    assert next(items) == 1
    with pytest.raises(KeyboardInterrupt):
        items.throw(KeyboardInterrupt)
    assert stopped.is_set()
