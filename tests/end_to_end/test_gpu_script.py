"""benchmarks/gpu.py and arm.py, as far as they go on a host without a GPU and without an emulator."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gan_runtime.devices.trial import why_not
from gan_runtime.onnx_runtime import CUDA, import_onnxruntime

ROOT = Path(__file__).resolve().parents[2]


def run(script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_all_parts_run_on_a_cpu(conditional_model: Path, random_features: Path, tmp_path: Path) -> None:
    written = tmp_path / "gpu.json"
    few = ("--n", "3", "--batch-sizes", "2", "--rounds", "1", "--check", "--json", "--write", str(written))
    done = run("gpu.py", "--device", "cpu", *few, str(conditional_model), str(random_features))
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report == json.loads(written.read_text())
    assert [row["differs by"] for row in report["same"]] == ["nothing", "nothing"]
    assert [(row["on"], row["batch"]) for row in report["rows"]] == 2 * [("CPU", 2), ("CPU, bound", 2)]


def test_without_cuda_it_ends_with_the_reason() -> None:
    if CUDA in import_onnxruntime().get_available_providers() and not why_not([CUDA]):
        pytest.skip("CUDA works here")
    done = run("gpu.py")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("no CUDA here: device cuda: cannot be used: ")
    assert done.stderr.count("\n") == 1


def test_differences_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import arm
    import parity

    images, latents = np.full((2, 3, 3, 1), 7, np.uint8), np.linspace(-2, 1, 6, dtype=np.float32)
    for here, there, apart, same in (
        (images, images, 0, True),
        (images, images - 1, 1, True),
        (images, images + 2, 2, False),
        (images, images[:1], np.inf, False),
        (latents, latents * np.float32(1.0001), pytest.approx(1e-4, rel=1e-2), True),
        (latents, latents + np.float32(0.01), pytest.approx(0.005, rel=1e-2), False),
    ):
        found = parity.difference(here, there)
        assert found == apart
        assert parity.agrees(found, here) == same
    threads = {f"{number} {arm.THREADS} threads": np.zeros(()) for number in range(2)}
    np.savez(tmp_path / "a.npz", **{"0": images, "1": latents}, **threads)
    np.savez(tmp_path / "b.npz", **{"0": images + 2, "1": latents}, **threads)
    rows, missed = arm.compare(["x.onnx", "y.onnx"], tmp_path / "a.npz", tmp_path / "b.npz")
    assert [row["differ by"] for row in rows] == ["2 grey levels", "nothing"]
    assert len(missed) == 1
    assert "x.onnx: differs by 2 grey levels" in missed[0]
