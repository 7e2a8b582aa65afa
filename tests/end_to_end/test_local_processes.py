"""gan-sample divides jobs of many small images among processes of this host. They end with it, and nothing is lost."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from helpers import Result, is_writing, leftovers, started

from gan_runtime.commands import local_processes
from gan_runtime.outputs import processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
START = "import gan_runtime.commands.local_processes as l; l.LEAST = 1"
SAMPLE = [sys.executable, "-c", f"{START}; from gan_runtime.commands.sample import sample_main; sample_main()"]
JOB = ["out.tar", "--n", "16000", "--shard-size", "500", "--device", "cpu"]
FEW = ["out.tar", "--n", "80", "--shard-size", "10", "--device", "cpu"]
Call = Callable[..., Result]


def runs(process: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def wait_for(condition: Callable[[], Any]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.002)


def shards() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().glob("out-0*.tar")}


def job(model: Path, *more: str, **settings: Any) -> "subprocess.Popen[str]":
    command = [*SAMPLE, *JOB, "--model", str(model), "--threads", "2", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_processes, "LEAST", 1)


@pytest.fixture(scope="module")
def alone(conditional_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The shards of one process with one thread."""
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([*SAMPLE, *JOB, "--model", conditional_model, "--threads", "1", "--quiet"], check=True, cwd=folder)
    return {path.name: path.read_bytes() for path in folder.glob("out-0*.tar")}


def test_the_files_are_those_of_one_process(conditional_model: Path, alone: dict[str, bytes]) -> None:
    out, err = job(conditional_model, "--json").communicate(timeout=100)
    report = json.loads(out)
    assert (report["processes"], report["threads"], report["kept"], err) == (2, 2, 0, "")
    assert shards() == alone
    assert not leftovers(Path())


@pytest.mark.usefixtures("few")
def test_damaged_shards_are_written_again(call: Call, conditional_model: Path) -> None:
    assert call("gan-sample", *FEW, "--model", conditional_model, "--threads", 2).code == 0
    before = shards()
    Path("out-00003.tar").write_bytes(b"torn")
    Path("out-00005.tar").unlink()
    done = call("gan-sample", *FEW, "--model", conditional_model, "--threads", 2)
    assert "damaged, written again: out-00003.tar\n" in done.err
    assert "60 of 80 images exist already" in done.err
    assert shards() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_all_processes_end_with_the_job(
    number: signal.Signals, conditional_model: Path, alone: dict[str, bytes]
) -> None:
    with job(conditional_model, start_new_session=True) as process:
        wait_for(lambda: any(map(is_writing, started(process.pid))))
        others = started(process.pid)
        if number == signal.SIGINT:  # as Ctrl-C: all of them get it
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}[number]
    if number == signal.SIGINT:
        assert err == "gan-sample: interrupted; run the same command again to resume\n"
    elif number == signal.SIGKILL:
        wait_for(lambda: not any(map(runs, others)))
    assert not any(map(runs, others))
    assert number == signal.SIGKILL or not leftovers(Path())
    assert len(shards()) < len(alone)
    job(conditional_model).communicate(timeout=100)
    assert shards() == alone
    assert not leftovers(Path())


def test_the_part_of_a_process_that_is_killed_is_done_by_another(
    conditional_model: Path, alone: dict[str, bytes]
) -> None:
    with job(conditional_model) as process:
        wait_for(lambda: any(map(is_writing, started(process.pid))))
        (other,) = started(process.pid)
        os.kill(other, signal.SIGKILL)
        _, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (0, "one of 2 processes ended early (signal 9); the others do its part\n")
    assert shards() == alone
    assert not leftovers(Path())


def test_a_full_disk_is_one_line(conditional_model: Path) -> None:
    limits = (4096, 4096)
    process = job(conditional_model, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits))
    out, err = process.communicate(timeout=100)
    assert Result(process.returncode, out, err).refused("out", "cannot be written", code=1)
    assert not leftovers(Path())
    assert not shards()


@pytest.mark.usefixtures("few")
def test_where_no_process_can_be_started_there_are_threads(
    call: Call, conditional_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(processes, "_start", refuse)
    done = call("gan-sample", *FEW, "--model", conditional_model, "--threads", 2, "--json")
    report = json.loads(done.out)
    assert (report["threads"], "processes" in report, len(shards())) == (2, False, 8)


@pytest.mark.usefixtures("few")
def test_a_model_that_is_replaced_meanwhile_is_not_used(
    call: Call, conditional_model: Path, unconditional_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, model = processes._start, Path("model.onnx")

    def replace() -> Any:
        model.write_bytes(unconditional_model.read_bytes())
        return start()

    assert call("gan-sample", *FEW, "--model", conditional_model, "--threads", 1).code == 0
    expected = shards()
    for path in expected:
        Path(path).unlink()
    Path("out-request.json").unlink()
    model.write_bytes(conditional_model.read_bytes())
    monkeypatch.setattr(processes, "_start", replace)
    done = call("gan-sample", *FEW, "--model", model, "--threads", 2)
    assert (done.code, shards()) == (0, expected)
    assert "one of 2 processes ended early (exit code 1)" in done.err


def test_the_front_door_divides_jobs_too(conditional_model: Path) -> None:
    job = ["out.tar", "--n", str(local_processes.LEAST), "--threads", "2", "--model", str(conditional_model)]
    command = [sys.executable, ROOT / "cli.py", "sample", *job, "--shard-size", "3000", "--quiet", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (json.loads(done.stdout)["processes"], done.stderr, len(shards())) == (2, "", 10)
