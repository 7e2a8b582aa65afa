"""Folders and archives of pictures, decoded to arrays."""

import io
import json
import os
import re
import stat
import struct
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from bad_pictures import bomb_png, make_bad_folder, png
from PIL import Image, ImageDraw

from gan_runtime.data import PictureOptions, load_dataset
from gan_runtime.data.decoded import decoded
from gan_runtime.data.pictures import check_pictures
from gan_runtime.errors import DataError, InputError
from gan_runtime.images.decoding import decoder

EMOJI = Path(__file__).parents[3] / "shared" / "data" / "emoji" / "google-64.zip"
GREY32 = PictureOptions(size=32, mode="L")


def encoded(image: Image.Image, kind: str = "png", **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def one(content: bytes, **options: object) -> np.ndarray:
    return decoder(PictureOptions(**options))(content)


def write_zip(path: Path, entries: dict[str, bytes] | list[tuple[str, bytes]], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in entries.items() if isinstance(entries, dict) else entries:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 77, (77, 77, 77)),
        ("LA", (77, 255), (77, 77, 77)),
        ("P", 0, (0, 0, 0)),
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("I;16", 77 * 257, (77, 77, 77)),
    ],
)
def test_pictures_of_every_mode_become_rgb(mode: str, colour: object, expected: tuple[int, ...]) -> None:
    pixels = one(encoded(Image.new(mode, (50, 40), colour)), size=28)
    assert pixels.shape == (28, 28, 3)
    assert set(map(tuple, pixels.reshape(-1, 3).tolist())) == {expected}


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif", "bmp", "tiff", "ppm"])
def test_formats(kind: str) -> None:
    pixels = one(encoded(Image.new("RGB", (50, 40), (200, 100, 50)), kind), size=28)
    assert np.abs(pixels.astype(int) - (200, 100, 50)).max() <= 4


def test_cmyk_photographs() -> None:
    pixels = one(encoded(Image.new("CMYK", (50, 40), (0, 255, 255, 0)), "jpeg"), size=28)
    assert pixels[0, 0, 0] > 230
    assert pixels[0, 0, 1:].max() < 25


def test_transparency_shows_the_background() -> None:
    half = encoded(Image.new("RGBA", (40, 40), (255, 0, 0, 128)))
    assert one(half, size=28, background="black")[0, 0].tolist() == [128, 0, 0]
    assert one(half, size=28, background="#0000ff")[0, 0].tolist() == [128, 0, 127]
    palette = Image.new("P", (40, 40), 0)
    palette.putpalette([1, 2, 3] * 256)
    assert one(encoded(palette, transparency=0), size=28, background="lime")[0, 0].tolist() == [0, 255, 0]


def test_the_centre_is_kept() -> None:
    image = Image.new("L", (90, 30), 0)
    ImageDraw.Draw(image).rectangle((30, 0, 59, 29), fill=255)
    for turned in (image, image.transpose(Image.Transpose.ROTATE_90)):
        assert one(encoded(turned), size=30, mode="L").min() == 255


def test_resizing_is_antialiased() -> None:
    lines = np.zeros((280, 280), np.uint8)
    lines[:, ::2] = 255
    pixels = one(encoded(Image.fromarray(lines)), size=28, mode="L")
    assert 120 <= pixels.min() <= pixels.max() <= 135


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(one(encoded(Image.fromarray(pixels))), pixels)


def test_photographs_are_turned_upright() -> None:
    image = Image.new("L", (40, 40), 0)
    ImageDraw.Draw(image).rectangle((0, 0, 39, 19), fill=255)  # the upper half
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    pixels = one(encoded(image, "jpeg", exif=exif), size=28, mode="L")
    assert pixels[:10].max() < 10
    assert pixels[-10:].min() > 245


def test_a_large_jpeg_is_not_decoded_in_full() -> None:
    content = encoded(Image.effect_noise((6000, 6000), 60), "jpeg")
    began = time.perf_counter()
    assert abs(one(content, size=64, mode="L").mean() - 128) < 3
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 27}, "size 27"),
        ({"size": 513}, "size 513"),
        ({"mode": "RGBA"}, "mode 'RGBA'"),
        ({"labels": "x"}, "labels 'x'"),
        ({"background": "no"}, "background 'no'"),
        ({"background": "#0008"}, "background '#0008': is transparent itself"),
        ({"background": (0, 0, 0)}, "background (0, 0, 0): not a colour"),
        ({"size": 32.0}, "size 32.0"),
        ({"mode": None}, "mode None"),
        ({"levels": 5}, "levels 5: must be two numbers"),
        ({"levels": (0, 1, 2)}, "levels (0, 1, 2): must be two numbers"),
        ({"max_pixels": 2.5}, "max_pixels 2.5"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        PictureOptions(**options)


def test_a_folder_is_sorted_by_name_and_cached(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    (folder / "b").mkdir(parents=True)
    for i, name in enumerate(["10.png", "9.png", "b/1.PNG", "a.jpe"]):
        (folder / name).write_bytes(png(mode="L", colour=i * 10))
    (folder / "readme.txt").write_text("hello")
    first = load_dataset(str(folder), pictures=GREY32)
    assert first.images.shape == (4, 32, 32, 1)
    assert first.images[:, 0, 0, 0].tolist() == [0, 10, 30, 20]
    assert (first.name, first.split, first.classes, first.labels.tolist()) == ("d", "train", (), [0] * 4)
    assert isinstance(first.images, np.memmap)
    (cached,) = (tmp_path / "cache" / "gan-edge" / "decoded").iterdir()
    before = (cached / "images.u8").stat().st_mtime_ns
    assert load_dataset(str(folder), pictures=GREY32).digest == first.digest
    assert (cached / "images.u8").stat().st_mtime_ns == before
    assert check_pictures(folder, GREY32).ignored == 1


def test_the_cache_is_keyed_by_content_and_options(tmp_path: Path) -> None:
    folder, cache = tmp_path / "d", tmp_path / "cache" / "gan-edge" / "decoded"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.png").write_bytes(png(colour=(name == "a" and "red") or "blue"))
    digests = [load_dataset(str(folder), pictures=options).digest for options in (GREY32, PictureOptions(32))]
    assert len(set(digests)) == len(list(cache.iterdir())) == 2
    (folder / "b.png").write_bytes(png(colour="lime"))
    assert load_dataset(str(folder), pictures=GREY32).digest not in digests
    folder.rename(tmp_path / "moved")
    load_dataset(str(tmp_path / "moved"), pictures=GREY32)
    assert len(list(cache.iterdir())) == 3  # moved, not changed
    load_dataset(str(tmp_path / "moved"), pictures=PictureOptions(32, "L", skip_bad=True))
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("damage", ["cut", "json", "gone"])
def test_a_damaged_cache_is_built_anew(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.png").write_bytes(png(colour="red"))
    digest = load_dataset(str(folder)).digest
    (cached,) = (tmp_path / "cache" / "gan-edge" / "decoded").iterdir()
    if damage == "cut":
        os.truncate(cached / "images.u8", 100)
    elif damage == "json":
        (cached / "about.json").write_text("{")
    else:
        (cached / "about.json").unlink()
    again = load_dataset(str(folder))
    assert again.digest == digest
    assert again.images[0, 0, 0].tolist() == [255, 0, 0]


def test_without_a_cache_pictures_are_decoded_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.png").write_bytes(png(colour="red"))
    digest = load_dataset("d").digest
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load_dataset("d").digest == digest
    assert "cannot be used (Not a directory); pictures are decoded into memory" in capsys.readouterr().err


def test_a_full_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gan_runtime.errors import OutputError

    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.png").write_bytes(png())
    usage = type("Usage", (), {"free": 1000})()
    monkeypatch.setattr("gan_runtime.data.cache.shutil.disk_usage", lambda path: usage)
    with pytest.raises(OutputError, match="XDG_CACHE_HOME to a folder on a larger one"):
        load_dataset("d")


def test_sub_folders_are_classes(tmp_path: Path) -> None:
    for name in ("set/cat/1.png", "set/cat/deep/er.png", "set/ape/1.png"):
        path = tmp_path / "d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png())
    dataset = load_dataset("d", pictures=PictureOptions(labels="folders"))
    assert dataset.classes == ("ape", "cat")
    assert dataset.labels.tolist() == [0, 1, 1]
    assert check_pictures(Path("d"), PictureOptions(labels="folders")).classes == {"ape": 1, "cat": 2}
    (tmp_path / "d" / "set" / "stray.png").write_bytes(png())
    with pytest.raises(DataError, match=r"set/stray\.png lies in no sub-folder beside ape, cat, so it has no class"):
        load_dataset("d", pictures=PictureOptions(labels="folders"))
    (tmp_path / "d" / "stray.png").write_bytes(png())
    with pytest.raises(DataError, match=r"stray\.png lies in no sub-folder"):
        load_dataset("d", pictures=PictureOptions(labels="folders"))


def test_every_bad_file_is_refused_by_name_or_skipped_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reasons = make_bad_folder(tmp_path / "bad")
    report = check_pictures(tmp_path / "bad", GREY32)
    found = {entry.name: entry.reason for entry in report.bad}
    assert found.keys() == reasons.keys()
    assert not [(name, found[name], words) for name, words in reasons.items() if words not in found[name]]
    assert all("\n" not in reason and "0x" not in reason for reason in found.values())
    assert (report.images, report.ignored) == (2, 1)
    with pytest.raises(
        DataError, match=r"bad: 24 of 26 pictures cannot be used: bomb\.png \(20000 x 20000.*and 21 more.*--skip"
    ):
        load_dataset(str(tmp_path / "bad"), pictures=GREY32)
    capsys.readouterr()
    dataset = load_dataset(str(tmp_path / "bad"), pictures=PictureOptions(32, "L", skip_bad=True))
    assert dataset.images[:, 0, 0, 0].tolist() == [76, 142]
    assert "24 of 26 pictures skipped: bomb.png" in capsys.readouterr().err


def test_rows_close_up_over_bad_files_in_the_middle(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    for i in range(3000):
        (folder / f"{i:04d}.png").write_bytes(b"" if i % 3 == 1 else png((1, 1), "L", i % 251))
    dataset = load_dataset("d", pictures=PictureOptions(28, "L", skip_bad=True))
    assert dataset.images[:, 5, 5, 0].tolist() == [i % 251 for i in range(3000) if i % 3 != 1]


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(DataError, match="d: has no picture that can be used: it holds no picture at all"):
        load_dataset("d")
    (tmp_path / "d" / "a.png").touch()
    with pytest.raises(DataError, match=r"d: has no picture that can be used: a\.png \(empty\)"):
        load_dataset("d", pictures=PictureOptions(skip_bad=True))
    write_zip(tmp_path / "e.zip", {"readme.txt": b"x"})
    with pytest.raises(DataError, match=r"e\.zip: has no picture"):
        load_dataset("e.zip")


def test_bad_entries_of_archives(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile("a.zip", "w") as archive:  # a duplicate name
        for name in ("good.png", "good.png", "../up.png", "/root.png", "c\\windows.png", "sub/../up.png"):
            archive.writestr(name, png())
        archive.writestr(link, b"/etc/passwd")
        archive.writestr("lzma.png", png(), zipfile.ZIP_LZMA)
        archive.writestr("bomb.png", bomb_png(30_000, 30_000))
        archive.writestr("__MACOSX/good.png", b"x")
        archive.writestr(".DS_Store", b"x")
        archive.writestr("notes.txt", b"x")
        archive.writestr("folder.png/", b"")
    found = [(entry.name, entry.reason) for entry in check_pictures(Path("a.zip"), GREY32).bad]
    assert sorted(found) == [
        ("../up.png", "its name points out of the archive"),
        ("/root.png", "its name points out of the archive"),
        (
            "bomb.png",
            "30000 x 30000 pixels, more than 200,000,000: a decompression bomb, or a picture that needs a higher "
            "--max-pixels",
        ),
        ("good.png", "occurs twice in the archive"),
        ("link.png", "a link"),
        ("lzma.png", "compressed by method 14 (LZMA); only deflate is read"),
        ("sub/../up.png", "its name points out of the archive"),
    ]
    report = check_pictures(Path("a.zip"), GREY32)
    assert (report.ignored, report.left_out) == (1, {"hidden": 1, "system files": 1})
    assert not (tmp_path / "up.png").exists()


def test_encrypted_and_damaged_entries(tmp_path: Path) -> None:
    content = bytearray(write_zip(tmp_path / "a.zip", {"a.png": png(), "b.png": png()}).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1  # the first entry claims to be encrypted
    second = content.index(b"PK\x03\x04", 10)
    content[second + 45] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(content)
    reasons = [entry.reason for entry in check_pictures(Path("a.zip"), GREY32).bad]
    assert reasons[0] == "encrypted; create the archive without a password"
    assert "Bad CRC-32" in reasons[1]


def test_a_zip_bomb_of_overlapping_entries_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {f"{i}.png": bytes(10**6) for i in range(3)}, compression=zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    at, first = 0, content.index(b"PK\x01\x02")
    while (at := content.find(b"PK\x01\x02", at + 1)) >= 0:
        content[at + 42 : at + 46] = struct.pack("<I", 0)  # every entry is the first one
    assert first
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip: a zip bomb: '0\.png' and '1\.png' overlap"):
        load_dataset("a.zip")


def test_an_entry_that_unpacks_to_hundreds_of_megabytes_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan_runtime.data.entries.MAX_FILE_BYTES", 10**6)
    path = write_zip(tmp_path / "a.zip", {"a.png": bytes(3 * 10**6)}, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 5000
    (bad,) = check_pictures(path, GREY32).bad
    assert "3 MiB or more" in bad.reason
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.png").write_bytes(bytes(3 * 10**6))
    (bad,) = check_pictures(tmp_path / "d", GREY32).bad
    assert "MiB or more" in bad.reason


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 and no more"])
def test_files_that_are_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip: not a \.zip archive, or a damaged one"):
        load_dataset("a.zip")


def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.png")).write_bytes(png())
    Path(os.fsdecode(os.fsencode(folder) + b"/\xfe.png")).write_bytes(b"")
    dataset = load_dataset("d", pictures=PictureOptions(skip_bad=True), quiet=True)
    assert len(dataset.images) == 1


@pytest.mark.parametrize("name", ["\x1b[31m", "a\nb", os.fsdecode(b"\xff")])
def test_classes_have_names_that_a_manifest_can_hold(tmp_path: Path, name: str) -> None:
    for folder in (name, "ape"):
        (tmp_path / "d" / folder).mkdir(parents=True)
        (tmp_path / "d" / folder / "a.png").write_bytes(png())
    with pytest.raises(DataError, match="cannot be the name of a class; rename it"):
        load_dataset("d", pictures=PictureOptions(labels="folders"))


def test_a_class_without_a_usable_picture_is_refused_and_keeps_its_number(tmp_path: Path) -> None:
    for folder, content in (("ape", png()), ("bee", b""), ("cat", png())):
        (tmp_path / "d" / folder).mkdir(parents=True)
        (tmp_path / "d" / folder / "a.png").write_bytes(content)
    options = PictureOptions(labels="folders", skip_bad=True)
    with pytest.raises(DataError, match=r"no picture of bee can be used, and without it .* other numbers"):
        load_dataset("d", pictures=options, quiet=True)
    assert check_pictures(Path("d"), options).classes == {"ape": 1, "bee": 0, "cat": 1}
    (tmp_path / "d" / "bee").rename(tmp_path / "d" / ".bee")
    assert load_dataset("d", pictures=options, quiet=True).classes == ("ape", "cat")


def test_pictures_of_kinds_that_are_not_read_are_not_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my.photos").mkdir()
    for name in ("a.jfif", "b.HEIC", "c.jxl", "notes.txt"):
        (tmp_path / "my.photos" / name).write_bytes(encoded(Image.new("RGB", (40, 40)), "jpeg"))
    with pytest.raises(DataError, match=r"2 of 3 .* b\.HEIC \(HEIC is not read; convert it to PNG or JPEG\)"):
        load_dataset("my.photos")
    assert load_dataset("my.photos", pictures=PictureOptions(skip_bad=True)).name == "my.photos"
    assert "my.photos: 1 other file ignored" in capsys.readouterr().err


def test_leftovers_of_killed_processes_are_removed(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.png").write_bytes(png())
    cache = tmp_path / "cache" / "gan-edge" / "decoded"
    for name, age in ((".new-old", 100_000), (".new-young", 100)):
        (cache / name).mkdir(parents=True)
        os.utime(cache / name, (time.time() - age, time.time() - age))
    load_dataset("d")
    assert sorted(path.name for path in cache.glob(".new-*")) == [".new-young"]


def test_two_at_once_do_no_harm(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    (tmp_path / "d").mkdir()
    for i in range(50):
        (tmp_path / "d" / f"{i:02d}.png").write_bytes(png(mode="L", colour=i))
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: decoded(tmp_path / "d", GREY32), range(4)))
    assert len({result.digest for result in results}) == 1
    assert all(result.images[:, 0, 0, 0].tolist() == list(range(50)) for result in results)
    (folder,) = (tmp_path / "cache" / "gan-edge" / "decoded").iterdir()
    assert json.loads((folder / "about.json").read_text())["shape"] == [50, 32, 32, 1]


@pytest.mark.skipif(not EMOJI.exists(), reason="the emoji archive is not here")
def test_real_emoji() -> None:
    dataset = load_dataset(str(EMOJI))
    assert dataset.images.shape == (3786, 64, 64, 3)
    assert dataset.images[:, 0, 0].min() > 200  # transparent corners are white
