"""Folders and archives as people have them: names of other systems, caches, links, and where classes come from."""

import json
import os
import random
import re
import struct
import unicodedata
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from bad_pictures import png

from gan_runtime.data import PictureOptions, load_dataset
from gan_runtime.data.classes import natural_key
from gan_runtime.data.listing import Listing, open_pictures
from gan_runtime.data.pictures import check_pictures
from gan_runtime.errors import DataError

FOLDERS = PictureOptions(28, labels="folders")
RED, BLUE = png(colour="red"), png(colour="blue")


def fill(folder: str | Path, *names: str, content: bytes = RED) -> Path:
    for name in names:
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Path(folder)


def zipped(path: str, *names: str | bytes, content: bytes = RED, extra: bytes = b"") -> Path:
    """An archive whose entries have exactly these names: text with the UTF-8 flag if it needs it, bytes without."""
    stand_ins = {chr(65 + index) * len(name): name for index, name in enumerate(names) if isinstance(name, bytes)}
    with zipfile.ZipFile(path, "w") as archive:
        for name in [*(name for name in names if isinstance(name, str)), *stand_ins]:
            info = zipfile.ZipInfo("x")
            info.filename, info.extra = name, extra
            archive.writestr(info, content)
    written = Path(path).read_bytes()
    for stand_in, raw in stand_ins.items():
        written = written.replace(stand_in.encode(), raw)
    Path(path).write_bytes(written)
    return Path(path)


def listed(path: Path, follow_links: bool = False) -> Listing:
    with open_pictures(path, follow_links) as listing:
        return listing


def test_backslashes_separate_folders(tmp_path: Path) -> None:
    zipped("win.zip", "photos\\", "photos\\cat\\1.png", "photos\\cat\\2.png", "photos\\dog\\1.png")
    dataset = load_dataset("win.zip", pictures=FOLDERS)
    assert dataset.classes == ("cat", "dog")
    assert dataset.names == ("photos/cat/1.png", "photos/cat/2.png", "photos/dog/1.png")


@pytest.mark.parametrize(
    "name", ["..\\up.png", "C:\\a\\1.png", "c:/1.png", "\\root.png", "\\\\server\\a.png", "a/../b.png"]
)
def test_names_that_lead_out_are_refused_one_by_one(tmp_path: Path, name: str) -> None:
    found = listed(zipped("a.zip", name, "good.png"))
    assert found.names == ("good.png",)
    assert [entry.reason for entry in found.bad] == ["its name points out of the archive"]


def test_a_nul_does_not_hide_the_end_of_a_name() -> None:
    found = listed(zipped("a.zip", b"good.png\0.exe", b"bad\0.png"))
    assert (found.names, len(found.bad), found.ignored) == ((), 1, 1)


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        (["café/ü.png", "naïve/1.png"], "utf-8"),
        ([unicodedata.normalize("NFD", "Ährchen/ö.png")], "utf-8"),
        (["ネコ/表紙.png", "いぬ/1.png"], "cp932"),  # 表 ends in the byte of a backslash
        (["第1組/写真.jpg"], "cp932"),
        (["猫/照片.png", "狗/1.png"], "gb2312"),
        (["Köln/Bär.png", "Möbel/Stühle.png"], "cp437"),
        (["Straße/é.png"], "cp437"),
        (["Óscar/Ávila.png"], "cp850"),
        (["Кошки/x1.png", "Собаки/Фото 2.jpg"], "cp866"),
        (["Деревья/1.png"], "cp866"),
        (["a/1.pn√", "b/2.png"], "cp437"),
    ],
)
def test_names_without_the_utf8_flag_are_read_as_their_maker_wrote_them(names: list[str], encoding: str) -> None:
    assert listed(zipped("a.zip", *(name.encode(encoding) for name in names))).names == tuple(
        sorted(name for name in names if name.endswith("g"))
    )


def test_names_with_the_utf8_flag_or_field_are_utf8() -> None:
    assert listed(zipped("a.zip", "ネコ/1.png")).names == ("ネコ/1.png",)
    raw, name = b"ol\x82.png", "olé①.png".encode()
    field = b"\1" + zlib.crc32(raw).to_bytes(4, "little") + name
    path = zipped("b.zip", raw, extra=struct.pack("<HH", 0x7075, len(field)) + field)
    assert listed(path).names == (name.decode(),)


def test_a_flag_that_lies_is_one_clear_error() -> None:
    path = zipped("a.zip", "é.png")
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xe9\xe9"))
    with pytest.raises(DataError, match=r"a\.zip: not a \.zip archive, or a damaged one: 'utf-8'.*create or download"):
        load_dataset("a.zip")


def test_the_same_name_written_twice_is_one_picture() -> None:
    found = listed(zipped("a.zip", "a/1.png", "a\\1.png", "./a/1.png", "A/1.png"))
    assert found.names == ("A/1.png", "a/1.png")
    assert [(entry.name, entry.reason) for entry in found.bad] == [("a/1.png", "occurs twice in the archive")] * 2
    assert load_dataset("a.zip", pictures=PictureOptions(28, skip_bad=True), quiet=True).names == found.names


@pytest.mark.parametrize("name", ["data.zip", "big.ZIP"])
def test_archives_of_other_kinds_within(tmp_path: Path, name: str) -> None:
    zipped(name, "inner.zip", "readme.txt", content=b"PK")
    with pytest.raises(DataError, match="it holds no picture at all; 2 other files ignored, without the suffix"):
        load_dataset(name)


def test_large_archives_in_zip64(tmp_path: Path) -> None:
    with zipfile.ZipFile("a.zip", "w") as archive, archive.open("cat/1.png", "w", force_zip64=True) as file:
        file.write(RED)
    assert load_dataset("a.zip").images[0, 0, 0].tolist() == [255, 0, 0]


def test_an_entry_that_ends_too_early_is_bad_and_no_traceback() -> None:
    path = zipped("a.zip", "a.png", "b.png")
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\1\2")
    content[at + 10 : at + 12] = struct.pack("<H", 8)  # says that it is deflated
    path.write_bytes(content)
    report = check_pictures(path, PictureOptions(28))
    assert report.images == 1
    assert [entry.reason.startswith("damaged in the archive: ") for entry in report.bad] == [True]


@pytest.mark.parametrize("kind", [".tar", ".tar.gz", ".tgz", ".7z", ".rar", ".TAR.XZ"])
def test_other_archives_get_a_way_out(kind: str) -> None:
    Path(f"photos{kind}").write_bytes(b"Rar!")
    with pytest.raises(
        DataError, match=f"{re.escape(kind.lower())} archives are not read; unpack it and name the folder"
    ):
        load_dataset(f"photos{kind}")


JUNK = [
    "cat/@eaDir/1.jpg/SYNOPHOTO_THUMB_XL.jpg", "cat/SYNOFILE_THUMB_M.jpg", ".thumbnails/a.png", "Thumbs.db",
    "cat/.AppleDouble/1.png", "__MACOSX/cat/._1.png", "cat/._1.png", "cat/.DS_Store", ".Trash-1000/files/a.png",
    "$RECYCLE.BIN/a.png", "#recycle/a.png", "@Recycle/a.png", ".ipynb_checkpoints/a-checkpoint.png", ".git/a.png",
    "lost+found/a.png", ".picasaoriginals/1.png", ".cache/a.png", "desktop.ini",
]  # fmt: skip


@pytest.mark.parametrize("archive", [False, True])
def test_caches_and_thumbnails_are_no_pictures_and_are_counted(
    archive: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [*JUNK, "cat/1.png", "dog/2.PNG", "dog/notes.txt", "dog/scan"]
    source = zipped("d.zip", *names) if archive else fill("d", *names)
    dataset = load_dataset(str(source), pictures=FOLDERS)
    assert (dataset.names, dataset.classes) == (("cat/1.png", "dog/2.PNG"), ("cat", "dog"))
    said = capsys.readouterr().err
    assert f"{source}: 2 other files ignored, without the suffix of a picture" in said
    assert "left out: 9 hidden, 4 server folders, 3 system files, 2 thumbnails" in said
    load_dataset(str(source), pictures=FOLDERS, quiet=True)
    assert capsys.readouterr().err == ""


def test_links_that_stay_inside_are_followed() -> None:
    fill("d", "all/1.png", "all/2.png")
    Path("d/cat").mkdir()
    Path("d/cat/1.png").symlink_to("../all/1.png")
    Path("d/same").symlink_to("all")
    Path("root").symlink_to("d")
    names = ("all/1.png", "all/2.png", "cat/1.png", "same/1.png", "same/2.png")
    assert listed(Path("root")).names == listed(Path("d")).names == names


def hub() -> Path:
    """A data set as Hugging Face's cache keeps it: links to blobs without a suffix."""
    fill("hub/blobs", "sha0", "sha1", "folder/3.png")
    snapshot = Path("hub/snapshots/abc")
    for name, target in {"cat/0.png": "sha0", "dog/1.JPG": "sha1", "eel": "folder"}.items():
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).symlink_to(Path("hub/blobs").resolve() / target)
    return snapshot


def test_links_that_lead_out_are_followed_where_that_is_asked_for() -> None:
    snapshot = hub()
    with pytest.raises(DataError, match=r"3 of 3 .*\(a link that leads out .* --follow-links reads it"):
        load_dataset(str(snapshot))
    followed = PictureOptions(28, labels="folders", follow_links=True)
    dataset = load_dataset(str(snapshot), pictures=followed)
    assert dataset.names == ("cat/0.png", "dog/1.JPG", "eel/3.png")
    assert dataset.classes == ("cat", "dog", "eel")
    plain = fill("plain", *dataset.names)
    assert load_dataset(str(plain), pictures=FOLDERS).digest == dataset.digest


@pytest.mark.parametrize("follow", [False, True])
def test_every_walk_ends(follow: bool) -> None:
    fill("d", "a/1.png", "b/2.png")
    for link, target in {"a/up": "..", "a/b": "../b", "b/a": "../a", "loop": "loop", "lost": "nowhere"}.items():
        (Path("d") / link).symlink_to(target)
    if follow:
        Path("d/out").symlink_to(Path.cwd())  # around the folder itself
    found = listed(Path("d"), follow)
    assert [name for name in found.names if not name.startswith("out")] == [
        "a/1.png",
        "a/b/2.png",
        "b/2.png",
        "b/a/1.png",
    ]
    assert [(entry.name, entry.reason) for entry in found.bad] == [("loop", "a broken link"), ("lost", "a broken link")]
    assert found.left_out["links to a folder around them"] >= 3


def test_classes_are_in_natural_order() -> None:
    fill("d", *(f"{name}/1.png" for name in ("10", "2", "img10", "img2", "1", "01", "b", "B")))
    dataset = load_dataset("d", pictures=FOLDERS)
    assert dataset.classes == ("01", "1", "2", "10", "B", "b", "img2", "img10")
    assert sorted(["x²", "x٣", "x1" + "0" * 5000, "x2"], key=natural_key)[0] == "x2"


def test_class_names_are_composed() -> None:
    """macOS takes é apart; nobody who types the name of a class does."""
    fill("d", unicodedata.normalize("NFD", "café/1.png"), "the/1.png")
    assert load_dataset("d", pictures=FOLDERS).classes == ("café", "the")


def test_classes_with_their_numbers_are_reported(call: object) -> None:
    fill("d", *(f"{number}/{index}.png" for number in range(11) for index in range(2 - number % 2)))
    done = call("gan-data", "d", "--labels", "folders")  # type: ignore[operator]
    assert re.search(r"\n    2: +2, 2 images\n    3: +3, 1 image\n", done.out)
    report = json.loads(call("gan-data", "d", "--labels", "folders", "--json").out)["d"]  # type: ignore[operator]
    assert list(report["classes"]) == list(report["labels"]) == [str(number) for number in range(11)]
    assert report["labels"]["10"] == 10


def test_a_stray_picture_is_named_wherever_it_lies() -> None:
    fill("wrap", "photos/cat/1.png", "photos/dog/1.png", "photos/cover.png", "photos/back.png")
    with pytest.raises(DataError, match=r"photos/back\.png and 1 more lie in no sub-folder beside cat, dog, so it has"):
        load_dataset("wrap", pictures=FOLDERS)
    with pytest.raises(DataError, match=r"1\.png lies in no sub-folder, so it has no class"):
        load_dataset(str(fill("flat", "1.png")), pictures=FOLDERS)
    with pytest.raises(DataError, match="all pictures are in one sub-folder, cat; labels need at least two classes"):
        load_dataset(str(fill("one", "x/cat/1.png", "x/cat/2.png")), pictures=FOLDERS)


def test_a_stray_picture_that_is_bad_can_be_skipped() -> None:
    fill("wrap", "photos/cat/1.png", "photos/dog/1.png", "cover.heic")
    skipping = PictureOptions(28, labels="folders", skip_bad=True)
    assert load_dataset("wrap", pictures=skipping).classes == ("cat", "dog")


def test_a_class_whose_pictures_cannot_even_be_opened_keeps_its_number() -> None:
    fill("d", "ape/1.png", "bee/1.heic", "cat/1.png")
    Path("d/dog").symlink_to("/nowhere")
    skipping = PictureOptions(28, labels="folders", skip_bad=True)
    assert check_pictures(Path("d"), skipping).classes == {"ape": 1, "bee": 0, "cat": 1, "dog": 0}
    with pytest.raises(DataError, match="no picture of bee, dog can be used"):
        load_dataset("d", pictures=skipping)


def test_a_folder_without_pictures_is_no_class_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    fill("d", "ape/1.png", "cat/1.png", "notes/a.txt")
    Path("d/bee").mkdir()
    assert load_dataset("d", pictures=FOLDERS).classes == ("ape", "cat")
    assert "folders without pictures are not classes: bee, notes" in capsys.readouterr().err


@pytest.mark.parametrize("splits", [("train", "test"), ("Training", "Validation"), ("train", "val", "test")])
def test_splits_are_no_classes(splits: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    fill("d", *(f"wrap/{split}/{name}/1.png" for split in splits for name in ("cat", "dog")))
    with pytest.raises(
        DataError, match=rf"{splits[0]}.* are splits of the data, not classes; name one of them: d/wrap/"
    ):
        load_dataset("d", pictures=FOLDERS)
    load_dataset("d")
    said = f"the pictures of {' and '.join(sorted(splits))} are combined; name one of these folders"
    assert said in capsys.readouterr().err
    assert load_dataset(f"d/wrap/{splits[0]}", pictures=FOLDERS).classes == ("cat", "dog")


def test_splits_beside_another_folder_are_no_classes() -> None:
    fill("d", "unlabeled/1.png", "train/1.png", "test/1.png")
    with pytest.raises(
        DataError, match=r"the folders test, train are splits of the data, not classes; name one of them: d/train"
    ):
        load_dataset("d", pictures=FOLDERS)


def test_a_train_among_vehicles_is_a_class(capsys: pytest.CaptureFixture[str]) -> None:
    fill("d", "train/1.png", "bus/1.png")
    assert load_dataset("d", pictures=FOLDERS).classes == ("bus", "train")
    assert capsys.readouterr().err == ""


NAMES = [f"{index // 1000:05d}/img{index:08d}.png" for index in range(0, 3000, 250)]


def stylegan(path: str, document: object, names: list[str] = NAMES, base: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(base + name, RED)
        archive.writestr(f"{base}dataset.json", document if isinstance(document, str) else json.dumps(document))
    return Path(path)


@pytest.mark.parametrize("labels", ["folders", "dataset.json"])
@pytest.mark.parametrize("base", ["", "celeba/"])
def test_classes_of_stylegans_archives_are_those_of_dataset_json(
    labels: str, base: str, capsys: pytest.CaptureFixture[str]
) -> None:
    classes = [(11, 2, 0)[index % 3] for index in range(len(NAMES))]
    path = stylegan("a.zip", {"labels": list(map(list, zip(NAMES, classes, strict=True)))}, base=base)
    dataset = load_dataset(str(path), pictures=PictureOptions(28, labels=labels))
    assert dataset.classes == ("0", "2", "11")
    assert [int(dataset.classes[label]) for label in dataset.labels] == classes
    assert f"the classes are those of {base}dataset.json" in capsys.readouterr().err
    with zipfile.ZipFile(path) as archive:
        archive.extractall("unpacked")
    assert load_dataset("unpacked", pictures=PictureOptions(28, labels=labels)).digest == dataset.digest


def test_other_labels_of_the_same_pictures_are_not_taken_from_a_cache() -> None:
    digests = set()
    for shift in range(3):
        labels = [[name, (index + shift) % 3] for index, name in enumerate(NAMES)]
        dataset = load_dataset(str(stylegan("a.zip", {"labels": labels})), pictures=FOLDERS)
        assert dataset.labels.tolist() == [label for _, label in labels]
        digests.add(dataset.digest)
    assert len(digests) == 3


@pytest.mark.parametrize("document", [{"labels": None}, None])
def test_blocks_of_numbered_pictures_are_no_classes(document: object) -> None:
    fill("ffhq", *(f"{index // 1000 * 1000:05d}/{index:05d}.png" for index in range(0, 3000, 500)))
    paths = ["ffhq", str(stylegan("a.zip", document) if document else zipped("a.zip", *NAMES))]
    for path in paths:
        with pytest.raises(
            DataError, match=r"only number the pictures and are not classes, and .*dataset\.json.* leave out"
        ):
            load_dataset(path, pictures=FOLDERS)
        load_dataset(path)


def test_folders_with_numbers_can_be_classes() -> None:
    fill("d", "00000/img00000000.png", "00001/img00000001.png")
    assert load_dataset("d", pictures=FOLDERS).classes == ("00000", "00001")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", "Expecting property name"),
        ("[" * 100_000, "recursion"),
        ({"labels": {"background": 0}}, "is not"),
        ({"labels": [["00000/img00000000.png", 1.5]]}, "is not"),
        ({"labels": [["00000/img00000000.png", -1]]}, "is not"),
        ({"labels": [["00000/img00000000.png", True]]}, "is not"),
        ({"labels": [["00000/img00000000.png", [0.1, 0.9]]]}, "is a vector, which is not a class"),
        ({"labels": [["00000/img00000000.png"]]}, "is not"),
        ({"labels": 7}, "not iterable"),
        ({"classes": []}, "no 'labels' in it"),
        ([], "no "),
        ({"labels": [[NAMES[0], 0], [NAMES[0], 1]]}, "two labels"),
        ({"labels": [[name, 0] for name in NAMES[:-2]]}, "no label for 2 of 12 pictures: 00002/img00002500.png, …;"),
        ({"labels": [[name, 3] for name in NAMES]}, "all pictures have the same class, 3"),
    ],
)  # fmt: skip
def test_a_malformed_dataset_json_is_named(document: object, words: str) -> None:
    with pytest.raises(DataError, match=re.escape(words)) as error:
        load_dataset(str(stylegan("a.zip", document)), pictures=FOLDERS)
    assert "a.zip" in str(error.value)
    assert len(str(error.value)) < 400
    load_dataset("a.zip")


def test_dataset_json_is_demanded_by_name() -> None:
    fill("d", "a/1.png", "b/1.png")
    with pytest.raises(DataError, match=r"d: has no dataset\.json with labels; leave out --labels dataset\.json"):
        load_dataset("d", pictures=PictureOptions(labels="dataset.json"))


@pytest.mark.parametrize("name", [b"\xff.png", b"\xe9t\xe9/1.png"])
def test_names_that_are_no_utf8_harm_nobody(call: object, name: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(Path.cwd()) + b"/d\xff/" + name))
    path.parent.mkdir(parents=True)
    path.write_bytes(RED)
    path.with_name(os.fsdecode(b"\xfe.png")).write_bytes(b"")
    for flags in ([], ["--json"], ["--verify"], ["--verify", "--json"]):
        done = call("gan-data", path.parents[len(name.split(b"/")) - 1], *flags)  # type: ignore[operator]
        assert done.code == int("--verify" in flags), done
        if "--json" in flags:
            json.loads(done.out)


def test_damaged_archives_are_refused_or_their_entries_are_bad() -> None:
    """One to five bytes of an archive are overwritten: whatever comes of it, nothing but these errors may."""
    whole = zipped("whole.zip", "a/é.png", "b\\2.png", "Köln.png".encode("cp437"), "dataset.json").read_bytes()
    rng = random.Random(0)
    for _ in range(500):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 5)):
            content[rng.randrange(len(content))] = rng.choice([0, 255, rng.randrange(256)])
        Path("a.zip").write_bytes(content)
        with suppress(DataError), open_pictures(Path("a.zip")) as listing:
            for name in listing.names:
                with suppress(DataError, OSError):
                    listing.read(name)
