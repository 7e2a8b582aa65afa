"""What a run was told of its pictures is in its files, and holds for all pictures that these files are given."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from helpers import Result
from PIL import Image

from gan_runtime import Encoder
from gan_runtime.data import PictureOptions
from gan_runtime.errors import InputError, ModelError
from gan_runtime.images.recorded import PIPELINE, pictures_for, record, recorded
from gan_runtime.manifest import read_manifest
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.models import shipped_features
from gan_trainer.export.onnx_file import finish

Call = Callable[..., Result]
SHORT = ["--size", 28, "--mode", "L", "--recipe", "vae", "--images", 256, "--batch-size", 16]
QUICK = ["--threads", 1, "--device", "cpu", "--quiet"]
TRAINED: dict[str, bytes] = {}


@pytest.fixture
def sprites() -> None:
    """White shapes cut out of nothing in sprites/, and in flat/ the same on black."""
    for folder in ("sprites", "flat"):
        Path(folder).mkdir()
    for i in range(140):
        alpha = np.zeros((28, 28), np.uint8)
        alpha[i % 9 : 9 + i % 17, i % 7 : 8 + i % 19] = 255 - i
        white = np.full((28, 28, 3), 255, np.uint8)
        Image.fromarray(np.dstack([white, alpha])).save(f"sprites/{i:03}.png")
        Image.fromarray(alpha).save(f"flat/{i:03}.png")


@pytest.fixture
def on_black(call: Call, sprites: None) -> str:
    """A run on the sprites with --background black, exported; trained once for all tests."""
    if not TRAINED:
        done = call("gan-train", "sprites", *SHORT, "--background", "black", "--name", "b", *QUICK)
        assert done.code == 0, done
        assert call("gan-export", "runs/b", "-o", "b.onnx").code == 0
        TRAINED.update({name: Path(name).read_bytes() for name in ("b.onnx", "b-encoder.onnx")})
    for name, content in TRAINED.items():
        Path(name).write_bytes(content)
    return "b.onnx"


def encoded(call: Call, source: str, *arguments: object) -> tuple[np.ndarray, str]:
    done = call("gan-encode", source, "out.npz", "--threads", 1, "--device", "cpu", *arguments)
    assert done.code == 0, done
    with np.load("out.npz") as found:
        return found["latents"], done.err


def test_the_manifests_say_how_pictures_became_pixels(on_black: str, call: Call) -> None:
    for name in ("b.onnx", "b-encoder.onnx"):
        manifest = read_manifest(read_model_file(name))
        assert manifest is not None
        assert manifest.pictures == {
            "size": 28, "mode": "L", "background": "black", "levels": None,
            "version": 1, "crop": "centre", "resize": "lanczos", "colours": "srgb",
        }  # fmt: skip
    assert "background:    black" in call("gan-info", on_black).out


def test_transparent_sprites_are_encoded_as_flattened_ones(on_black: str, call: Call) -> None:
    expected, _ = encoded(call, "flat", "--model", on_black)
    assert expected.std(0).max() > 0.01
    assert np.array_equal(encoded(call, "sprites", "--model", on_black)[0], expected)
    for i in (3, 44):
        assert np.array_equal(encoded(call, f"sprites/{i:03}.png", "--model", on_black)[0], expected[i : i + 1])
    for source, pictures in (("sprites", {"background": "black", "levels": None}), ("x.npy", None)):
        np.save("x.npy", np.zeros((2, 28, 28, 1), np.uint8))
        report = json.loads(call("gan-encode", source, "z.npz", "--model", on_black, "--json").out)
        assert report.get("pictures") == pictures
    white, remarks = encoded(call, "sprites", "--model", on_black, "--background", "white")
    assert not np.allclose(white, expected, atol=1e-3)
    assert "--background white: b-encoder.onnx was trained with black" in remarks
    assert "was trained with" not in encoded(call, "sprites", "--model", on_black, "--background", "#000000")[1]


def test_reconstructions_show_the_pictures_as_the_run_saw_them(on_black: str, call: Call) -> None:
    for folder in ("sprites", "flat"):
        pictures = [f"{folder}/{i:03}.png" for i in (5, 6)]
        assert call("gan-sample", "--reconstruct", *pictures, f"{folder}.png", "--model", on_black).code == 0
        walk = ("gan-sample", "--interpolate", *pictures, f"{folder}.gif", "--model", on_black, "--frames", 4)
        assert call(*walk).code == 0
    for kind in ("png", "gif"):
        assert Path(f"sprites.{kind}").read_bytes() == Path(f"flat.{kind}").read_bytes()
    done = call("gan-sample", "out.png", "--background", "red", "--model", on_black)
    assert done.refused("--background", "has an effect only with --reconstruct")


def test_evaluation_reads_reference_and_candidates_as_the_file_was_trained(on_black: str, call: Call) -> None:
    features = ["--features", shipped_features("mnist"), "--n", 140, "--hold-out", 0]
    features += ["--threads", 1, "--device", "cpu", "--json"]
    reports = []
    for folder in ("sprites", "flat"):
        done = call("gan-eval", on_black, "sprites", folder, *features)
        assert done.code == 0, done
        reports.append(json.loads(done.out))
    assert reports[0]["data"]["digest"] == reports[1]["data"]["digest"]
    assert [report["results"]["sprites"]["fid"] < 1e-3 for report in reports] == [True, True]
    assert reports[0]["results"][on_black]["fid"] == reports[1]["results"][on_black]["fid"] > 1
    done = call("gan-eval", on_black, "flat", "sprites", *features, "--background", "white")
    assert "--background white: b.onnx was trained with black" in done.err
    assert json.loads(done.out)["results"]["flat"]["fid"] > 1
    assert reports[0]["pictures"] == {"background": "black", "levels": None}
    assert json.loads(done.out)["pictures"]["background"] == "white"


def test_levels_are_recorded_too(call: Call, sprites: None) -> None:
    Path("deep").mkdir()
    for path in Path("flat").iterdir():
        Image.fromarray(np.asarray(Image.open(path)).astype(np.uint16) * 10).save(f"deep/{path.name}")
    levels = ["--levels", 0, 2550]
    assert call("gan-train", "deep", *SHORT, *levels, "--name", "d", *QUICK).code == 0
    assert call("gan-export", "runs/d", "-o", "d.onnx").code == 0
    expected, _ = encoded(call, "flat", "--model", "d.onnx")
    assert np.array_equal(encoded(call, "deep", "--model", "d.onnx")[0], expected)
    assert call("gan-train", "--resume", "runs/d", "--quiet").code == 0


def test_files_that_contradict_each_other_are_refused_by_name(on_black: str) -> None:
    black = read_model_file("b.onnx")
    white = _with_pictures("w.onnx", record(PictureOptions(28, "L", "white", levels=(0, 4095))))
    with pytest.raises(InputError, match=r"b\.onnx was trained with background black, w\.onnx with white; .* --backgr"):
        pictures_for([black, white], {})
    with pytest.raises(InputError, match=r"b\.onnx was trained with levels of the whole range, w\.onnx with 0 4095"):
        pictures_for([black, white], {"background": "black"})
    said: list[str] = []
    chosen = pictures_for([black, white], {"background": "red", "levels": (0, 4095), "max_pixels": None}, said.append)
    assert (chosen.background, chosen.levels) == ("red", (0.0, 4095.0))
    assert len(said) == 3
    old = _with_pictures("old.onnx", {})
    assert pictures_for([old], {}) == PictureOptions()
    assert pictures_for([old, black], {}).background == "black"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version 2.*upgrade"),
        ({"crop": "none"}, "crop 'none'.*upgrade"),
        ({"background": 3}, "damaged"),
        ({"background": "nothing"}, "damaged"),
        ({"levels": [1]}, "damaged"),
        ({"levels": "ab"}, "damaged"),
        ({"size": "28"}, "damaged"),
    ],
)
def test_other_ways_from_pictures_to_pixels_are_refused(
    on_black: str, call: Call, change: dict[str, object], words: str
) -> None:
    file = _with_pictures("c.onnx", record(PictureOptions(28, "L")) | change)
    with pytest.raises(ModelError, match=rf"c\.onnx: .*{words}"):
        recorded(file, read_manifest(file))
    assert call("gan-sample", "out.png", "--model", "c.onnx").code == 0  # images are drawn all the same
    assert Encoder.load("b-encoder.onnx", "cpu").manifest.pictures["version"] == PIPELINE["version"]


def _with_pictures(name: str, pictures: dict[str, object]) -> ModelFile:
    """The generator in b.onnx, with something else under `pictures`."""
    source = read_model_file("b.onnx")
    manifest = read_manifest(source)
    assert manifest is not None
    model = onnx.load("b.onnx")
    del model.metadata_props[:]
    file = finish(model, replace(manifest, pictures=pictures), {"images": (28, 28, 1)}, source.opset, Path(name))
    Path(name).write_bytes(file.content)
    return file
