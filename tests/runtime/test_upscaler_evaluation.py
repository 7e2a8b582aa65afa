"""gan-eval on upscaler files: photos, given low resolution, what is held out, measures of sharpness, refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
from formulas import noise, textured
from PIL import Image
from upscalers import enlarged as as_the_file
from upscalers import upscaler

from gan_runtime.data.photos import load_photos
from gan_runtime.evaluation import upscaling
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.hardest import worst_square
from gan_runtime.evaluation.metrics.luminance import gradient, on_luma
from gan_runtime.evaluation.networks import general_features
from gan_runtime.evaluation.upscaling import PATCH, looks_of, mean_scores, measure, pair_of, patches_of
from gan_runtime.images.options import PictureOptions
from gan_runtime.images.resample import cropped, enlarged, reduced

CPU = ("--device", "cpu", "--threads", 1)
SIZES = (130, 141), (97, 150), (64, 90), (101, 99)


def write(folder: str, pictures: dict[str, np.ndarray]) -> None:
    Path(folder).mkdir()
    for name, picture in pictures.items():
        Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(f"{folder}/{name}")


@pytest.fixture
def photos() -> dict[str, np.ndarray]:
    """A folder "photos" of three colour pictures, a grey one, and one that is too small."""
    found = {f"{i}.png": np.roll(textured(*size, 3), 7 * i, axis=1) for i, size in enumerate(SIZES)}
    found["grey.png"] = textured(90, 80, 1)
    write("photos", found | {"small.png": textured(14, 40, 3)})
    return found


def measured(call, *arguments: object) -> dict:
    """What gan-eval reports."""
    done = call("gan-eval", *arguments, *CPU, "--json", "--quiet")
    assert done.code == 0, done
    return json.loads(done.out)


def test_photos_are_reduced_enlarged_and_compared_beside_bicubic(call, photos) -> None:
    upscaler("x.onnx", 2)
    report = measured(call, "x.onnx", "photos", "--picture", "p.png")
    found, bicubic, real = report["results"]["x.onnx"], report["floors"]["bicubic"], report["floors"]["test images"]
    lows = [reduced(photo, 2) for photo in photos.values()]
    truths = [cropped(photo, 2) for photo in photos.values()]
    for scores, outputs in (
        (found, [as_the_file(low[None], 2)[0] for low in lows]),
        (bicubic, [enlarged(low, 2) for low in lows]),
    ):
        expected = np.mean([on_luma(one, truth, 2) for one, truth in zip(outputs, truths, strict=True)], axis=0)
        assert (scores["n"], scores["psnr"], scores["ssim"]) == (5, *map(pytest.approx, expected))
        assert 0 < scores["gradient"] < 1
    assert found["psnr"] < bicubic["psnr"]
    assert set(real) == {"n", "grid", "gradient"}
    assert [one["name"] for one in found["photos"]] == [*photos]
    assert np.mean([one["psnr"] for one in found["photos"]]) == pytest.approx(found["psnr"])
    assert (report["data"]["photos"], report["data"]["left_out"], report["data"]["which"]) == (6, ["small.png"], "all")
    assert (report["scale"], report["low"]) == (2, "bicubic")
    with Image.open("p.png") as picture:
        side = 64  # of the smallest photo
        assert picture.size == (5 * side, 3 * side)


def test_the_table_names_the_protocol_and_what_is_left_out(call, photos) -> None:
    upscaler("x.onnx", 2)
    upscaler("y.onnx", 2)
    done = call("gan-eval", "x.onnx", "y.onnx", "photos", *CPU, "--write")
    assert done.code == 0
    assert done.out.splitlines()[0].split() == ["x.onnx", "y.onnx", "bicubic", "test", "images"]
    words = (
        "PSNR",
        "SSIM",
        "grid",
        "gradient",
        "Y of BT.601",
        "5 of 6 photos of photos (all), 1 of them stored in grey",
    )
    assert all(word in done.out for word in (*words, "x2, low resolution bicubic")), done.out
    assert "FID of patches  " not in done.out, "too few patches"
    assert "photos: left out, smaller than the measures need: small.png" in done.err
    assert "BT.601" in Path("x.onnx.quality.md").read_text()


def test_given_low_resolution_is_paired_by_name(call, photos) -> None:
    lows = {name: textured(40 + 3 * i, 50, 3) for i, name in enumerate("abc")}
    write("low", {f"{name}x2.png": low for name, low in lows.items()})
    write("high", {f"{name}.png": as_the_file(low[None], 2)[0] for name, low in lows.items()})
    Image.fromarray(textured(30, 30, 3)).save("high/other.png")
    upscaler("x.onnx", 2)
    report = measured(call, "x.onnx", "--inputs", "low", "high")
    found = report["results"]["x.onnx"]
    assert (found["n"], found["psnr"], found["ssim"]) == (3, 100, pytest.approx(1))
    assert found["gradient"] == pytest.approx(1)
    assert report["low"] == "low"
    assert measured(call, "x.onnx", "--inputs", "low", "high", "--n", 2)["data"]["test"] == 2


@pytest.mark.parametrize("share", [0.4, 0.0])
def test_the_photos_that_the_training_held_out_are_measured(call, photos, share: float) -> None:
    digest = load_photos(Path("photos"), PictureOptions()).digest
    upscaler("x.onnx", 2, training={"hold_out": share, "digest": digest})
    upscaler("y.onnx", 2, training={"hold_out": 0.2, "digest": "of other photos"})
    data = measured(call, "x.onnx", "y.onnx", "photos")["data"]
    if share:
        assert data["test"] < 5
        assert data["which"] == "those that the training held out"
    else:
        assert (data["test"], data["which"]) == (5, "all, and the training held out none of them")
    assert measured(call, "y.onnx", "photos")["data"]["test"] == 5
    assert measured(call, "y.onnx", "photos", "--hold-out", 0.4)["data"]["which"] == "those that --hold-out selects"
    upscaler("y.onnx", 2, training={"hold_out": 0.2, "digest": digest})
    done = call("gan-eval", "x.onnx", "y.onnx", "photos", *CPU)
    assert done.refused("photos: x.onnx, y.onnx held out different shares of it in training; give --hold-out")


def test_real_degradations_depend_on_the_seed_and_the_photo_alone(call, photos) -> None:
    upscaler("x.onnx", 2, training={"degradation": "real"})
    report = measured(call, "x.onnx", "photos")
    assert report["low"] == "real"
    again = measured(call, "x.onnx", "photos")["results"]["x.onnx"]
    assert again["photos"] == report["results"]["x.onnx"]["photos"]
    assert measured(call, "x.onnx", "photos", "--seed", 1)["results"]["x.onnx"]["psnr"] != again["psnr"]
    assert measured(call, "x.onnx", "photos", "--degradation", "bicubic")["low"] == "bicubic"
    for name in ("1.png", "2.png", "3.png"):
        Path("photos", name).unlink()
    assert measured(call, "x.onnx", "photos")["results"]["x.onnx"]["photos"][0] == again["photos"][0]
    upscaler("y.onnx", 2)
    done = call("gan-eval", "x.onnx", "y.onnx", "photos", *CPU)
    assert done.refused("y.onnx was trained with --degradation bicubic, x.onnx with real")


def test_files_for_grey_pictures_are_measured_in_grey(call, photos) -> None:
    upscaler("x.onnx", 2, channels=1)
    report = measured(call, "x.onnx", "photos")
    assert "5 of them stored in grey" in report["remark"]
    assert 10 < report["results"]["x.onnx"]["psnr"] < report["floors"]["bicubic"]["psnr"]


def test_what_cannot_be_measured_is_refused(call, photos, unconditional_model: Path) -> None:
    upscaler("x.onnx", 2)
    upscaler("x3.onnx", 3)
    upscaler("grey.onnx", 2, channels=1)
    write("low", {name: textured(20, 20, 3) for name in ("0.png", "1.png")})
    write("lonely", {"0.png": reduced(photos["0.png"], 2), "7.png": textured(20, 20, 3)})
    write("tiny", {"a.png": textured(9, 9, 3)})
    model = str(unconditional_model)
    refused = {
        ("x.onnx", "x3.onnx", "photos"): "x3.onnx is x3, x.onnx x2; measure them separately",
        ("x.onnx", "grey.onnx", "photos"): "grey.onnx is for L, x.onnx for RGB; measure them separately",
        ("x.onnx", model, "photos"): f"{model}: is no upscaler, as x.onnx is; measure them separately",
        ("x.onnx", "mnist"): "mnist: upscalers are measured on a folder or .zip of photos",
        ("x.onnx", "tiny"): "tiny: no photo has 15 x 15 pixels or more",
        ("x.onnx", "--inputs", "low", "photos"): "low: 0.png has 20 x 20 pixels, not 70 x 65, 1/2 of those in photos",
        ("x.onnx", "--inputs", "lonely", "photos"): "photos: has no photo for 7.png of --inputs lonely",
        ("x.onnx", "--inputs", "low", "photos", "--hold-out", 0.1): "--hold-out 0.1: all pairs of --inputs are",
        ("x.onnx", "photos", "--truth", "photos"): "--truth photos: give the truth of upscalers as DATA",
        ("x.onnx", "photos", "--size", 64): "--size 64: photos keep their sizes",
        ("x.onnx", "photos", "--degradation", "jpeg"): "--degradation jpeg: unknown; choose one of bicubic, real",
        (model, "mnist", "--degradation", "real"): f"--degradation real: {model} is no upscaler; leave it out",
    }
    for arguments, words in refused.items():
        done = call("gan-eval", *arguments, *CPU, "--quiet")
        assert done.refused(words), (arguments, done)


# measures ------------------------------------------------------------------------------------------------------------


def test_the_gradient_is_the_mean_length_of_differences() -> None:
    ramp = np.broadcast_to((3 * np.arange(20) + 4 * np.arange(30)[:, None])[..., None], (30, 20, 1)).astype(np.uint8)
    assert gradient(ramp) == pytest.approx(5)


def test_pictures_with_a_grid_have_no_scores_of_sharpness() -> None:
    network = FeatureNetwork.load(general_features(), "cpu", 1).at(PATCH)
    pair = pair_of(textured(640, 640, 3), 4, "bicubic")
    truth = looks_of(pair.truth, 4, network)
    plain = enlarged(pair.low, 4)
    gridded = plain.copy()
    gridded[::4] = gridded[::4].clip(0, 245) + 10
    smooth, woven = (mean_scores([measure(one, pair.truth, 4, network)], [truth]) for one in (plain, gridded))
    assert 0 < smooth.gradient < 1
    assert smooth.patches > mean_scores([measure(pair.truth, pair.truth, 4, network)], [truth]).patches
    assert (woven.gradient, woven.patches) == (None, None)
    assert woven.grid > 3 > smooth.grid
    floors = {"test images": upscaling.real_scores([truth])}
    assert upscaling.problems(smooth.to_dict(), floors) == []
    assert upscaling.problems(woven.to_dict(), floors)[0].startswith("the enlarged pictures have a grid: ")


def test_photos_smaller_than_a_patch_have_no_distance_of_patches() -> None:
    network = FeatureNetwork.load(general_features(), "cpu", 1)
    truth = np.random.default_rng(0).integers(0, 256, (PATCH.height - 4, 80, 3), np.uint8)
    found = mean_scores([measure(truth, truth, 4, network)], [looks_of(truth, 4, network)])
    assert (found.patches, found.gradient) == (None, 1.0)


def test_patches_are_the_whole_squares_of_a_picture() -> None:
    picture = textured(130, 70, 1)
    found = patches_of(picture)
    assert found.shape == (2, 64, 64, 3)
    assert (found[1] == picture[64:128, :64]).all()
    assert patches_of(picture[:63]).shape == (0, 64, 64, 3)


def test_the_worst_square_has_the_largest_error() -> None:
    truth = textured(100, 120, 1)
    output = truth.astype(int)
    output[40:72, 64:96] += np.rint(40 * noise("error", (32, 32, 1))).astype(int)
    error, down, across = worst_square(output.clip(0, 255).astype(np.uint8), truth, 32)
    assert (down, across) == (40, 64)
    assert error == pytest.approx(np.square(output.clip(0, 255) - truth.astype(int))[40:72, 64:96].mean())
