import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from gan_runtime.devices import trial
from gan_runtime.devices.processors import _cgroup_quota, available_cpus, idle_cpus
from gan_runtime.errors import DeviceError, InputError, ModelError
from gan_runtime.model_file import ModelFile, parse_model, read_model_file
from gan_runtime.onnx_runtime import CPU, CUDA
from gan_runtime.session import open_session


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


FAKE_GPU_WHEEL = '''
"""ONNX Runtime as its GPU wheel behaves on a host without a GPU: a CPU session, the reason on stderr."""
import os
from types import SimpleNamespace

__version__ = "1.99"
SessionOptions = lambda: SimpleNamespace(add_session_config_entry=lambda *_: None)
get_available_providers = lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
preload_dlls = lambda: os.write(1, b"preload_dlls: diagnostics that belong nowhere\\n")

def InferenceSession(content, options, providers, **_):
    if len(providers) > 1:
        COMPLAIN
    return SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"], run=lambda *_: None)
'''
COMPLAINT = (
    "\x1b[1;31m2026-11-01 10:00:00.1 [E:onnxruntime:Default, bridge.cc:9 TryGet] /src/onnxruntime/x.cc:9 Get() "
    "Failed to load library /a/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open\n"
    "\x1b[0;93m2026-11-01 10:00:00.1 [W:onnxruntime:Default, x.cc:9 F] Failed to create CUDAExecutionProvider. "
    "Require cuDNN 9.* and CUDA 13.*. Please install all dependencies\x1b[m\n"
)
Install = Callable[[str], None]


@pytest.fixture
def gpu_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """A package `onnxruntime` before the real one on sys.path: also of the child in which CUDA is tried."""

    def install(complain: str) -> None:
        (tmp_path / "onnxruntime").mkdir()
        (tmp_path / "onnxruntime" / "__init__.py").write_text(FAKE_GPU_WHEEL.replace("COMPLAIN", complain))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)

    trial.forget()
    yield install
    trial.forget()


def test_no_silent_cpu_session(gpu_wheel: Install, file: ModelFile, capfd: pytest.CaptureFixture[str]) -> None:
    gpu_wheel(f"os.write(2, {COMPLAINT.encode()!r})")
    with pytest.raises(DeviceError) as refused:
        open_session(file, "cuda")
    reason = "libcublasLt.so.13: cannot open; Require cuDNN 9.* and CUDA 13.*"
    advice = "pip install 'gan-edge[cuda]' brings CUDA's and cuDNN's libraries"
    assert str(refused.value) == f"device cuda: cannot be used: {reason}; {advice}"
    assert capfd.readouterr() == ("", "")


def test_auto_falls_back_and_says_why(gpu_wheel: Install, file: ModelFile, capfd: pytest.CaptureFixture[str]) -> None:
    gpu_wheel(f"os.write(2, {COMPLAINT.encode()!r})")
    session = open_session(file, "auto")
    assert session.device == "cpu"
    assert "Require cuDNN" in session.reason
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("complain", "reason"),
    [
        ("pass", "without a reason"),
        (
            "os.write(2, b'2026-11-01 10:00:00.1 [E:onnxruntime:, x.cc:9 F] CUDA failure 100: no device\\n')",
            "100: no device; there is no NVIDIA driver or no GPU here",
        ),
        (
            "raise RuntimeError('CUDA failure 35: old driver')",
            "CUDA failure 35: old driver; install a newer NVIDIA driver",
        ),
        ("os.kill(os.getpid(), 11)", "ended by signal 11"),
    ],
)
def test_another_reason_is_passed_on(gpu_wheel: Install, file: ModelFile, complain: str, reason: str) -> None:
    gpu_wheel(complain)
    with pytest.raises(DeviceError, match=reason):
        open_session(file, "cuda")


def test_a_trial_that_hangs_is_given_up(gpu_wheel: Install, file: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu_wheel("import time; time.sleep(60)")
    monkeypatch.setattr("gan_runtime.devices.trial.TIMEOUT_SECONDS", 0.5)
    with pytest.raises(DeviceError, match=r"did not start within 0\.5 seconds"):
        open_session(file, "cuda")


def test_where_no_child_can_be_started_cuda_is_tried_in_the_process(
    gpu_wheel: Install, file: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu_wheel("pass")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("a frozen program would start itself"))
    assert open_session(file, "auto").reason == "ONNX Runtime gave a CPU session without a reason"


def test_the_model_that_tries_cuda_is_valid(file: ModelFile) -> None:
    onnx.checker.check_model(onnx.load_from_string(trial.MODEL), full_check=True)
    session = open_session(parse_model(trial.MODEL, Path("probe.onnx")), "cpu")
    assert session.onnx.run(None, {"x": np.ones(1, np.float32)})[0].tolist() == [2.0]


def test_loading_leaves_the_process_as_it_is(conditional_model: Path) -> None:
    """Threads load while another one prints: nothing of it is lost, and no state of the process is another one."""
    code = """
import locale, os, signal, sys, threading, warnings
from gan_runtime import Generator

def state():
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    streams = [(os.fstat(number).st_dev, os.fstat(number).st_ino) for number in (1, 2)]
    return dict(os.environ), handlers, streams, list(warnings.filters), locale.setlocale(locale.LC_ALL), os.getcwd()

before = state()
threads = [threading.Thread(target=Generator.load, args=(sys.argv[1], device)) for device in ("auto", "cpu") * 4]
for thread in threads:
    thread.start()
for number in range(2000):
    os.write(1, b"%d\\n" % number)
for thread in threads:
    thread.join()
assert state() == before, (state(), before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(conditional_model)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [str(number) for number in range(2000)]


def test_no_other_format_is_sniffed(file: ModelFile) -> None:
    """ONNX Runtime takes a file for its own format, whose data no reader has seen, where bytes 4 to 8 are "ORTM"."""
    model = onnx.load_from_string(file.content)
    model.producer_name = "xxORTM"
    first = b"\x12\x06xxORTM"
    content = first + model.SerializeToString().replace(first, b"", 1)
    assert content[4:8] == b"ORTM"
    assert open_session(parse_model(content, file.path), "cpu").device == "cpu"


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
    assert "::" not in str(refused.value)


def test_commands_turn_telemetry_off_unless_it_was_turned_on() -> None:
    def value(**environment: str) -> str:
        inherited = {key: text for key, text in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
        command = [
            sys.executable,
            "-c",
            "from gan_runtime.commands.info import info_main; info_main()",
            "--doctor",
            "--json",
        ]
        done = subprocess.run(command, env=inherited | environment, capture_output=True, text=True, check=False)
        return str(json.loads(done.stdout)["telemetry"])

    assert value() == "off"
    assert value(ORT_DISABLE_TELEMETRY="0") == "left on by the environment"


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
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert _cgroup_quota(tmp_path) == quota


def test_idle_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_runtime.devices.processors.available_cpus", lambda: 4)
    for share, expected in ((0.0, 4.0), (0.25, 3.0), (1.0, 0.0), (None, None)):
        monkeypatch.setattr("gan_runtime.devices.processors.Others.share", lambda _, share=share: share)
        assert idle_cpus(seconds=0.0) == expected
