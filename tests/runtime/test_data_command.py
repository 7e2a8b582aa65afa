import gzip
import hashlib
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from helpers import Result
from PIL import Image
from web import Web, whole

from gan_runtime.data.registry import COMPUTED, SOURCES, IdxFile, IdxSource

CONTENTS = {
    "images": bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, *range(12)]),
    "labels": bytes([0, 0, 8, 1, 0, 0, 0, 2, 1, 0]),
}
BODIES = {name: gzip.compress(content) for name, content in CONTENTS.items()}
CALL = Callable[..., Result]


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch, server: Web) -> None:
    """The only data sets: `tiny`, which the server has, and `absent`, which nobody has."""
    for name, body in BODIES.items():
        server.answer(f"tiny/{name}.gz", whole(body))
    files = tuple(IdxFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in CONTENTS.items())
    for table in (SOURCES, COMPUTED):
        for name in tuple(table):
            monkeypatch.delitem(table, name)
    for name in ("tiny", "absent"):
        splits = {"train": (files[0], files[1])}
        monkeypatch.setitem(SOURCES, name, IdxSource(splits, ("a", "b"), "free", (server.address(f"{name}/"),)))
    monkeypatch.setattr("gan_runtime.data.paths.checkout", lambda: None)


def put(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, body in BODIES.items():
        (folder / f"{name}.gz").write_bytes(body)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of two good pictures each, a bad one, and a file that is none."""
    folder = tmp_path / "photos"
    for name in ("cats", "dogs"):
        (folder / name).mkdir(parents=True)
        for index in range(2):
            Image.new("RGB", (40, 30), {"cats": ("red", "orange"), "dogs": ("blue", "navy")}[name][index]).save(
                folder / name / f"{index}.png"
            )
    (folder / "dogs" / "bad.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("hello")
    return folder


def test_data_sets_are_listed_without_reading_them(call: CALL, tmp_path: Path) -> None:
    folder = put(tmp_path / "cache" / "gan-edge" / "tiny")
    (folder / "images.gz").write_bytes(b"not looked at")
    result = call("gan-data")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "tiny:",
        "  licence:       free",
        "  classes:       2",
        f"  train:         2 images, {folder}",
        "absent:",
        "  licence:       free",
        "  classes:       2",
        "  train:         2 images, not found",
    ]


def test_the_list_as_json(call: CALL, tmp_path: Path) -> None:
    put(tmp_path / "d")
    result = call("gan-data", "tiny", "absent", "--data-dir", tmp_path / "d", "--verify", "--json")
    train = {"images": 2, "folder": str(tmp_path / "d"), "problems": []}
    facts = {"licence": "free", "classes": 2, "splits": {"train": train}}
    assert json.loads(result.out) == {"tiny": facts, "absent": facts}
    assert result.code == 0


def test_verify_says_ok(call: CALL, tmp_path: Path) -> None:
    put(tmp_path / "cache" / "gan-edge" / "tiny")
    result = call("gan-data", "--verify")
    assert result.code == 0  # the other one was not asked for
    assert "/tiny: ok\n" in result.out
    result = call("gan-data", "tiny", "absent", "--verify")
    assert result.code == 1
    assert "/tiny: ok\n" in result.out
    assert "not found" in result.out


def test_verify_names_every_damaged_file(call: CALL, tmp_path: Path) -> None:
    folder = put(tmp_path / "cache" / "gan-edge" / "tiny")
    changed = CONTENTS["images"].replace(b"\x05", b"\x06")
    (folder / "images.gz").write_bytes(gzip.compress(changed))
    (folder / "labels.gz").write_bytes(BODIES["labels"][:-9])
    result = call("gan-data", "--verify")
    assert (result.code, result.err) == (1, "")
    (line,) = (line for line in result.out.splitlines() if "corrupt" in line)
    for word in (f"{folder}/images.gz: corrupt", hashlib.sha256(changed).hexdigest(), f"{folder}/labels.gz: corrupt"):
        assert word in line
    assert "delete it and fetch it again with gan-data --fetch" in line


@pytest.mark.parametrize("own", [True, False])
def test_fetch_brings_what_is_missing(call: CALL, tmp_path: Path, server: Web, own: bool) -> None:
    place = tmp_path / "own" if own else tmp_path / "cache" / "gan-edge"
    arguments = ("tiny", "--fetch", "--verify", *(["--data-dir", place] if own else []))
    result = call("gan-data", *arguments)
    assert result.code == 0
    assert f"train:         2 images, {place / 'tiny'}: ok\n" in result.out
    assert result.err.splitlines() == [f"tiny: fetching {name}.gz into {place / 'tiny'}" for name in CONTENTS]
    assert call("gan-data", *arguments).err == ""
    assert len(server.seen) == 2


def test_fetch_can_be_quiet(call: CALL) -> None:
    assert call("gan-data", "tiny", "--fetch", "-q").err == ""


def test_what_cannot_be_fetched_is_one_line(call: CALL, server: Web) -> None:
    result = call("gan-data", "absent", "--fetch", "-q")
    reason = f"{server.address('absent/')} HTTP 404 Not Found; put the files into a folder"
    assert result.refused("absent: images.gz cannot be fetched: ", reason, code=1)


def test_downloads_are_refused_where_they_are_forbidden(
    call: CALL, server: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("gan-data", "tiny", "--fetch", "--offline").refused("--fetch: --offline forbids")
    monkeypatch.setenv("GAN_EDGE_OFFLINE", "yes")
    assert call("gan-data", "tiny", "--fetch").refused("--fetch: GAN_EDGE_OFFLINE forbids")
    assert server.seen == []


def test_pictures_are_counted(call: CALL, photos: Path) -> None:
    result = call("gan-data", photos, "--labels", "folders", "--json")
    assert json.loads(result.out) == {
        str(photos): {
            "images": 5,
            "ignored": 1,
            "classes": {"cats": 2, "dogs": 3},
            "labels": {"cats": 0, "dogs": 1},
            "bad": [],
            "left out": {},
            "remarks": [],
        }
    }
    assert result.code == 0
    result = call("gan-data", photos)
    assert result.out.splitlines() == [f"{photos}:", "  images:        5", "  ignored:       1"]


@pytest.mark.parametrize("archive", [False, True])
def test_bad_pictures_are_listed(call: CALL, photos: Path, tmp_path: Path, archive: bool) -> None:
    source = photos
    if archive:
        source = tmp_path / "photos.zip"
        with ZipFile(source, "w") as file:
            for path in photos.rglob("*.*"):
                file.write(path, path.relative_to(photos))
    options = ("--verify", "--size", 32, "--mode", "L", "--labels", "folders")
    result = call("gan-data", source, *options)
    assert result.code == 1
    assert result.out.splitlines()[:-1] == [
        f"{source}:",
        "  images:        4",
        "  ignored:       1",
        "  classes:",
        "    0:           cats, 2 images",
        "    1:           dogs, 2 images",
        "  bad:",
    ]
    assert result.out.splitlines()[-1].startswith("    dogs/bad.png: ")
    (bad,) = json.loads(call("gan-data", source, *options, "--json").out)[str(source)]["bad"]
    assert bad["name"] == "dogs/bad.png"
    assert call("gan-data", source, *options, "--skip-bad").code == 0
    (photos / "dogs" / "bad.png").unlink()
    assert archive or call("gan-data", source, *options).code == 0


def test_names_of_files_cannot_steer_a_terminal(call: CALL, photos: Path) -> None:
    (photos / "evil\n\x1b[31m.png").write_bytes(b"")
    (photos / os.fsdecode(b"\xff.png")).write_bytes(b"")
    result = call("gan-data", photos, "--verify")
    assert result.code == 1
    lines = result.out.splitlines()
    assert "    evil??[31m.png: empty" in lines
    assert len(lines) == 7
    names = [bad["name"] for bad in json.loads(call("gan-data", photos, "--verify", "--json").out)[str(photos)]["bad"]]
    assert sorted(names) == sorted(["dogs/bad.png", "evil\n\x1b[31m.png", "\udcff.png"])


def test_nothing_but_rubbish_is_not_sound(call: CALL, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert call("gan-data", "empty").code == 0
    assert call("gan-data", "empty", "--verify").code == 1
    (tmp_path / "x.zip").write_text("no archive")
    assert call("gan-data", "x.zip").refused("x.zip: not a .zip archive")


def test_pipes_and_nothing_are_no_archives(call: CALL, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.zip")
    assert call("gan-data", "x.zip").refused("x.zip: neither a known data set")
    assert call("gan-data", "").refused("neither a known data set")


def test_a_name_that_occurs_twice_is_reported_each_time(call: CALL, photos: Path) -> None:
    with ZipFile("twice.zip", "w") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(3):
            file.write(photos / "cats" / "0.png", "a.png")
    assert call("gan-data", "twice.zip").out.count("occurs twice in the archive") == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere: neither a known data set (tiny, absent) nor a folder or .zip of images"),
        (["--fetch"], "--fetch: name the data sets to download: tiny or absent"),
        (["photos", "--fetch"], "--fetch: name the data sets to download: tiny or absent"),
        (["photos", "--data-dir", "."], "--data-dir: has no effect on photos, which is a path"),
        (["photos", "--size", "32"], "--size: has an effect only with --verify"),
        (["photos", "--skip-bad"], "--skip-bad: has an effect only with --verify"),
        (["photos", "--verify", "--size", "5"], "size 5: must be between 28 and 512"),
        (["tiny", "--labels", "folders"], "--labels: has no effect on the data set tiny"),
        (["photos", "--wrong"], "--wrong"),
    ],
)
@pytest.mark.usefixtures("photos")
def test_bad_input_is_one_line(call: CALL, arguments: list[str], words: str) -> None:
    assert call("gan-data", *arguments).refused(words)


def test_version(call: CALL) -> None:
    assert call("gan-data", "--version").out.startswith("gan-edge ")


def test_deep_pictures_of_few_bits_are_said_to_be_dark_each_time(call: CALL) -> None:
    Path("deep").mkdir()
    for level in (1000, 4000):
        Image.fromarray(np.full((40, 40), level, np.uint16)).save(f"deep/{level}.png")
    for _ in range(2):  # the second time from the cache
        done = call("gan-data", "deep", "--verify", "--json")
        (remark,) = json.loads(done.out)["deep"]["remarks"]
        assert "2 pictures (1000.png, …) of 16 or 32 bits use none of the levels above 4000" in remark
        assert "--levels 0 4095" in remark
        assert remark in call("gan-data", "deep", "--verify").out
    done = call("gan-data", "deep", "--verify", "--json", "--levels", 0, 4095)
    assert json.loads(done.out)["deep"]["remarks"] == []
    assert call("gan-data", "deep", "--verify", "--levels", 9, 9).refused("levels 9 9")
    assert call("gan-data", "deep", "--levels", 0, 9).refused("--levels", "has an effect only with --verify")
    done = call("gan-data", "deep", "--verify", "--max-pixels", 1599)
    assert done.code == 1
    assert "40 x 40 pixels, more than 1,599" in done.out
