"""A deploy host for real: a fresh virtual environment with the wheel and gan-edge[cpu] alone."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from translators import translator
from upscalers import enlarged, upscaler

from gan_runtime import Generator
from gan_runtime.models import checkout, shipped_model

ROOT = Path(__file__).resolve().parents[2]


def run(*command: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def deploy_host(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the commands of a new environment with `pip install gan-edge[cpu]` from the wheel.

    pip is that of the tests, and modules are compiled when they are imported: half of the time of an installation.
    """
    home = tmp_path_factory.mktemp("deploy")
    run(sys.executable, "-m", "venv", "--without-pip", home)
    pip = [sys.executable, "-m", "pip", "--python", home, "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--no-compile", "-c", ROOT / "constraints.txt", f"{wheel}[cpu]")
    return home / "bin"


def test_the_wheel_holds_both_packages_and_the_shipped_models_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"gan_runtime", "gan_trainer"}
    for name in (
        "gan_runtime/shipped/mnist.onnx",
        "gan_runtime/shipped/fashion-mnist.onnx",
        "gan_runtime/shipped/emoji.onnx",
        "gan_runtime/py.typed",
        "gan_trainer/py.typed",
        "gan_trainer/report/report.html",
        "gan_trainer/report/uplot/uPlot.iife.min.js",
        "gan_trainer/report/uplot/LICENSE",
    ):
        assert name in names
    assert not any(name.endswith((".gz", ".pt", ".png")) for name in names)


def test_a_deploy_host_has_no_torch_and_samples(deploy_host: Path, tmp_path: Path) -> None:
    code = "from importlib.metadata import distributions as d; print(*(one.metadata['Name'].lower() for one in d()))"
    names = set(run(deploy_host / "python", "-c", code).stdout.split())
    assert {"gan-edge", "onnxruntime", "numpy", "pillow", "typer"} <= names
    assert not {"torch", "onnx", "onnxscript"} & names
    done = run(deploy_host / "gan-sample", "--n", 64, "out.png", cwd=tmp_path)
    assert "shipped with gan-edge" in done.stderr
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_the_deploy_host_draws_the_pictures_of_this_host(deploy_host: Path, tmp_path: Path) -> None:
    run(deploy_host / "gan-sample", "--n", 100, "--seed", 5, "out.npy", cwd=tmp_path)
    here = Generator.load(shipped_model("mnist"), device="cpu").sample(100, seed=5)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), here)
    check = run(deploy_host / "gan-info", ROOT / "exported" / "mnist.onnx", "--check", "--device", "cpu", cwd=tmp_path)
    assert "the pictures of the exporting host" in check.stdout
    assert "problems:        none" in run(deploy_host / "gan-info", "--doctor", cwd=tmp_path).stdout


def test_a_deploy_host_translates(deploy_host: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    model = translator(tmp_path / "invert.onnx")
    run(deploy_host / "gan-translate", "--model", model, "photo.png", "out.png", cwd=tmp_path)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), 255 - pixels)


def test_a_deploy_host_upscales(deploy_host: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    model = upscaler(tmp_path / "x4.onnx", 4)
    run(deploy_host / "gan-upscale", "--model", model, "photo.png", "out.tif", "--tile", "16", cwd=tmp_path)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.tif")), enlarged(pixels[None], 4)[0])


def test_a_deploy_host_is_told_what_training_needs(deploy_host: Path, tmp_path: Path) -> None:
    for command in ("gan-train", "gan-export"):
        assert "--version" in run(deploy_host / command, "--help").stdout
        done = subprocess.run([deploy_host / command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        needs = f"{command} needs torch, onnx: pip install 'gan-edge[train,cpu]'"
        assert done.stderr == f"{command}: error: {needs}\n"


def test_the_wheel_reads_data_from_where_the_user_says(deploy_host: Path, tmp_path: Path) -> None:
    code = "from gan_runtime.data import load_dataset; print(len(load_dataset('mnist', 'test').images))"
    found = run(deploy_host / "python", "-c", code, cwd=tmp_path, GAN_EDGE_DATA=str(ROOT / "data"))
    assert found.stdout == "10000\n"
    missing = subprocess.run(
        [deploy_host / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "DataError: mnist: t10k-images-idx3-ubyte.gz and" in missing.stderr


def test_an_editable_installation_finds_the_checkouts_models(tmp_path: Path) -> None:
    """The tests themselves run in one: `make` installs the project so."""
    if checkout() != ROOT:
        pytest.skip("the project is installed from a wheel here")
    done = run(Path(sys.executable).parent / "gan-sample", "--n", 4, "out.png", cwd=tmp_path)
    assert str(ROOT / "exported" / "mnist.onnx") in done.stderr
