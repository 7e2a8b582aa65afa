"""From a folder of two domains to measured files: gan-train, gan-export, gan-eval and gan-compare on real digits."""

import json
from pathlib import Path

import pytest
from PIL import Image

from gan_runtime.manifest import read_manifest
from gan_runtime.model_file import read_model_file
from gan_trainer.runs.folder import Run

N = 90
HERE = ("--device", "cpu", "--threads", 1, "--quiet")
SMALL = ("--size", 28, "--mode", "L", "--width", 4, "--d-width", 4, "--batch-size", 6, "--hold-out", 0.25, *HERE)


@pytest.fixture(autouse=True)
def _pairs(real_digits) -> None:
    """Digits in pairs/A, their negatives in pairs/B."""
    for folder in ("pairs/A", "pairs/B"):
        Path(folder).mkdir(parents=True)
    for i, digit in enumerate(real_digits["train"][0][:N]):
        Image.fromarray(digit).save(f"pairs/A/{i:03d}.png")
        Image.fromarray(255 - digit).save(f"pairs/B/{i:03d}.png")


def check_same(measured: dict, entry: dict) -> None:
    """The file gives the scores of the run: pixels may differ by a grey level."""
    assert measured["n"] == entry["n"]
    for key in ("kid", "l1", "psnr", "ssim", "identity", "variety"):
        if entry[key] is None:
            assert key not in measured
        else:
            assert measured[key] == pytest.approx(entry[key], rel=0.01, abs=0.02), key


def test_the_file_of_a_run_on_pairs_measures_as_the_run_did(call) -> None:
    train = ("gan-train", "pairs", "--recipe", "pix2pix-quick", *SMALL, "--images", 120, "--eval-every", 60)
    assert call(*train, "--name", "p").code == 0
    assert call("gan-export", "runs/p", "--output", "p.onnx").code == 0
    best = Run(Path("runs/p")).best()
    done = call("gan-eval", "p.onnx", "pairs", *HERE, "--json")
    report = json.loads(done.out)
    assert best is not None
    check_same(report["results"]["p.onnx"], best)
    assert report["floors"]["doing nothing"]["l1"] > 150

    manifest = read_manifest(read_model_file("p.onnx"))
    assert manifest is not None
    assert (manifest.training["learns_from"], manifest.training["direction"]) == ("pairs", "AtoB")
    (quality,) = manifest.quality
    assert quality["l1"] == best["l1"]
    assert quality["floors"] == report["floors"] | {"test images": quality["floors"]["test images"]}


def test_both_files_of_a_run_without_pairs_are_measured(call) -> None:
    train = ("gan-train", "pairs", "--recipe", "cyclegan-quick", *SMALL, "--blocks", 1, "--images", 36)
    assert call(*train, "--eval-every", 36, "--direction", "BtoA", "--name", "c").code == 0
    assert call("gan-export", "runs/c", "--output", "c.onnx").code == 0
    entry = Run(Path("runs/c")).best()
    assert entry is not None
    there = json.loads(call("gan-eval", "c.onnx", "pairs", *HERE, "--json").out)
    check_same(there["results"]["c.onnx"], entry)
    assert there["results"]["c.onnx"]["cycle"] == pytest.approx(entry["cycle"], rel=0.01)
    back = json.loads(call("gan-eval", "c-inverse.onnx", "pairs", *HERE, "--json").out)
    assert back["results"]["c-inverse.onnx"]["cycle"] > 0
    assert back["floors"]["doing nothing"]["kid"] != there["floors"]["doing nothing"]["kid"], "the other direction"
    manifests = [read_manifest(read_model_file(f"c{suffix}.onnx")) for suffix in ("", "-inverse")]
    assert [manifest.training["direction"] for manifest in manifests if manifest] == ["BtoA", "AtoB"]
    assert [len(manifest.quality) for manifest in manifests if manifest] == [1, 0], "the run measured one direction"


@pytest.mark.usefixtures("ran")
def test_recipes_for_pairs_are_compared(call) -> None:
    settings = (*SMALL[:4], "--batch-size", 6, "--width", 4, "--images", 60, "--hold-out", 0.25)
    more = ("--recipes", "pix2pix-quick,pix2pix-l1", "--seeds", 1, "--jobs", 1, "--output", "compared")
    done = call("gan-compare", "pairs", *settings, *more, "--threads", 1, "--device", "cpu", "--quiet")
    assert done.code == 0, done
    rows = [line.split() for line in done.out.splitlines()]
    assert {row[0] for row in rows if row} >= {"pix2pix-quick", "pix2pix-l1", "doing", "test"}
    assert all(title in done.out for title in ("KID x 1000", "L1", "PSNR", "SSIM", "variety", "copies of the input"))
    assert not any(title in done.out for title in ("cycle error", "FID"))
    with Image.open("compared/samples.png") as picture:
        assert picture.height == 4 * (28 + 4), "input, truth, and two recipes"
    document = json.loads(Path("compared/comparison.json").read_text())
    assert document["recipes"][0]["kid"]["mean"] <= document["recipes"][1]["kid"]["mean"]
    n = next(iter(document["runs"][0]["report"]["results"].values()))["n"]
    assert f"measured {n} samples of each file" in Path("compared/comparison.md").read_text()

    for arguments, words in (
        (("--recipes", "pix2pix-quick,cyclegan-quick"), "learns from unpaired; choose other recipes"),
        (("--input", "sketch"), "--input sketch: name recipes that learn from two domains, with --recipes"),
        (("--recipes", "gan", "--input", "sketch"), "--input sketch: --recipe gan learns from images"),
    ):
        assert call("gan-compare", "pairs", "--images", 60, *arguments).refused(words), arguments
