"""gan-export --precision: runs of every task, measured on their data; what is refused, and how."""

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from formulas import textured
from PIL import Image

from gan_runtime import models
from gan_runtime.data.split import split_by_content
from gan_runtime.errors import InputError
from gan_runtime.evaluation import networks
from gan_runtime.evaluation.scores import feature_distances
from gan_runtime.manifest import read_manifest
from gan_runtime.model_file import read_model_file
from gan_runtime.models import shipped_features
from gan_trainer.runs.export import export_run
from gan_trainer.runs.folder import Run
from gan_trainer.tasks import generate
from gan_trainer.tasks.precision import Asked, _check
from gan_trainer.tasks.task import Measured

HERE = ("--device", "cpu", "--threads", 1, "--quiet")
N = 130
ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(digits: str, call, monkeypatch: pytest.MonkeyPatch):
    """Train a recipe on a thousand digits for a moment, and give the folder of the run."""
    path = shipped_features("mnist")
    if path is None:
        pytest.skip("the features for mnist are not here")
    for module in (models, networks):
        monkeypatch.setattr(module, "shipped_features", {digits: path}.get)
    monkeypatch.setattr(generate, "FULL", N)

    def run(recipe: str, *more: object) -> str:
        train = ("gan-train", digits, "--recipe", recipe, "--images", 640, "--batch-size", 64, "--name", "x")
        done = call(*train, "--width", 8, *HERE, *more)
        assert done.code == 0, done
        return "runs/x"

    return run


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_generators_are_measured_by_the_distance_of_their_images(run, call, precision: str) -> None:
    folder = run("quick")
    done = call("gan-export", folder, "--precision", precision, "--tolerance", 1, "--output", "x.onnx", "--json")
    assert done.code == 0, done
    assert "FID" in done.err
    report = json.loads(done.out)
    about = report["precision"]
    assert (about["name"], about["metric"], about["n"]) == (precision, "fid", N)
    assert call("gan-export", folder, "--output", "whole.onnx").code == 0
    assert about["bytes"] == Path("whole.onnx").stat().st_size > Path("x.onnx").stat().st_size == report["bytes"]
    for name, key in (("whole.onnx", "before"), ("x.onnx", "after")):
        scores = json.loads(call("gan-eval", name, "digits", "--n", N, *HERE, "--json").out)["results"][name]
        assert scores["fid"] == pytest.approx(about[key], rel=1e-6)
    assert call("gan-sample", "--model", "x.onnx", "--n", 4, "out.png", "--quiet").code == 0


def test_encoders_are_measured_by_what_they_rebuild(run, call) -> None:
    folder = run("vae")
    done = call("gan-export", folder, "--precision", "int8", "--tolerance", 1, "--output", "x.onnx")
    assert done.code == 0, done
    generator, encoder = (read_model_file(name) for name in ("x.onnx", "x-encoder.onnx"))
    manifest = read_manifest(encoder)
    assert manifest is not None
    assert manifest.precision is not None
    assert manifest.precision.metric == "psnr"
    assert 5 < manifest.precision.after < 30
    assert manifest.training["generator"]["sha256"] == generator.sha256
    Image.fromarray(np.zeros((28, 28), np.uint8)).save("a.png")
    assert call("gan-encode", "a.png", "a.npz", "--model", "x-encoder.onnx", "--quiet").code == 0


def test_no_range_of_an_encoder_is_of_a_held_out_image(make, dataset) -> None:
    config = make("vae")
    config = replace(config, data=replace(config.data, hold_out=0.25))
    split = split_by_content(dataset, 0.25)
    typical, measured = generate._rows_of_encoder(config, dataset)
    assert (typical.tolist(), measured.tolist()) == (split.train.tolist(), split.held_out.tolist())
    (feeds,) = generate.typical(config, dataset)["encoder"][:1]
    assert np.array_equal(feeds["images"], dataset.images[typical[: len(feeds["images"])]])


def test_a_file_that_is_worse_than_allowed_is_refused_with_both_numbers(
    run, call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def further_every_time(*arguments: object) -> dict[str, float]:
        return {name: value + 1000 * next(calls) for name, value in feature_distances(*arguments).items()}

    folder = run("quick")
    Path("x.onnx").write_bytes(b"older")
    for tolerance in (0, 0.1):
        calls = itertools.count()
        monkeypatch.setattr(generate, "feature_distances", further_every_time)
        done = call("gan-export", folder, "--precision", "int8", "--tolerance", tolerance, "--output", "x.onnx")
        assert done.refused(
            "--precision int8: FID of 130 samples is", f"in fp32, and --tolerance {tolerance:g} allows", "export it in"
        )
        assert Path("x.onnx").read_bytes() == b"older"


@pytest.mark.parametrize(
    ("metric", "before", "after", "real", "tolerance", "words"),
    [
        ("fid", 0.05, 0.0531, 0.0, 0.05, ("FID of 100 samples is 0.0531 instead of 0.0500", "allows 0.0525")),
        ("fid", 0.05, 0.058, 0.02, 0.1, ("allows 0.0570; give --tolerance 0.115, or export it in fp32",)),
        ("psnr", 28.0, 27.8, 0.0, 0.1, ("27.80 dB instead of 28.00 dB", "allows 27.90 dB; give --tolerance 0.2")),
        ("cycle", 10.0, 12.0, 0.0, 0.1, ("cycle error", "12.00 instead of 10.00", "allows 11.00")),
        ("fid", 0.0, 90.0, 0.0, 0.1, ("give a higher --tolerance, or export it in fp32",)),
    ],
)
def test_what_a_tolerance_allows(
    metric: str, before: float, after: float, real: float, tolerance: float, words: tuple[str, ...]
) -> None:
    measured = [Measured(metric, value, 100, real) for value in (before, after)]
    with pytest.raises(InputError) as refused:
        _check(Asked("int8", tolerance), measured[0], measured[1])
    for word in words:
        assert word in str(refused.value)
    _check(Asked("int8", tolerance), measured[0], measured[0])
    _check(Asked("int8", tolerance), measured[1], measured[0])  # better


def test_distances_of_real_images_below_0_leave_a_tolerance() -> None:
    """KID is an estimate without bias: of images as good as real ones it may be negative."""
    before = Measured("kid", 0.001, 100, -0.002)
    _check(Asked("int8", 0.1), before, before._replace(value=0.0012))
    with pytest.raises(InputError, match=r"give --tolerance 0\.334, or export it in fp32"):
        _check(Asked("int8", 0.1), before, before._replace(value=0.002))


def test_upscalers_are_measured_by_psnr(call) -> None:
    Path("photos").mkdir()
    for i in range(12):
        Image.fromarray(np.roll(textured(72, 72, 3), 11 * i, axis=(0, 1))).save(f"photos/{i:02d}.png")
    small = ("--width", 8, "--blocks", 1, "--crop", 16, "--batch-size", 2, "--scale", 2, "--hold-out", 0.4, *HERE)
    assert call("gan-train", "photos", "--recipe", "sr", *small, "--images", 8, "--name", "x").code == 0
    done = call("gan-export", "runs/x", "--precision", "int8", "--output", "x.onnx", "--json")
    assert done.code == 0, done
    about = json.loads(done.out)["precision"]
    assert about["metric"] == "psnr"
    assert about["after"] > about["before"] - 0.1
    shutil.move("photos", "elsewhere")
    export = ("gan-export", "runs/x", "--precision", "int8", "--output", "y.onnx")
    assert call(*export).refused("the images of this run are missing; give their new path with --data-dir")
    assert call(*export, "--data-dir", "elsewhere").code == 0
    assert Path("x.onnx").read_bytes() == Path("y.onnx").read_bytes().replace(b'"y"', b'"x"')


@pytest.mark.parametrize(("recipe", "metrics"), [("pix2pix-quick", ["psnr"]), ("cyclegan-quick", ["kid", "cycle"])])
def test_translators_are_measured_by_truth_or_by_domain(real_digits, call, recipe: str, metrics: list[str]) -> None:
    for folder in ("pairs/A", "pairs/B"):
        Path(folder).mkdir(parents=True)
    for i, digit in enumerate(real_digits["train"][0][:90]):
        Image.fromarray(digit).save(f"pairs/A/{i:03d}.png")
        Image.fromarray(255 - digit).save(f"pairs/B/{i:03d}.png")
    small = ("--size", 28, "--mode", "L", "--width", 4, "--d-width", 4, "--batch-size", 6, "--hold-out", 0.25, *HERE)
    blocks = ("--blocks", 1) if recipe.startswith("cyclegan") else ()
    train = ("gan-train", "pairs", "--recipe", recipe, *small, *blocks, "--images", 36, "--name", "x")
    assert call(*train).code == 0
    done = call("gan-export", "runs/x", "--precision", "int8", "--tolerance", 1, "--output", "x.onnx")
    assert done.code == 0, done
    files = ["x.onnx", "x-inverse.onnx"][: len(metrics)]
    found = [read_manifest(read_model_file(name)) for name in files]
    assert [one.precision.metric for one in found if one and one.precision] == metrics
    assert call("gan-translate", "pairs/A/000.png", "out.png", "--model", "x.onnx", "--quiet").code == 0


def test_bad_requests(run, call) -> None:
    folder = run("quick")
    export = ("gan-export", folder, "--output", "x.onnx")
    for more, words in {
        ("--precision", "int4"): ("--precision 'int4': choose fp32, int8, fp16",),
        ("--precision", "int8", "--tolerance", 11): ("--tolerance 11: must be from 0 to 10",),
        ("--precision", "int8", "--tolerance", "nan"): ("--tolerance nan: must be from 0 to 10",),
        ("--tolerance", 1): ("--tolerance 1", "only with --precision int8 or fp16"),
        ("--data-dir", "d"): ("--data-dir d", "only with --precision int8 or fp16"),
        ("--offline",): ("--offline", "only with --precision int8 or fp16"),
    }.items():
        assert call(*export, *more).refused(*words), more
    Path("w.pth").write_bytes(b"")
    assert call("gan-export", "w.pth", "--precision", "int8").refused("--precision int8: needs the data of a run")
    shutil.rmtree("data")
    assert call(*export, "--precision", "int8").refused("digits")
    assert not Path("x.onnx").exists()


def test_downloads_can_be_forbidden(call, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "tests/fixtures/format-2/quick", "runs/quick")
    monkeypatch.setattr("gan_runtime.data.download._get", lambda *_, **__: pytest.fail("was downloaded"))
    export = ("gan-export", "runs/quick", "--precision", "int8", "--output", "x.onnx", "--data-dir", "empty")
    assert call(*export, "--offline").refused("not found in empty and --offline forbids to download them")
    assert not Path("x.onnx").exists()


def test_points_stay_in_fp32(call) -> None:
    assert call("gan-train", "ring8", "--images", 640, "--name", "x", *HERE).code == 0
    words = "--precision int8: files of the task points are in fp32"
    assert call("gan-export", "runs/x", "--precision", "int8").refused(words)


def test_generators_with_styles_stay_in_fp32(digits: str, call) -> None:
    small = ("--latent-dim", 8, "--style-dim", 8, "--max-width", 8, "--mapping-layers", 1, "--size", 32)
    train = ("gan-train", digits, "--recipe", "stylegan2", "--images", 16, "--batch-size", 8, "--name", "x")
    done = call(*train, *small[:-2], "--eval-every", 0, *HERE)
    assert done.code == 0, done
    words = "--precision int8: is not offered for generators with styles"
    assert call("gan-export", "runs/x", "--precision", "int8", "--output", "x.onnx").refused(words)


def test_runs_on_arrays_stay_in_fp32(dataset, make) -> None:
    from gan_trainer.data.source import IN_MEMORY
    from gan_trainer.tasks import task_of
    from gan_trainer.tasks.precision import check_asked

    config = make("quick")
    config = replace(config, data=replace(config.data, source=IN_MEMORY))
    with pytest.raises(InputError, match="are in no file; leave it out"):
        check_asked(Asked("int8"), task_of(config), config)


def test_python_takes_the_same(run) -> None:
    files = export_run(Run(Path(run("quick"))), output=Path("x.onnx"), precision=Asked("int8", 5.0))
    manifest = read_manifest(files["generator"])
    assert manifest is not None
    assert manifest.precision is not None
    assert Path("x.onnx").read_bytes() == files["generator"].content
