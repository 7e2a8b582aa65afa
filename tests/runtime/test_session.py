import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest

from gan_runtime.cpus import _cgroup_quota, available_cpus
from gan_runtime.errors import DeviceError, InputError, ModelError
from gan_runtime.model_file import ModelFile, parse_model, read_model_file
from gan_runtime.session import CPU, CUDA, open_session
from gan_runtime.streams import captured_output


@pytest.fixture
def file(conditional_model: Path) -> ModelFile:
    return read_model_file(conditional_model)


def test_cpu_is_cpu(file: ModelFile) -> None:
    session = open_session(file, "cpu")
    assert session.device == "cpu"
    assert session.onnx.get_providers() == [CPU]
    assert session.threads == available_cpus()


def test_unknown_device_is_refused(file: ModelFile) -> None:
    with pytest.raises(InputError, match=r"device 'tpu': choose one of auto, cpu, cuda"):
        open_session(file, "tpu")


@pytest.mark.parametrize("threads", [0, -1, 100_000])
def test_absurd_threads_are_refused(file: ModelFile, threads: int) -> None:
    with pytest.raises(InputError, match=f"threads {threads}"):
        open_session(file, "cpu", threads)


@pytest.mark.skipif(
    CUDA in __import__("onnxruntime").get_available_providers(), reason="this ONNX Runtime was built with CUDA"
)
def test_a_build_without_cuda_says_so(file: ModelFile) -> None:
    with pytest.raises(DeviceError, match=r"built without CUDA \(gan-edge\[cuda\] has it\)"):
        open_session(file, "cuda")
    session = open_session(file, "auto")
    assert (session.device, "built without CUDA" in session.reason) == ("cpu", True)


class BuildWithCuda:
    """ONNX Runtime as its GPU wheel behaves on a host without a GPU: a CPU session, the reason on stderr."""

    __version__ = "1.99"
    complaint = (
        "\x1b[1;31m2026-11-01 10:00:00.1 [E:onnxruntime:Default, bridge.cc:9 TryGet] /src/onnxruntime/x.cc:9 Get() "
        "Failed to load library /a/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open\n"
        "\x1b[0;93m2026-11-01 10:00:00.1 [W:onnxruntime:Default, x.cc:9 F] Failed to create CUDAExecutionProvider. "
        "Require cuDNN 9.* and CUDA 13.*. Please install all dependencies\x1b[m\n"
    )
    SessionOptions = staticmethod(lambda: SimpleNamespace(add_session_config_entry=lambda *_: None))

    def get_available_providers(self) -> list[str]:
        return [CUDA, CPU]

    def preload_dlls(self) -> None:
        os.write(1, b"preload_dlls: diagnostics that belong nowhere\n")

    def InferenceSession(self, content: bytes, options: Any, providers: list[Any]) -> Any:  # noqa: N802
        if providers[0] != CPU:
            os.write(2, self.complaint.encode())
        return SimpleNamespace(get_providers=lambda: [CPU])


@pytest.fixture
def gpu_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_runtime.session.import_onnxruntime", BuildWithCuda)


@pytest.mark.usefixtures("gpu_wheel")
def test_no_silent_cpu_session(file: ModelFile, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DeviceError) as refused:
        open_session(file, "cuda")
    reason = "libcublasLt.so.13: cannot open; Require cuDNN 9.* and CUDA 13.*"
    assert str(refused.value) == f"device cuda: cannot be used: {reason}"
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("gpu_wheel")
def test_auto_falls_back_and_says_why(file: ModelFile, capfd: pytest.CaptureFixture[str]) -> None:
    session = open_session(file, "auto")
    assert session.device == "cpu"
    assert "Require cuDNN" in session.reason
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("gpu_wheel")
@pytest.mark.parametrize(
    "complaint", ["", "2026-11-01 10:00:00.1 [E:onnxruntime:, x.cc:9 F] CUDA failure 100: no device\n"]
)
def test_another_reason_is_passed_on(file: ModelFile, complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BuildWithCuda, "complaint", complaint)
    with pytest.raises(DeviceError, match="CUDA failure 100: no device" if complaint else "without a reason"):
        open_session(file, "cuda")


def test_captured_output_returns_to_both_streams(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_output() as output:
        os.write(1, b"one ")
        os.write(2, b"two")
    os.write(1, b"after")
    assert output == ["one two"]
    assert capfd.readouterr() == ("after", "")


def test_external_data_never_reaches_onnxruntime(file: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_runtime.session.import_onnxruntime", lambda: pytest.fail("ONNX Runtime was asked"))
    with pytest.raises(ModelError, match="refers to data in other files"):
        open_session(replace(file, external_data=True), "cpu")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("ir_version", 99, "Unsupported model IR version: 99"), ("opset", 99, "opset")],
)
def test_models_from_the_future_are_refused(file: ModelFile, field: str, value: int, message: str) -> None:
    model = onnx.load_from_string(file.content)
    if field == "opset":
        model.opset_import[0].version = value
    else:
        model.ir_version = value
    with pytest.raises(ModelError, match=f"{message}.*upgrade ONNX Runtime") as refused:
        open_session(parse_model(model.SerializeToString(), file.path), "cpu")
    assert "\n" not in str(refused.value)


def test_telemetry_is_off_unless_turned_on(conditional_model: Path) -> None:
    code = (
        "import os, sys; from gan_runtime import Generator; Generator.load(sys.argv[1], 'cpu');"
        "print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )

    def value(**environment: str) -> str:
        inherited = {key: text for key, text in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
        command = [sys.executable, "-c", code, str(conditional_model)]
        return subprocess.run(command, env=inherited | environment, capture_output=True, text=True, check=True).stdout

    assert value().strip() == "1"
    assert value(ORT_DISABLE_TELEMETRY="0").strip() == "0"


def test_threads_respect_affinity() -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system has no CPU affinity")
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_cpus() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4.0),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_container_quota(files: dict[str, str], quota: float | None, tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n")
    assert _cgroup_quota(tmp_path) == quota
