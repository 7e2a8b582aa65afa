"""gan-translate as a user calls it, with small translators whose results are known."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
from bad_pictures import BAD_FILES, bomb_png
from helpers import Result, leftovers
from PIL import Image
from translators import TINT, translator

Call = Callable[..., Result]
TRANSLATE = [sys.executable, "-c", "from gan_runtime.commands.translate import translate_main; translate_main()"]


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def save(path: str, pixels: np.ndarray, **settings: object) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path, **settings)
    return Path(path)


def pixels_of(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def contents(folder: str) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture
def exported() -> Path:
    """A translator that inverts, the newest in ./exported."""
    Path("exported").mkdir()
    return translator("exported/invert.onnx")


@pytest.fixture
def photos(exported: Path) -> str:
    """A folder of six pictures, and files that are none."""
    for number, name in enumerate(("a.jpg", "b.png", "sub/c.png", "sub/d.png", "e.webp", "f.png")):
        save(f"photos/{name}", noise(20 + number, 30, seed=number))
    Path("photos/notes.txt").write_text("no picture")
    return "photos"


def test_a_picture(call: Call, exported: Path) -> None:
    save("a.png", noise(33, 47))
    done = call("gan-translate", "a.png", "out.png")
    assert (done.code, done.out) == (0, "out.png\n")
    assert done.err.startswith("model: exported/invert.onnx, the newest translator in exported\ndevice: cpu, ")
    np.testing.assert_array_equal(pixels_of("out.png"), 255 - noise(33, 47))
    assert call("gan-translate", "a.png", "b.png", "--quiet") == Result(0, "b.png\n", "")
    assert call("gan-translate", "a.png", "a.png", "c.png", "--size", 11).code == 0
    assert pixels_of("c.png").shape == (11, 16, 3)


def test_the_report(call: Call, exported: Path) -> None:
    save("a.png", noise(33, 47))
    report = json.loads(call("gan-translate", "a.png", "out.webp", "--json", "--quality", 80).out)
    assert report["output"] == "out.webp"
    assert (report["n"], report["bad"], report["frames"], report["in_tiles"]) == (1, [], 0, 0)
    assert (report["format"], report["quality"], report["prepare"]) == (".webp", 80, "")
    assert report["tiles"] == {"n": 1, "side": 512, "exact": True, "difference": "as the whole"}
    assert report["pictures"] == {"background": "white", "levels": None}
    assert report["model"]["path"] == "exported/invert.onnx"
    assert (report["device"], report["scale"]) == ("cpu", 1)
    assert set(report["versions"]) == {"gan-edge", "onnxruntime"}
    assert report["seconds"] > 0


def test_it_imports_no_module_of_the_network(exported: Path) -> None:
    save("a.png", noise(8, 8))
    code = (
        "import sys, gan_runtime.terminal.commandline as line; "
        "line.leave = lambda code: print(*sys.modules, file=sys.stderr);"
        "from gan_runtime.commands.translate import translate_main; translate_main()"
    )
    command = [sys.executable, "-c", code, "a.png", "out.png", "--quiet"]
    imported = subprocess.run(command, capture_output=True, text=True, check=True).stderr.split()
    assert "gan_runtime.transform.single" in imported
    for module in ("ssl", "urllib.request", "rich", "gan_runtime.foreign"):
        assert module not in imported


def test_of_a_pair_the_first_direction_is_the_default(call: Call, exported: Path, random_features: Path) -> None:
    shutil.copy(random_features, "exported/features.onnx")  # a sound file of another task: nothing to say
    translator("exported/newer.onnx", "blur")
    translator("exported/newer-inverse.onnx", "centre")
    for age, name in enumerate(("newer-inverse", "newer", "invert")):
        os.utime(f"exported/{name}.onnx", (1000 - age, 1000 - age))
    Path("exported/broken.onnx").write_bytes(b"no model")
    save("a.png", noise(8, 8))
    done = call("gan-translate", "a.png", "out.png")
    assert done.err.splitlines()[0].startswith("skipped: exported/broken.onnx: ")
    assert done.err.splitlines()[1] == "model: exported/newer.onnx, the newest translator in exported"


def test_stdin_and_stdout(exported: Path) -> None:
    content = save("a.png", noise(9, 5)).read_bytes()
    done = subprocess.run([*TRANSLATE, "-", "-"], input=content, capture_output=True, check=True)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(done.stdout))), 255 - noise(9, 5))
    done = subprocess.run([*TRANSLATE, "-", "-", "--format", "jpg"], input=content, capture_output=True, check=True)
    assert Image.open(io.BytesIO(done.stdout)).format == "JPEG"
    done = subprocess.run([*TRANSLATE, "-", "b.png"], input=b"text", capture_output=True, check=False)
    assert done.returncode == 1
    assert b"error: -: not an image of a supported format" in done.stderr


def test_grey_and_colour_models_take_all_pictures(call: Call) -> None:
    model = translator("colour.onnx", "colour")
    save("a.png", noise(12, 9))
    save("grey.png", noise(12, 9, 1))
    assert call("gan-translate", "--model", model, "a.png", "grey.png", "out/").code == 0
    grey = np.asarray(Image.fromarray(noise(12, 9)).convert("L"))[..., None]
    np.testing.assert_array_equal(pixels_of("out/a.png"), np.rint(grey * np.float32(TINT)).astype(np.uint8))
    np.testing.assert_array_equal(pixels_of("out/grey.png"), np.rint(noise(12, 9, 1) * np.float32(TINT)))
    assert call("gan-translate", "--model", translator("i.onnx", "invert-grey"), "a.png", "g.png").code == 0
    np.testing.assert_array_equal(pixels_of("g.png"), 255 - grey[..., 0])
    save("rgba.png", noise(12, 9, 4))
    assert call("gan-translate", "--model", "i.onnx", "rgba.png", "la.png").code == 0
    with Image.open("la.png") as image:
        assert image.mode == "LA"


@pytest.mark.parametrize("kind", ["blur", "centre"])
def test_large_pictures_are_translated_in_tiles(kind: str, call: Call) -> None:
    model = translator("x.onnx", kind)
    save("a.png", noise(300, 200))
    assert call("gan-translate", "--model", model, "a.png", "whole.png", "--tile", 0).err.count("\n") == 1
    done = call("gan-translate", "--model", model, "a.png", "tiles.png", "--tile", 128, "--json")
    report, whole, tiled = json.loads(done.out), pixels_of("whole.png"), pixels_of("tiles.png")
    assert report["in_tiles"] == 1
    assert report["tiles"]["side"] == 128
    if kind == "blur":
        assert report["tiles"]["exact"]
        assert "tiles: 1 image in tiles of 128 pixels, as the whole\n" in done.err
        np.testing.assert_array_equal(tiled, whole)
    else:
        assert not report["tiles"]["exact"]
        words = (
            "blended: instance norm takes its statistics from each tile; at export, tiles of 128 pixels were 31.2 dB"
        )
        assert words in done.err
        assert words in report["tiles"]["difference"]
        assert 0 < np.abs(tiled.astype(int) - whole).mean() < 8


def test_a_folder(call: Call, photos: str) -> None:
    done = call("gan-translate", photos, "out/", "--json")
    report = json.loads(done.out)
    assert (done.code, report["n"], report["kept"]) == (0, 6, 0)
    assert set(contents("out")) == {
        "a.png", "b.png", "sub/c.png", "sub/d.png", "e.png", "f.png", "request.json", "files.jsonl",
    }  # fmt: skip
    np.testing.assert_array_equal(pixels_of("out/sub/d.png"), 255 - noise(23, 30, seed=3))
    np.testing.assert_array_equal(pixels_of("out/a.png"), 255 - pixels_of("photos/a.jpg"))


def test_an_archive_gives_what_its_folder_gives(call: Call, photos: str) -> None:
    shutil.make_archive("photos", "zip", photos)
    assert call("gan-translate", photos, "one/").code == 0
    assert call("gan-translate", "photos.zip", "two/").code == 0
    one, two = contents("one"), contents("two")
    lines = [sorted(made.pop("files.jsonl").splitlines()) for made in (one, two)]
    assert one == two
    assert lines[0] == lines[1]


def test_threads_do_not_change_a_byte(call: Call, photos: str) -> None:
    for number in range(30):
        save(f"photos/more/{number}.png", noise(5 + number, 8, seed=number))
    for threads in (1, 4):
        assert call("gan-translate", photos, f"{threads}/", "--threads", threads).code == 0
    one, four = contents("1"), contents("4")
    assert sorted(one.pop("files.jsonl").splitlines()) == sorted(four.pop("files.jsonl").splitlines())
    assert one == four


def test_a_bad_picture_is_named_and_the_others_are_written(call: Call, photos: str) -> None:
    for name in ("truncated.png", "text.png", "bomb.png"):
        Path(f"photos/{name}").write_bytes(BAD_FILES[name][0])
    Path("photos/x.heic").write_bytes(b"heic")
    done = call("gan-translate", photos, "out/", "--json")
    assert done.code == 4
    report = json.loads(done.out)
    assert report["n"] == 6
    reasons = {entry["name"]: entry["reason"] for entry in report["bad"]}
    assert set(reasons) == {"photos/bomb.png", "photos/text.png", "photos/truncated.png", "photos/x.heic"}
    for name in ("truncated.png", "text.png", "bomb.png"):
        assert BAD_FILES[name][1] in reasons[f"photos/{name}"]
        assert f"\nphotos/{name}: {reasons[f'photos/{name}']}\n" in done.err
    assert done.err.splitlines()[-1].startswith(
        "gan-translate: error: 4 of 10 pictures cannot be used: photos/bomb.png"
    )
    assert {"a.png", "f.png"} <= set(contents("out"))
    assert call("gan-translate", photos, "out/").out == ""
    skipped = call("gan-translate", photos, "out/", "--skip-bad")
    assert (skipped.code, skipped.out) == (0, "out/\n")
    assert "out/: 6 of 9 images exist already" in skipped.err
    assert "skipped: 4 of 10 pictures cannot be used: " in skipped.err


def test_a_folder_of_bad_pictures_leaves_nothing(call: Call, exported: Path) -> None:
    Path("in").mkdir()
    Path("in/a.png").write_bytes(b"text")
    assert call("gan-translate", "in", "out/").code == 4
    assert not Path("out").exists()


def test_a_repeated_call_keeps_what_is_complete(call: Call, photos: str) -> None:
    call("gan-translate", photos, "out/")
    complete = contents("out")
    times = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*.png")}
    done = call("gan-translate", photos, "out/")
    assert "out/: all 6 images exist already" in done.err
    assert contents("out") == complete
    Path("out/b.png").unlink()
    Path("out/sub/c.png").write_bytes(complete["sub/c.png"][:-20])
    Path("out/sub/d.png").write_bytes(complete["e.png"])  # a sound picture, of another one
    Path("out/.gan-edge-0123-abcd.tmp").touch()
    done = call("gan-translate", photos, "out/")
    assert "out/: damaged, will be written again: sub/c.png, sub/d.png\n" in done.err
    assert "out/: 3 of 6 images exist already" in done.err
    lines = sorted(complete.pop("files.jsonl").splitlines())
    again = contents("out")
    assert sorted(again.pop("files.jsonl").splitlines()) == lines
    assert again == complete
    assert Path("out/a.png").stat().st_mtime_ns == times[Path("out/a.png")]


def test_changed_and_new_pictures_are_translated(call: Call, photos: str) -> None:
    call("gan-translate", photos, "out/")
    save("photos/b.png", noise(4, 4))
    save("photos/new.png", noise(3, 3))
    Path("photos/f.png").unlink()
    done = call("gan-translate", photos, "out/")
    assert "out/: 1 input has changed since, and will be run again" in done.err
    assert "out/: 4 of 6 images exist already" in done.err
    np.testing.assert_array_equal(pixels_of("out/b.png"), 255 - noise(4, 4))
    assert Path("out/f.png").exists()
    assert "out/: of earlier inputs, which are not among these: f.png\n" in done.err
    assert "of earlier inputs" not in call("gan-translate", photos, "new/").err


def test_another_request_is_refused(call: Call, photos: str) -> None:
    call("gan-translate", photos, "out/")
    complete = contents("out")
    assert call("gan-translate", photos, "out/", "--format", "webp").refused("different request", "format .png, not")
    other = translator("other.onnx", "blur")
    assert call("gan-translate", photos, "out/", "--model", other).refused("different request", "model ")
    assert contents("out") == complete
    Path("mine").mkdir()
    Path("mine/text.txt").write_text("mine")
    assert call("gan-translate", photos, "mine/").refused("text.txt exists without the request.json")
    call("gan-sample", "--n", 3, "sampled/")
    assert call("gan-translate", photos, "sampled/").refused("different request", "task None, not translate")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_stopped_or_killed_job_continues(number: int, call: Call, exported: Path) -> None:
    for i in range(60):
        save(f"in/{i:02d}.png", noise(200, 300, seed=i))
    process = subprocess.Popen([*TRANSLATE, "in", "out/", "--threads", "1"], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while len(list(Path("out").glob("*.png"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(number)
    error = process.communicate()[1]
    assert process.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[number], error
    there = len(list(Path("out").glob("*.png")))
    assert 5 <= there < 60
    if number == signal.SIGINT:
        assert b"interrupted; run the same command again to resume" in error
    assert number == signal.SIGKILL or not leftovers(Path("out"))
    done = call("gan-translate", "in", "out/", "--json")
    report = json.loads(done.out)
    assert done.code == 0
    assert there - 2 <= report["kept"] <= there  # a file whose line is not written yet is made again
    assert not leftovers(Path("out"))
    call("gan-translate", "in", "fresh/")
    resumed, fresh = contents("out"), contents("fresh")
    assert sorted(resumed.pop("files.jsonl").splitlines()) == sorted(fresh.pop("files.jsonl").splitlines())
    assert resumed == fresh


def test_a_torn_table_costs_only_its_torn_line(call: Call, photos: str) -> None:
    call("gan-translate", photos, "out/")
    table = Path("out/files.jsonl")
    complete = sorted(table.read_bytes().splitlines())
    table.write_bytes(table.read_bytes()[:-30])
    assert "5 of 6 images exist already" in call("gan-translate", photos, "out/").err
    assert sorted(table.read_bytes().splitlines()) == complete


def test_comparisons(call: Call, photos: str) -> None:
    shutil.copytree(photos, "truth")
    assert call("gan-translate", photos, "out/", "--compare", "--truth", "truth").code == 0
    source = noise(21, 30, seed=1)
    np.testing.assert_array_equal(pixels_of("out/b.png"), np.concatenate([source, 255 - source, source], axis=1))
    assert call("gan-translate", "photos/b.png", "one.png", "--compare").code == 0
    np.testing.assert_array_equal(pixels_of("one.png"), np.concatenate([source, 255 - source], axis=1))
    assert call("gan-translate", "photos/b.png", "new.png", "--compare", "--truth", "-").refused("--truth -: the truth")
    save("truth/b.bmp", noise(21, 30))
    assert call("gan-translate", photos, "own/", "--compare", "--truth", "truth").code == 0
    assert contents("own")["b.png"] == contents("out")["b.png"], "b.png is the truth of b.png, not b.bmp"
    Path("truth/b.png").rename("truth/b.webp")
    assert call("gan-translate", photos, "new/", "--compare", "--truth", "truth").refused(
        "--truth truth: b.bmp and b.webp are both called like photos/b.png; remove or rename one"
    )
    Path("truth/b.bmp").unlink()
    Path("truth/b.webp").unlink()
    assert call("gan-translate", photos, "new/", "--compare", "--truth", "truth").refused(
        "--truth truth: has no picture called like photos/b.png"
    )
    assert call("gan-translate", photos, "new/", "--truth", "truth").refused("only with --compare")
    assert call("gan-translate", photos, "truth/", "--compare", "--truth", "truth").refused("truth/: is also the input")
    assert call("gan-translate", photos, "new/", "--compare", "--truth", "photos/b.png").refused("is one picture")


def test_names_of_truths_may_be_normalised_otherwise(call: Call, exported: Path) -> None:
    for form, folder in (("NFC", "in"), ("NFD", "truth")):
        save(f"{folder}/{normalize(form, 'é')}.png", noise(8, 6))
    assert call("gan-translate", "in", "out/", "--compare", "--truth", "truth").code == 0


def test_photos_are_prepared(call: Call) -> None:
    from gan_runtime.images.prepare import PREPARATIONS

    model = translator("sketch.onnx", "colour", prepared="sketch")
    save("a.png", noise(12, 9))
    done = call("gan-translate", "--model", model, "a.png", "plain.png")
    assert "model: sketch.onnx takes what sketch makes; if IN are photos, add --prepare sketch\n" in done.err
    done = call("gan-translate", "--model", model, "a.png", "out.png", "--prepare", "sketch")
    assert "--prepare" not in done.err
    expected = np.rint(PREPARATIONS["sketch"](noise(12, 9)) * np.float32(TINT))
    np.testing.assert_array_equal(pixels_of("out.png"), expected)
    assert call("gan-translate", "--model", model, "a.png", "x.png", "--prepare", "grey").refused(
        "--prepare grey: sketch.onnx was trained on inputs made by sketch; use --prepare sketch"
    )


def test_an_animation(call: Call, exported: Path) -> None:
    frames = [Image.new("RGB", (20, 10), (40 * i, 0, 100)) for i in range(4)]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:], duration=[50, 100, 150, 200], loop=0)
    for output in ("out.gif", "out.webp", "out.png", "out/"):
        report = json.loads(call("gan-translate", "a.gif", output, "--json").out)
        assert report["frames"] == 4
        with Image.open("out/a.png" if output == "out/" else output) as image:
            durations = []
            for i in range(image.n_frames):
                image.seek(i)
                image.load()
                assert image.convert("RGB").getpixel((3, 3)) == (255 - 40 * i, 255, 155)
                durations.append(round(image.info["duration"]))
            assert (durations, image.info["loop"]) == ([50, 100, 150, 200], 0)
    assert call("gan-translate", "a.gif", "x.jpg").refused("a.gif: is an animation; .jpg holds one picture")
    save("a.png", noise(3, 3))
    assert call("gan-translate", "a.png", "x.gif").refused("a.png: is no animation; .gif is for animations")
    assert not Path("x.gif").exists()


def test_bad_input_is_one_line(call: Call, exported: Path, unconditional_model: Path, random_features: Path) -> None:
    save("a.png", noise(8, 6))
    save("in/b.png", noise(8, 6))
    Path("empty").mkdir()
    Path("empty/notes.txt").write_text("none")
    for arguments, words in {
        ("out.png",): ["name the pictures and then the output, as in photo.jpg out.png"],
        ("a.png", "out.bmp"): ["out.bmp: unknown kind of output"],
        ("a.png", "nowhere/out.png"): ["nowhere/out.png: the folder nowhere does not exist"],
        ("a.png", "a.png"): ["a.png: is also the input"],
        ("in", "in/out/"): ["in/out/: is inside the input folder in"],
        ("in", "out.png"): ["out.png: several pictures need a folder"],
        ("a.png", "in/b.png", "out.png"): ["out.png: several pictures need a folder"],
        ("b.png", "out.png"): ["b.png: no such file"],
        ("empty", "out/"): ["empty: has no pictures, so there is nothing to do", "1 other file ignored"],
        ("x.tar.gz", "out.png"): ["x.tar.gz: .tar.gz archives are not read"],
        ("a.png", "in/b.png"): ["in/b.png: exists already; name another file, or add --force"],
        ("in", "out/", "--force"): ["--force: overwrites one file"],
        ("a.png", "out.png", "--quality", 90): ["--quality: .png has none"],
        ("a.png", "-", "--json"): ["--json: cannot be combined with an image on stdout"],
        ("a.png", "out.png", "--tile", 0, "--prepare", "sketch"): ["makes 1 channel", "takes 3"],
        ("a.png", "out.png", "--background", "greenish"): ["background 'greenish': not a colour"],
        ("a.png", "out.png", "--max-pixels", 40): ["a.png: 6 x 8 pixels, more than 40"],
        ("a.png", "out.png", "--model", unconditional_model): ["made for the task 'generate'", "gan-sample"],
        ("a.png", "out.png", "--model", random_features): ["made for the task 'features'", "gan-eval --features"],
        ("a.png", "out.png", "--model", translator("4.onnx", "invert", 4)): ["a.png: 6 x 8 pixels; 4.onnx takes 4 x 4"],
        ("a.png", "out.png", "--model", "4.onnx", "--tile", 8): ["--tile: 4.onnx takes pictures of one size"],
        ("a.png", "out.png", "--model", translator("b.onnx", "blur"), "--tile", 8): ["--tile 8: b.onnx needs tiles of"],
    }.items():
        assert call("gan-translate", *arguments).refused(*words), arguments
        assert not Path("out.png").exists()
        assert not Path("out").exists()
    shutil.rmtree("exported")
    assert call("gan-translate", "a.png", "out.png").refused("exported: has no translator; export a run of pix2pix or")


def test_a_file_is_overwritten_if_asked_for(call: Call, exported: Path) -> None:
    save("a.png", noise(8, 6))
    save("out.png", noise(2, 2))
    assert call("gan-translate", "a.png", "out.png", "--force").code == 0
    np.testing.assert_array_equal(pixels_of("out.png"), 255 - noise(8, 6))
    Path("bad.png").write_bytes(BAD_FILES["truncated.png"][0])
    assert call("gan-translate", "bad.png", "out.png", "--force").refused("bad.png: damaged: image file is truncated")
    np.testing.assert_array_equal(pixels_of("out.png"), 255 - noise(8, 6))


def test_hostile_archives_are_refused(call: Call, exported: Path) -> None:
    with zipfile.ZipFile("bad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../outside.png", save("a.png", noise(4, 4)).read_bytes())
        archive.writestr("bomb.png", bomb_png(60_000, 60_000))
        archive.writestr("large.png", bytes(300 * 2**20))
    done = call("gan-translate", "bad.zip", "out/", "--json")
    assert done.code == 4
    reasons = {entry["name"]: entry["reason"] for entry in json.loads(done.out)["bad"]}
    assert "points out of the archive" in reasons["bad.zip/../outside.png"]
    assert "a decompression bomb" in reasons["bad.zip/bomb.png"]
    assert "at most 256 MiB are read" in reasons["bad.zip/large.png"]
    assert not Path("outside.png").exists()
    Path("text.zip").write_text("text")
    assert call("gan-translate", "text.zip", "out/").refused("text.zip: not a .zip archive, or a damaged one")


def test_a_full_disk_ends_the_job_and_the_next_call_goes_on(call: Call, photos: str) -> None:
    import errno

    from gan_runtime.files import atomic

    written = 0
    honest = atomic._Target.write

    def full(self: object, content: object) -> int:
        nonlocal written
        written += 1
        if written > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return honest(self, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic._Target, "write", full)
        done = call("gan-translate", photos, "out/", "--threads", 1)
    assert done.code == 1
    assert not leftovers(Path("out"))
    assert call("gan-translate", photos, "out/").code == 0
    assert len(list(Path("out").rglob("*.png"))) == 6
