"""From photos to measured files that enlarge: gan-train, gan-export, gan-eval and gan-compare."""

import json
from pathlib import Path

import numpy as np
import pytest
from formulas import textured
from PIL import Image

from gan_runtime.data.photos import load_photos
from gan_runtime.images.options import PictureOptions
from gan_runtime.manifest import ImageSize, read_manifest
from gan_runtime.model_file import read_model_file
from gan_trainer.compare.speed import images_within, step_seconds
from gan_trainer.data.source import DataSource
from gan_trainer.runs.folder import Run
from gan_trainer.runs.settings import make_config

N, SIDE = 12, 72
HERE = ("--device", "cpu", "--threads", 1, "--quiet")
TINY = {"width": 8, "blocks": 1, "crop": 16, "batch_size": 2, "scale": 2}
SMALL = ("--width", 8, "--blocks", 1, "--crop", 16, "--batch-size", 2, "--scale", 2, "--hold-out", 0.4, *HERE)


@pytest.fixture(autouse=True)
def _photos() -> None:
    """Square pictures, of which runs measure the same parts as gan-eval."""
    Path("photos").mkdir()
    for i in range(N):
        Image.fromarray(np.roll(textured(SIDE, SIDE, 3), 11 * i, axis=(0, 1))).save(f"photos/{i:02d}.png")


@pytest.mark.parametrize("degradation", ["bicubic", "real"])
def test_the_file_of_a_run_measures_as_the_run_did(call, degradation: str) -> None:
    train = ("gan-train", "photos", "--recipe", "sr", *SMALL, "--degradation", degradation, "--images", 8)
    assert call(*train, "--eval-every", 8, "--name", "x").code == 0
    assert call("gan-export", "runs/x", "--output", "x.onnx").code == 0
    best = Run(Path("runs/x")).best()
    assert best is not None
    report = json.loads(call("gan-eval", "x.onnx", "photos", *HERE, "--json").out)
    found = report["results"]["x.onnx"]
    assert (found["n"], report["data"]["which"]) == (best["n"], "those that the training held out")
    for key in ("psnr", "ssim", "grid", "gradient"):
        if best[key] is None:
            assert key not in found
        else:
            assert found[key] == pytest.approx(best[key], rel=0.01, abs=0.01), key
    assert report["low"] == degradation
    manifest = read_manifest(read_model_file("x.onnx"))
    assert manifest is not None
    (quality,) = manifest.quality
    assert quality["psnr"] == best["psnr"]
    assert quality["floors"]["bicubic"]["psnr"] == pytest.approx(report["floors"]["bicubic"]["psnr"])
    assert call("gan-info", "x.onnx", "--check").code == 0


def test_runs_of_esrgan_are_led_by_the_distance_of_patches(call, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("gan_trainer.tasks.upscaling_judge", "gan_runtime.evaluation.upscaling"):
        monkeypatch.setattr(f"{module}.PATCH", ImageSize(14, 14, 3))  # 25 of each picture
    monkeypatch.setattr("gan_runtime.evaluation.upscaling.GRIDDED", np.inf)  # in such small pictures it is noise
    train = ("gan-train", "photos", "--recipe", "esrgan", *SMALL, "--images", 16, "--eval-every", 8)
    done = call(*train, "--name", "x")
    assert done.code == 0, done
    entries = [entry for entry in Run(Path("runs/x")).entries() if "psnr" in entry]
    assert all(entry["patches"] > 0 for entry in entries)
    best = Run(Path("runs/x")).best()
    assert best is not None
    assert best["patches"] == min(entry["patches"] for entry in entries)
    assert "FID of patches" in Path("runs/x/report.html").read_text()


@pytest.mark.usefixtures("ran")
def test_recipes_for_photos_are_compared(call) -> None:
    compare = ("gan-compare", "photos", "--images", 8, "--seeds", 1, "--jobs", 1, *SMALL)
    done = call(*compare, "--recipes", "sr,esrgan", "--d-width", 4, "--output", "out", "--json")
    assert done.refused("--d-width 4: sr does not use it")
    done = call(*compare, "--recipes", "sr,esrgan", "--output", "out", "--json")
    assert done.code == 0, done
    document = json.loads(done.out)
    assert {row["recipe"] for row in document["recipes"]} == {"sr", "esrgan"}
    assert document["recipes"][0]["psnr"]["mean"] >= document["recipes"][1]["psnr"]["mean"] > 5
    table = Path("out/comparison.md").read_text()
    assert all(words in table for words in ("PSNR", "SSIM", "grid", "bicubic", "test images"))
    assert " dB" in table
    with Image.open("out/samples.png") as picture:
        assert picture.height == 4 * (SIDE + 4), "bicubic, the photos, and a row of each recipe"
    assert "PSNR" in Path("out/comparison.html").read_text()
    mixed = call(*compare, "--recipes", "sr,gan", "--output", "other")
    assert mixed.refused("--recipes: sr learns from photos, gan learns from images; compare them separately")
    assert call(*compare, "--recipes", "sr", "--size", 64).refused("--size 64: photos keep their sizes")


@pytest.mark.parametrize("recipe", ["sr", "esrgan"])
def test_a_budget_in_seconds_is_a_number_of_images(recipe: str) -> None:
    photos = load_photos(Path("photos"), PictureOptions(), quiet=True)
    source = DataSource.of(photos, "photos", None, PictureOptions())
    config = make_config(source, recipe, TINY | {"precision": "fp32"}, 0, "cpu", 1, 1)
    alone, both = step_seconds(config, photos, least=0.1)
    assert (alone, both > 0) == (0.0, True)
    assert images_within(config.recipe, 10 * both, alone, both) == pytest.approx(20, abs=2)
