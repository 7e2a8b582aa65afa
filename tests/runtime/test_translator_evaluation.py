"""gan-eval on translator files: folders of inputs, targets and truth, and what is refused and reported."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from translators import COPY, NEGATIVE, WHITE, linear_translator

from gan_runtime.manifest import Counterpart

N = 120  # of each domain
ALL = ("--hold-out", 0, "--device", "cpu", "--threads", 1)


def write(folder: Path, pictures: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{i:03d}.png")


@pytest.fixture
def _digits(real_digits, tmp_path: Path) -> None:
    """Digits in A/, negatives of other digits in B/, those of A in truth/."""
    digits = real_digits["train"][0]
    write(tmp_path / "A", digits[:N])
    write(tmp_path / "B", 255 - digits[N : 2 * N])
    write(tmp_path / "truth", 255 - digits[:N])


def translator(name: str, rule: tuple[int, int], **about: object) -> Path:
    from gan_runtime.images.options import PictureOptions
    from gan_runtime.images.recorded import record

    return linear_translator(Path(name), rule, pictures=record(PictureOptions(size=28, mode="L")), **about)


@pytest.mark.usefixtures("_digits")
def test_translations_are_measured_beside_their_truth_and_doing_nothing(call) -> None:
    translator("x.onnx", NEGATIVE)
    done = call("gan-eval", "x.onnx", "--inputs", "A", "B", "--truth", "truth", *ALL, "--json", "--picture", "p.png")
    assert done.code == 0, done
    report = json.loads(done.out)
    found, nothing, real = report["results"]["x.onnx"], *(report["floors"][k] for k in ("doing nothing", "test images"))
    assert (found["n"], found["l1"], found["psnr"], found["ssim"]) == (N, 0.0, 100.0, pytest.approx(1.0))
    assert found["problems"] == []
    assert found["fid"] < nothing["fid"] / 3
    assert found["fid"] == pytest.approx(real["fid"], abs=1e-6), "they are the truth"
    assert found["identity"] == 0
    assert (nothing["n"], nothing["identity"]) == (None, 1.0)
    assert nothing["l1"] > 100
    assert report["data"] == report["data"] | {"test": N, "hold_out": 0.0}
    assert 90 < report["data"]["train"] < N, "the others are the floor"
    assert report["features"]["name"]
    assert report["size"] == "28 x 28 x 1"
    with Image.open("p.png") as picture:
        assert picture.size == (12 * 28, 3 * 28)
        pixels = np.asarray(picture).reshape(3, 28, -1)
    assert (pixels[1] == 255 - pixels[0]).all()
    assert (pixels[2] == pixels[1]).all()


@pytest.mark.usefixtures("_digits")
def test_the_table_names_all_columns(call) -> None:
    translator("x.onnx", NEGATIVE)
    translator("y.onnx", COPY)
    done = call("gan-eval", "x.onnx", "y.onnx", "--inputs", "A", "B", *ALL, "--quiet", "--write")
    assert done.out.splitlines()[0].split("  ")[-1].strip() == "test images"
    assert all(words in done.out for words in ("x.onnx", "y.onnx", "doing nothing", "copies of the input", "variety"))
    assert "PSNR" not in done.out
    assert re.search(r"FID and KID against 1\d\d images of B; features", done.out)
    assert "y.onnx: copies its inputs: 100% of the outputs differ from them by less than 2 grey levels" in done.err
    assert "x.onnx:" not in done.err
    assert "copies of the input" in Path("x.onnx.quality.md").read_text()
    assert json.loads(Path("y.onnx.quality.json").read_text())["results"]["y.onnx"]["problems"]


@pytest.mark.usefixtures("_digits")
def test_outputs_that_are_all_equal_are_reported(call) -> None:
    translator("x.onnx", WHITE)
    done = call("gan-eval", "x.onnx", "--inputs", "A", "B", *ALL, "--json", "--n", 90)
    assert "x.onnx: gives nearly the same for all inputs: two outputs differ by 0.0%" in done.err
    report = json.loads(done.out)
    assert report["results"]["x.onnx"]["n"] == 90
    assert report["results"]["x.onnx"]["variety"] == 0


@pytest.mark.usefixtures("_digits")
def test_the_share_that_training_held_out_is_translated(call) -> None:
    translator("x.onnx", NEGATIVE, training={"hold_out": 0.25})
    done = call("gan-eval", "x.onnx", "--inputs", "A", "B", "--device", "cpu", "--threads", 1, "--json")
    report = json.loads(done.out)
    n, train = (report["data"][key] for key in ("test", "train"))
    assert 15 < n < 50
    assert 70 < train < 105
    assert report["data"]["hold_out"] == 0.25
    assert f"A: {n} of 120 pictures, those that the training held out; --hold-out 0 translates all" in done.err
    assert report["results"]["x.onnx"]["kid"] < report["floors"]["doing nothing"]["kid"] / 3


def measured(call, *arguments: object) -> tuple[dict, dict, dict]:
    """What gan-eval reports of x.onnx, of doing nothing, and of the data."""
    done = call("gan-eval", "x.onnx", *arguments, "--device", "cpu", "--threads", 1, "--json", "--quiet")
    assert done.code == 0, done
    report = json.loads(done.out)
    return report["results"]["x.onnx"], report["floors"]["doing nothing"], report["data"]


def test_pairs_are_those_that_training_held_out(call, real_digits) -> None:
    digits = real_digits["train"][0][:N]
    write(Path("pairs/A"), digits)
    write(Path("pairs/B"), 255 - digits)
    for direction in ("AtoB", "BtoA"):
        translator("x.onnx", NEGATIVE, training={"learns_from": "pairs", "direction": direction, "hold_out": 0.25})
        found, nothing, data = measured(call, "pairs")
        assert found["l1"] == 0 < nothing["l1"]
        assert found["n"] == data["test"] == N - data["train"]
        assert 15 < found["n"] < 50
        assert (data["name"], data["hold_out"]) == ("pairs", 0.25)
    assert measured(call, "pairs", "--hold-out", 0.5)[0]["n"] > found["n"]
    words = "the files translate BtoA; are the folders exchanged?"
    for named, exchanged in ((("pairs/B", "pairs/A"), False), (("pairs/A", "pairs/B"), True)):
        done = call("gan-eval", "x.onnx", "--inputs", *named, "--device", "cpu", "--threads", 1)
        assert (f"--inputs {' '.join(named)}: {words}\n" in done.err) == exchanged
    folders = measured(call, "--inputs", "pairs/B", "pairs/A")[0]
    assert (folders["n"], folders["l1"]) == (found["n"], 0), "the same split, and pairs by name"

    translator("x.onnx", NEGATIVE, training={"learns_from": "unpaired", "hold_out": 0.25})
    found, nothing, _ = measured(call, "pairs")
    assert "l1" not in found
    assert found["kid"] < nothing["kid"] / 3


def test_files_of_other_trainings_are_measured_separately(call, real_digits) -> None:
    digits = real_digits["train"][0][:N]
    write(Path("pairs/A"), digits)
    write(Path("pairs/B"), 255 - digits)
    usual = {"learns_from": "pairs", "direction": "AtoB", "hold_out": 0.25}
    translator("x.onnx", NEGATIVE, training=usual)
    for change, words in (
        ({"direction": "BtoA"}, "y.onnx: --direction BtoA, and x.onnx AtoB; measure them separately"),
        ({"learns_from": "unpaired"}, "y.onnx: learns from unpaired, and x.onnx pairs; measure"),
        ({"hold_out": 0.0}, "y.onnx: --hold-out none, and x.onnx 0.25; measure them separately"),
    ):
        translator("y.onnx", NEGATIVE, training=usual | change)
        assert call("gan-eval", "x.onnx", "y.onnx", "pairs", "--quiet").refused(words), change
    translator("y.onnx", NEGATIVE, prepared="blur", training=usual)
    assert call("gan-eval", "x.onnx", "y.onnx", "pairs").refused("y.onnx: --input blur, and x.onnx none; measure")
    translator("y.onnx", NEGATIVE)
    done = call("gan-eval", "y.onnx", "x.onnx", "pairs", "--device", "cpu", "--threads", 1, "--json", "--quiet")
    report = json.loads(done.out)
    assert [found["l1"] for found in report["results"].values()] == [0, 0], (
        "what a file does not say is as in the other"
    )
    assert report["data"]["hold_out"] == 0.25


def test_inputs_that_a_training_on_pairs_may_have_seen_are_refused(call, real_digits) -> None:
    digits = real_digits["train"][0][:N]
    write(Path("A"), digits)
    write(Path("B"), 255 - digits)
    training = {"learns_from": "pairs", "direction": "AtoB", "hold_out": 0.25}
    translator("x.onnx", NEGATIVE, training=training)
    Path("B/000.png").rename("B/more.png")
    asked = ("gan-eval", "x.onnx", "--inputs", "A", "B", "--device", "cpu", "--threads", 1, "--json")
    words = "--inputs A: which of these the training held out is not known, because"
    assert call(*asked).refused(f"{words} B has other names; name the data of the training")
    assert json.loads(call(*asked, "--hold-out", 0).out)["results"]["x.onnx"]["n"] == N
    translator("x.onnx", NEGATIVE, prepared="blur", training=training)
    assert call(*asked).refused(f"{words} it made its inputs by blur; name the data of the training")


def test_pictures_for_testing_that_came_with_the_data(call, real_digits) -> None:
    digits = real_digits["train"][0]
    for i, part in enumerate(("train", "test")):
        images = digits[i * 100 : i * 100 + 100 - 60 * i]
        write(Path(f"data/{part}A"), images)
        write(Path(f"data/{part}B"), 255 - images)
    translator("x.onnx", NEGATIVE, training={"learns_from": "pairs"})
    found, _, data = measured(call, "data")
    assert (found["n"], found["l1"]) == (40, 0)
    assert (data["train"], data["test"], "hold_out" in data) == (100, 40, False)
    asked = ("gan-eval", "x.onnx", "--device", "cpu", "--threads", 1, "--json")
    words = "x.onnx: may have been trained on pictures that are measured:"
    assert words not in call(*asked, "data").err
    for folder in ("testA", "testB"):
        shutil.rmtree(f"data/{folder}")
    assert f"{words} those for testing that came with its data are not in data\n" in call(*asked, "data").err
    translator("x.onnx", NEGATIVE, training={"learns_from": "pairs", "hold_out": 0.25})
    assert words not in call(*asked, "data", "--hold-out", 0.2).err
    for share in ("0", "0.5"):
        done = call(*asked, "data", "--hold-out", share)
        assert f"{words} it held out a share of 0.25, not of {share} (--hold-out)\n" in done.err


def test_inputs_are_prepared_as_for_the_training(call, real_digits) -> None:
    write(Path("digits"), real_digits["train"][0][:N])
    translator("x.onnx", COPY, prepared="blur", training={"learns_from": "pairs", "hold_out": 0.25})
    found, nothing, _ = measured(call, "digits")
    assert found["l1"] == nothing["l1"] > 5, "a blurred digit beside the digit"
    assert found["identity"] == 1


@pytest.mark.usefixtures("_digits")
def test_the_cycle_error_needs_the_file_of_the_same_training(call) -> None:
    translator("x.onnx", NEGATIVE, counterpart=Counterpart("x-inverse.onnx", "abc"))
    command = ("gan-eval", "x.onnx", "--inputs", "A", "B", *ALL, "--n", 90, "--json")
    done = call(*command)
    assert "x-inverse.onnx: is missing; the cycle error of x.onnx is not measured" in done.err
    assert "cycle" not in json.loads(done.out)["results"]["x.onnx"]
    translator("x-inverse.onnx", NEGATIVE, counterpart=Counterpart("x.onnx", "abd"))
    assert "x-inverse.onnx: is of another training; the cycle error" in call(*command).err
    translator("x-inverse.onnx", (1, 3), counterpart=Counterpart("x.onnx", "abc"))
    found = json.loads(call(*command).out)["results"]["x.onnx"]["cycle"]
    assert found > 10


@pytest.mark.usefixtures("_digits")
def test_a_truth_is_of_one_input_and_of_its_shape(call) -> None:
    translator("x.onnx", NEGATIVE)
    asked = ("gan-eval", "x.onnx", "--inputs", "A", "B", "--truth", "truth", *ALL)
    Image.new("L", (28, 14)).save("truth/005.png")
    words = "--truth truth: has a picture of another ratio of width and height for 005.png"
    assert call(*asked).refused(words)
    Image.new("L", (28, 28)).save("truth/005.bmp")
    assert call(*asked).refused("--truth truth: 005.bmp and 005.png belong to the same input; remove or rename one")


@pytest.mark.usefixtures("_digits")
def test_what_cannot_be_measured_is_refused(call, unconditional_model: Path) -> None:
    translator("x.onnx", NEGATIVE)
    linear_translator(Path("colour.onnx"), NEGATIVE, channels=3)
    Path("truth/005.png").unlink()
    Path("truth/007.png").unlink()
    model = str(unconditional_model)
    refused = {
        ("x.onnx", "--inputs", "A", "B", "--truth", "truth"): "--truth truth: has no picture for 005.png, 007.png",
        ("x.onnx", model, "--inputs", "A", "B"): f"{model}: is no translator, as x.onnx is",
        ("x.onnx", "A", "--inputs", "A", "B"): "A: is no translator, as x.onnx is",
        (model, "--inputs", "A", "mnist"): f"--inputs A: {model} translates no images; leave it out",
        (model, "--truth", "A", "mnist"): f"--truth A: {model} translates no images; leave it out",
        ("x.onnx", "colour.onnx", "--inputs", "A", "B"): "measure them separately",
        ("x.onnx", "--inputs", "missing", "B"): "missing: translators are measured on a folder or .zip of images",
        ("x.onnx", "--inputs", "A", "mnist"): "mnist: translators are measured on a folder or .zip of images",
        ("x.onnx", "--inputs", "A", "B", "--truth", "nowhere"): "nowhere: translators are measured on a folder",
    }
    for arguments, words in refused.items():
        done = call("gan-eval", *arguments, *ALL, "--quiet")
        assert done.refused(words), (arguments, done)
