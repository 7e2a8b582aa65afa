"""Photos of mixed sizes: decoded once, read from the cache, and what is refused."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from formulas import textured
from PIL import Image

from gan_runtime.data.photos import Photos, load_photos
from gan_runtime.data.split import split_by_content
from gan_runtime.errors import DataError, InputError
from gan_runtime.images.options import PictureOptions

RGB, SKIP = PictureOptions(), PictureOptions(skip_bad=True)
SIZES = {"a.png": (9, 7), "b.png": (4, 31), "c.png": (12, 12)}


@pytest.fixture(autouse=True)
def _fast_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are settled at once."""
    monkeypatch.setattr("gan_runtime.data.entries.TICK", -(10**12))


def fill() -> Path:
    Path("photos").mkdir(exist_ok=True)
    for name, size in SIZES.items():
        Image.fromarray(textured(*size, 3)).save(Path("photos") / name)
    return Path("photos")


def check(photos: Photos, *names: str) -> None:
    assert photos.names == names
    assert len(photos.images) == len(photos.labels) == len(photos.content) == len(names)
    for image, name in zip(photos.images, names, strict=True):
        assert (image == textured(*SIZES[name], 3)).all()


def test_photos_keep_their_sizes_and_are_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_photos(fill(), RGB, quiet=True)
    check(first, "a.png", "b.png", "c.png")
    assert (first.name, first.largest) == ("photos", (12, 31, 3))
    monkeypatch.setattr("gan_runtime.data.photos._Decoding.of", None)  # decoding again would fail
    again = load_photos(Path("photos"), RGB, quiet=True)
    check(again, "a.png", "b.png", "c.png")
    assert again.digest == first.digest
    assert isinstance(again.images[1].base, np.memmap)


def test_archives_grey_and_memory_alone_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill()
    with zipfile.ZipFile("photos.zip", "w") as archive:
        for name in SIZES:
            archive.write(folder / name, name)
    whole = load_photos(folder, RGB, quiet=True)
    assert load_photos(Path("photos.zip"), RGB, quiet=True).digest == whole.digest
    monkeypatch.setattr("gan_runtime.data.photos.cache_folder", lambda: None)
    check(load_photos(folder, RGB, quiet=True), "a.png", "b.png", "c.png")
    grey = load_photos(folder, PictureOptions(mode="L"), quiet=True)
    assert [image.shape for image in grey.images] == [(*size, 1) for size in SIZES.values()]
    assert grey.digest != whole.digest


def test_bad_pictures_are_named_or_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    folder = fill()
    content = (folder / "b.png").read_bytes()
    (folder / "b.png").write_bytes(content[: len(content) // 2])  # its header is intact
    (folder / "a2.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"photos: 2 of 4 pictures cannot be used: .*a2\.png.*--skip-bad"):
        load_photos(folder, RGB, quiet=True)
    check(load_photos(folder, SKIP), "a.png", "c.png")
    assert "2 of 4 pictures skipped" in capsys.readouterr().err
    check(load_photos(folder, SKIP, quiet=True), "a.png", "c.png")  # from the cache


def test_other_files_give_other_photos() -> None:
    before = load_photos(fill(), RGB, quiet=True)
    Image.fromarray(textured(9, 7, 3)[::-1]).save("photos/a.png")
    after = load_photos(Path("photos"), RGB, quiet=True)
    assert after.digest != before.digest
    assert (after.images[0] == textured(9, 7, 3)[::-1]).all()


def test_a_damaged_entry_is_made_anew() -> None:
    load_photos(fill(), RGB, quiet=True)
    (pixels,) = Path("cache/gan-edge/decoded").glob("*/images.u8")
    pixels.write_bytes(b"\x01" + pixels.read_bytes()[1:])
    check(load_photos(Path("photos"), RGB, quiet=True), "a.png", "b.png", "c.png")


def test_transparent_and_turned_photos_are_seen_as_shown() -> None:
    Path("photos").mkdir()
    pixels = np.dstack([textured(6, 8, 3), np.zeros((6, 8), np.uint8)])
    Image.fromarray(pixels).save("photos/clear.png")
    turned = Image.fromarray(textured(6, 8, 3))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save("photos/turned.png", exif=exif)
    photos = load_photos(Path("photos"), RGB, quiet=True)
    assert (photos.images[0] == 255).all()
    assert (photos.images[1] == np.rot90(textured(6, 8, 3), -1)).all()


def test_photos_are_held_out_by_content() -> None:
    folder = fill()
    Image.fromarray(textured(9, 7, 3)).save(folder / "z.bmp")  # the pixels of a.png
    photos = load_photos(folder, RGB, quiet=True)
    parts = split_by_content(photos, 0.3)
    assert sorted([*parts.train, *parts.held_out]) == [0, 1, 2, 3]
    assert parts.repeated == 1
    assert (0 in parts.held_out) == (3 in parts.held_out)


def test_what_is_no_folder_of_photos_is_refused() -> None:
    Path("photos").mkdir()
    Path("photos/notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"photos: has no picture that can be used: .*1 other file ignored"):
        load_photos(Path("photos"), RGB, quiet=True)
    with pytest.raises(InputError, match="--labels folders: photos have no classes"):
        load_photos(Path("photos"), PictureOptions(labels="folders"), quiet=True)
