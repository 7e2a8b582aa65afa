"""gan-upscale as a user calls it, with small upscalers whose results NumPy computes, too."""

import io
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_pictures import BAD_FILES, bomb_png
from helpers import Result, leftovers
from picture_bytes import cmyk_profile, grey_profile, halves, iccp, png, rgb_profile, saved
from PIL import Image, ImageOps
from translators import translator
from upscalers import enlarged, upscaler

from gan_runtime.images.options import PictureOptions
from gan_runtime.images.whole import WholeDecoder
from gan_runtime.manifest import Tiling

Call = Callable[..., Result]
UPSCALE = [sys.executable, "-c", "from gan_runtime.commands.upscale import upscale_main; upscale_main()"]
SCALE = 2
ORIENTATION, ARTIST, EXIF, SHUTTER, WIDTH = 274, 315, 0x8769, 0x829A, 0xA002
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def save(path: str, pixels: np.ndarray, **settings: Any) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path, **settings)
    return Path(path)


def read(path: str | Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def pixels_of(path: str | Path) -> np.ndarray:
    pixels = np.asarray(read(path))
    return pixels.reshape(*pixels.shape[:2], -1)


def larger(pixels: np.ndarray, scale: int = SCALE) -> np.ndarray:
    return enlarged(pixels[None], scale)[0]


def bicubic(plane: np.ndarray, scale: int = SCALE) -> np.ndarray:
    height, width = plane.shape
    return np.asarray(Image.fromarray(plane).resize((width * scale, height * scale), Image.Resampling.BICUBIC))


def visible(pixels: np.ndarray) -> np.ndarray:
    """The same pixels, none of them fully transparent: those have no colours."""
    pixels[..., 3] |= 1
    return pixels


def contents(folder: str) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture
def exported() -> Path:
    """An upscaler of scale 2, the newest in ./exported."""
    Path("exported").mkdir()
    return upscaler("exported/x2.onnx", SCALE)


@pytest.fixture
def photos(exported: Path) -> str:
    """A folder of six pictures, and a file that is none."""
    for number, name in enumerate(("a.jpg", "b.png", "sub/c.png", "sub/d.png", "e.webp", "f.png")):
        save(f"photos/{name}", noise(20 + number, 30, seed=number))
    Path("photos/notes.txt").write_text("no picture")
    return "photos"


def test_a_picture(call: Call, exported: Path) -> None:
    save("a.png", noise(33, 47))
    done = call("gan-upscale", "a.png", "out.png")
    assert (done.code, done.out) == (0, "out.png\n")
    assert done.err.startswith("model: exported/x2.onnx, the newest upscaler in exported\ndevice: cpu, ")
    np.testing.assert_array_equal(pixels_of("out.png"), larger(noise(33, 47)))
    translator("exported/newer.onnx")
    assert call("gan-upscale", "a.png", "b.png", "--quiet") == Result(0, "b.png\n", "")


def test_the_report(call: Call, exported: Path) -> None:
    save("a.png", noise(33, 47))
    report = json.loads(call("gan-upscale", "a.png", "out.webp", "--json", "--quality", 80, "--tile", 20).out)
    assert (report["output"], report["n"], report["bad"], report["in_tiles"]) == ("out.webp", 1, [], 1)
    assert report["tiles"] == {"n": 6, "side": 20, "exact": True, "difference": "as the whole"}
    assert (report["format"], report["quality"], report["alpha"], report["metadata"]) == (".webp", 80, "bicubic", False)
    assert (report["scale"], report["device"]) == (SCALE, "cpu")
    assert report["megapixels"] == round(4 * 33 * 47 / 1e6, 3)
    assert report["megapixels_per_second"] == pytest.approx(4 * 33 * 47 / 1e6 / report["seconds"], rel=0.1)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_tiles_give_the_bytes_of_the_whole(scale: int, call: Call) -> None:
    model = upscaler("x.onnx", scale)
    for number, (height, width) in enumerate(((1, 1), (3, 70), (64, 41), (91, 130))):
        pixels = visible(noise(height, width, 4, seed=number))
        save("a.png", pixels)
        for suffix in ("png", "tif"):
            for tile in ("0", "auto", "3", "17", "64"):
                out = f"{number}-{tile}.{suffix}"
                assert call("gan-upscale", "--model", model, "a.png", out, "--tile", tile).code == 0
                found = pixels_of(out)
                np.testing.assert_array_equal(found[..., :3], larger(pixels[..., :3], scale))
                alpha = pixels[..., 3] if scale == 1 else bicubic(pixels[..., 3], scale)
                np.testing.assert_array_equal(found[..., 3], alpha)
        files = [Path(f"{number}-{tile}.png").read_bytes() for tile in ("0", "auto", "3", "17", "64")]
        assert len(set(files)) == 1


def test_auto_takes_small_tiles_where_memory_is_scarce(call: Call, exported: Path, monkeypatch: Any) -> None:
    save("a.png", noise(400, 500))
    sides = []
    for free in (2**34, 2**22):
        monkeypatch.setattr("gan_runtime.transform.tiles.available_memory", lambda free=free: free)
        monkeypatch.setattr("gan_runtime.images.writing.available_memory", lambda: None)
        done = call("gan-upscale", "a.png", f"{free}.png", "--json")
        sides.append(json.loads(done.out)["tiles"]["side"])
        assert f"tiles: 1 image in tiles of {sides[-1]} pixels, as the whole\n" in done.err
    assert sides[1] < sides[0] == 256
    assert Path(f"{2**34}.png").read_bytes() == Path(f"{2**22}.png").read_bytes()


def test_a_network_that_sees_far_is_run_in_tiles_that_see_less(call: Call) -> None:
    model = upscaler("deep.onnx", SCALE, network=Tiling(context=100, near=32, norm="none"))
    save("a.png", noise(260, 205))
    words = "which see 32 of the 100 pixels around them that the network can see, from which they were within"
    for tile, exact in (("auto", False), (80, False), (200, False), (201, True), (0, True)):
        done = call("gan-upscale", "--model", model, "a.png", f"{tile}.png", "--tile", tile, "--json")
        assert json.loads(done.out)["tiles"]["exact"] == exact
        assert (words in done.err) == (not exact)
        np.testing.assert_array_equal(pixels_of(f"{tile}.png"), larger(noise(260, 205)))  # it sees 1 pixel
    assert call("gan-upscale", "--model", model, "a.png", "x.png", "--tile", 64).refused("needs tiles of at least 65")


def test_the_tiles_of_a_network_that_sees_very_far_are_chosen(call: Call) -> None:
    model = upscaler("deep.onnx", SCALE, network=Tiling(context=400, near=64, norm="none"))
    save("a.png", noise(260, 205))
    assert call("gan-upscale", "--model", model, "a.png", "out.png", "--tile", "auto").code == 0
    np.testing.assert_array_equal(pixels_of("out.png"), larger(noise(260, 205)))


@pytest.mark.parametrize("mode", ["L", "1", "I;16", "LA", "P"])
def test_grey_stays_grey(mode: str, call: Call, exported: Path) -> None:
    grey = noise(21, 16, 1)[..., 0]
    image = Image.fromarray(grey)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "LA":
        image = Image.merge("LA", [image, Image.fromarray(noise(21, 16, 1, seed=1)[..., 0] | 1)])
    elif mode != "L":
        image = image.convert("1") if mode == "1" else image.convert("P")
        grey = np.asarray(image.convert("L"))
    image.save("a.png")
    for out in ("out.png", "out.webp", "out.jpg"):
        assert call("gan-upscale", "a.png", out).code == 0
    made = read("out.png")
    assert (made.mode, read("out.jpg").mode) == ("LA" if mode == "LA" else "L", "L")
    in_colour = larger(np.repeat(grey[..., None], 3, axis=2))
    np.testing.assert_array_equal(pixels_of("out.png")[..., 0], np.asarray(Image.fromarray(in_colour).convert("L")))


def test_a_network_of_one_channel_enlarges_luma(call: Call) -> None:
    model = upscaler("grey.onnx", SCALE, channels=1)
    save("a.png", noise(30, 50))
    assert call("gan-upscale", "--model", model, "a.png", "out.png", "--tile", 12).code == 0
    planes = [np.asarray(plane) for plane in Image.fromarray(noise(30, 50)).convert("YCbCr").split()]
    made = [larger(planes[0][..., None])[..., 0], *(bicubic(plane) for plane in planes[1:])]
    expected = Image.merge("YCbCr", [Image.fromarray(plane) for plane in made]).convert("RGB")
    np.testing.assert_array_equal(pixels_of("out.png"), np.asarray(expected))
    save("g.png", noise(30, 50, 1))
    assert call("gan-upscale", "--model", model, "g.png", "grey.png").code == 0
    np.testing.assert_array_equal(pixels_of("grey.png"), larger(noise(30, 50, 1)))


def test_the_alpha_by_the_network(call: Call, exported: Path) -> None:
    pixels = noise(40, 30, 4)
    pixels[:5, :, 3] = 0
    save("a.png", pixels)
    assert call("gan-upscale", "a.png", "out.png", "--alpha", "network", "--tile", 16).code == 0
    made = pixels_of("out.png")
    np.testing.assert_array_equal(made[..., 3], larger(pixels[..., 3:])[..., 0])
    assert call("gan-upscale", "a.png", "bicubic.png").code == 0
    np.testing.assert_array_equal(pixels_of("bicubic.png")[..., :3], made[..., :3])
    np.testing.assert_array_equal(pixels_of("bicubic.png")[..., 3], bicubic(pixels[..., 3]))
    done = call("gan-upscale", "a.png", "out.jpg", "--background", "#102030")
    assert (done.code, read("out.jpg").mode) == (0, "RGB")
    assert "with transparency: white shows" in call("gan-upscale", "a.png", "b.jpg").err


KINDS: dict[str, Callable[[], bytes]] = {
    "16 bits": lambda: png(np.random.default_rng(0).integers(0, 65536, (20, 30, 3)).astype(np.uint16), 16, 2),
    "16 bits and alpha": lambda: png(np.random.default_rng(0).integers(0, 65536, (20, 30, 4)).astype(np.uint16), 16, 6),
    "interlaced": lambda: png(noise(20, 30), 8, 2, interlaced=True),
    "palette": lambda: saved(Image.fromarray(noise(20, 30)).quantize(16), "png"),
    "palette with alpha": lambda: saved(Image.fromarray(noise(20, 30)).quantize(16), "png", transparency=3),
    "CMYK": lambda: saved(Image.fromarray(noise(20, 30, 4), "CMYK"), "tiff"),
    "CMYK with profile": lambda: saved(Image.fromarray(noise(20, 30, 4), "CMYK"), "tiff", icc_profile=cmyk_profile()),
    "Adobe RGB": lambda: png(noise(20, 30), 8, 2, iccp(rgb_profile(ADOBE, 2.2))),
    "YCbCr": lambda: saved(Image.fromarray(noise(20, 30)).convert("YCbCr"), "jpeg"),
    "LAB": lambda: saved(Image.fromarray(noise(20, 30)).convert("LAB"), "tiff"),
    "AVIF": lambda: saved(Image.fromarray(noise(20, 30)), "avif"),
    "PPM": lambda: saved(Image.fromarray(noise(20, 30)), "ppm"),
    "BMP": lambda: saved(Image.fromarray(noise(20, 30)), "bmp"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_all_kinds_become_srgb_of_8_bits(kind: str, call: Call, exported: Path) -> None:
    content = KINDS[kind]()
    Path("a.png").write_bytes(content)  # the content says the format
    assert call("gan-upscale", "a.png", "out.png").code == 0
    picture = WholeDecoder(PictureOptions()).picture(content)
    made = pixels_of("out.png")
    np.testing.assert_array_equal(made[..., :3], larger(picture.filled("white").colours))
    assert (made.shape[2] == 4) == (picture.alpha is not None)
    assert "icc_profile" not in read("out.png").info


def test_a_grey_picture_with_a_profile_stays_grey(call: Call, exported: Path) -> None:
    Path("a.png").write_bytes(png(halves(40, 200), 8, 0, iccp(grey_profile(1.0))))
    assert call("gan-upscale", "a.png", "out.png").code == 0
    made = read("out.png")
    assert made.mode == "L"
    assert made.getpixel((0, 0)) > 90  # brighter in sRGB


def test_pictures_are_turned_upright_and_their_metadata_dropped(call: Call, exported: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION], exif[ARTIST] = 6, "somebody"
    exif.get_ifd(EXIF)[SHUTTER] = 0.25
    for name, settings in {"a.jpg": {"quality": 95}, "a.png": {}, "a.webp": {"lossless": True}}.items():
        save(name, noise(20, 30), exif=exif, **settings)
        upright = np.asarray(ImageOps.exif_transpose(read(name)))
        assert call("gan-upscale", name, "out.png", "--force").code == 0
        np.testing.assert_array_equal(pixels_of("out.png"), larger(upright))
        assert not read("out.png").getexif()
        for out in ("kept.png", "kept.jpg", "kept.webp"):
            assert call("gan-upscale", name, out, "--keep-metadata", "--force").code == 0
            kept = read(out)
            assert kept.size == (40, 60)
            assert (kept.getexif().get(ARTIST), kept.getexif().get(ORIENTATION)) == ("somebody", None)
            exposure = kept.getexif().get_ifd(EXIF)
            assert (exposure[SHUTTER], exposure[WIDTH]) == (0.25, 40)
    assert call("gan-upscale", "a.jpg", "x.tif", "--keep-metadata").refused("--keep-metadata: .tif is written without")
    save("plain.png", noise(4, 4))
    assert call("gan-upscale", "plain.png", "plain-2.png", "--keep-metadata").code == 0
    assert not read("plain-2.png").getexif()


def test_the_first_frame_or_page_alone_is_taken_and_that_is_said(call: Call, exported: Path) -> None:
    frames = [Image.new("RGB", (20, 10), (40 * i, 0, 100)) for i in range(4)]
    for name in ("a.gif", "a.webp", "a.png", "a.tif"):
        lossless = {"lossless": True} if name == "a.webp" else {}
        frames[0].save(name, save_all=True, append_images=frames[1:], **lossless)
        done = call("gan-upscale", name, "out.png", "--force")
        assert done.code == 0
        assert f"1 picture ({name}) with more than one frame or page: the first one alone is taken\n" in done.err
        image = read("out.png")
        assert (image.size, image.n_frames, image.getpixel((5, 5))) == ((40, 20), 1, (0, 0, 100))
    assert call("gan-upscale", "a.gif", "out.gif").refused("out.gif: unknown kind of output; end it in .png")


def test_stdin_and_stdout(exported: Path) -> None:
    content = save("a.png", noise(9, 5)).read_bytes()
    for arguments, kind in (((), "PNG"), (("--format", "tif"), "TIFF"), (("--format", "jpg"), "JPEG")):
        done = subprocess.run([*UPSCALE, "-", "-", *arguments], input=content, capture_output=True, check=True)
        image = Image.open(io.BytesIO(done.stdout))
        assert image.format == kind
        if kind != "JPEG":
            np.testing.assert_array_equal(np.asarray(image), larger(noise(9, 5)))
    done = subprocess.run([*UPSCALE, "-", "-"], input=content[:-40], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"error: -: damaged" in done.stderr


def test_a_folder(call: Call, photos: str) -> None:
    done = call("gan-upscale", photos, "out/", "--json")
    report = json.loads(done.out)
    assert (done.code, report["n"], report["kept"], report["tiles"]["n"]) == (0, 6, 0, 6)
    assert set(contents("out")) == {
        "a.png", "b.png", "sub/c.png", "sub/d.png", "e.png", "f.png", "request.json", "files.jsonl",
    }  # fmt: skip
    np.testing.assert_array_equal(pixels_of("out/sub/d.png"), larger(noise(23, 30, seed=3)))
    shutil.make_archive("photos", "zip", photos)
    for source in (photos, "photos.zip"):
        assert call("gan-upscale", source, f"flat-{source}/", "--no-recursive").code == 0
        flat = contents(f"flat-{source}")
        assert {"a.png", "b.png", "e.png", "f.png", "request.json", "files.jsonl"} == set(flat)
    assert call("gan-upscale", "photos.zip", "zip/", "--recursive").code == 0
    assert contents("zip")["sub/c.png"] == contents("out")["sub/c.png"]


def test_what_cannot_be_used_is_named_and_the_job_ends_with_4(call: Call, photos: str) -> None:
    for name in ("truncated.png", "no-pixels.png", "bomb.png"):
        Path(f"photos/{name}").write_bytes(BAD_FILES[name][0])
    save("photos/wide.png", noise(1, 9000))
    done = call("gan-upscale", photos, "out/", "--format", "webp", "--json")
    assert done.code == 4
    reasons = {entry["name"]: entry["reason"] for entry in json.loads(done.out)["bad"]}
    assert set(reasons) == {f"photos/{name}.png" for name in ("truncated", "no-pixels", "bomb", "wide")}
    assert reasons["photos/wide.png"] == "18000 x 2 pixels; WEBP has at most 16,383 per side; write .png"
    for name, reason in reasons.items():
        assert f"\n{name}: {reason}\n" in done.err
    assert done.err.splitlines()[-1].startswith("gan-upscale: error: 4 of 10 pictures cannot be used: photos/bomb.png")
    assert len(list(Path("out").rglob("*.webp"))) == 6
    again = call("gan-upscale", photos, "out/", "--format", "webp")
    assert (again.code, again.out) == (4, "")
    assert "out/: 6 of 10 images exist already" in again.err
    assert call("gan-upscale", photos, "out/", "--format", "webp", "--skip-bad").code == 0


def test_a_killed_job_continues(call: Call, exported: Path) -> None:
    for i in range(60):
        save(f"in/{i:02d}.png", noise(100, 150, seed=i))
    for _ in range(2):
        process = subprocess.Popen([*UPSCALE, "in", "out/", "--threads", "1"], stderr=subprocess.PIPE)
        there, deadline = len(list(Path("out").glob("*.png"))), time.monotonic() + 60
        while len(list(Path("out").glob("*.png"))) < there + 5 and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -9
    there = len(list(Path("out").glob("*.png")))
    assert 10 <= there < 60
    done = call("gan-upscale", "in", "out/", "--json")
    assert done.code == 0
    assert there - 3 <= json.loads(done.out)["kept"] <= there
    assert not leftovers(Path("out"))
    assert call("gan-upscale", "in", "fresh/").code == 0
    resumed, fresh = contents("out"), contents("fresh")
    assert sorted(resumed.pop("files.jsonl").splitlines()) == sorted(fresh.pop("files.jsonl").splitlines())
    assert resumed == fresh
    assert call("gan-upscale", "in", "out/", "--alpha", "network").refused("different request", "alpha bicubic, not")


def test_an_interrupted_picture_leaves_nothing(exported: Path) -> None:
    save("a.png", noise(1500, 1500))
    process = subprocess.Popen([*UPSCALE, "a.png", "out.png", "--tile", "32"], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not leftovers(Path()) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    assert b"interrupted" in process.communicate()[1]
    assert process.returncode == 130
    assert not leftovers(Path())
    assert not Path("out.png").exists()


def test_bad_input_is_one_line(call: Call, exported: Path, unconditional_model: Path) -> None:
    save("a.png", noise(8, 6))
    save("in/b.png", noise(8, 6))
    save("wide.png", noise(1, 9000))
    Path("cut.png").write_bytes(BAD_FILES["truncated.png"][0])
    Path("empty.png").write_bytes(BAD_FILES["no-pixels.png"][0])
    Path("bomb.png").write_bytes(bomb_png(30_000, 30_000))
    for arguments, words in {
        ("out.png",): ["name the pictures and then the output"],
        ("a.png", "out.bmp"): ["out.bmp: unknown kind of output"],
        ("a.png", "a.png"): ["a.png: is also the input"],
        ("in", "in/out/"): ["in/out/: is inside the input folder in"],
        ("in", "out.png"): ["out.png: several pictures need a folder"],
        ("b.png", "out.png"): ["b.png: no such file"],
        ("cut.png", "out.png"): ["cut.png: damaged: image file is truncated"],
        ("empty.png", "out.png"): ["empty.png: 0 x 40 pixels: there are none"],
        ("bomb.png", "out.png"): ["bomb.png: 30000 x 30000 pixels", "a decompression bomb"],
        ("wide.png", "out.webp"): ["wide.png: 18000 x 2 pixels; WEBP has at most 16,383 per side; write .png"],
        ("a.png", "out.png", "--tile", 2): ["--tile 2: exported/x2.onnx needs tiles of at least 3 pixels"],
        ("a.png", "out.png", "--tile", "big"): ["'big' is neither auto nor a number of pixels"],
        ("a.png", "out.png", "--alpha", "none"): ["'none' is not one of"],
        ("a.png", "out/", "--format", "gif"): ["--format gif: choose one of png, jpg, jpeg, webp, tif, tiff"],
        ("a.png", "out.png", "--model", unconditional_model): [
            "made for the task 'generate'",
            "run it with gan-sample",
        ],
        ("a.png", "out.png", "--model", translator("t.onnx")): [
            "'translate', not 'upscale'; run it with gan-translate"
        ],
    }.items():
        assert call("gan-upscale", *arguments).refused(*words), arguments
        assert not list(Path().glob("out*"))
    assert call("gan-translate", "a.png", "o.png", "--model", exported).refused("'upscale'", "run it with gan-upscale")
    shutil.rmtree("exported")
    assert call("gan-upscale", "a.png", "out.png").refused("exported: has no upscaler; export a run of sr or esrgan")
