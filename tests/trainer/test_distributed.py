"""Training in several processes: equal gradients, equal states, resuming with other numbers of them, a killed one."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import ranks
import torch
from helpers import Result, colour_folders, tensors
from ranks import launch

from gan_runtime.errors import DataError, DeviceError, InputError
from gan_trainer.api.together import settings_of_first
from gan_trainer.recipes.recipe import recipe
from gan_trainer.systems import start_state
from gan_trainer.training.checkpoint import list_checkpoints, load_checkpoint
from gan_trainer.training.config import Config
from gan_trainer.training.distributed.joining import check_gpus
from gan_trainer.training.distributed.processes import ALONE, Processes, seed_of, share_of_batch

Call = Callable[..., Result]
TRAIN = ("a", "--size", 28, "--batch-size", 8, "--width", 4, "--device", "cpu", "--log-every", 8)
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "gan_trainer")
PATIENCE = 300  # seconds, on a busy machine


def ended(processes: list["subprocess.Popen[str]"]) -> list[Result]:
    try:
        return [
            Result(process.returncode, *texts)
            for process in processes
            if (texts := process.communicate(timeout=PATIENCE))
        ]
    finally:
        for process in processes:
            process.kill()


def trained(count: int, *arguments: object) -> list[Result]:
    return ended(launch(count, "-m", "gan_trainer", *arguments))


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two processes found that trained together."""
    folder = tmp_path_factory.mktemp("ranks")
    for done in ended(launch(2, ranks.__file__, folder)):
        assert done.code == 0, done.err[-3000:]
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("name", ranks.EQUAL)
def test_averaged_gradients_are_those_of_one_process(name: str, reports: list[dict[str, Any]]) -> None:
    wanted, found = ranks.alone(name), [one["gradients"][name] for one in reports]
    assert wanted.keys() == found[0].keys()
    assert len({key.partition(".")[0] for key in wanted}) == (1 if name == "sr" else 4 if name == "unpaired" else 2)
    largest = max(float(gradient.abs().max()) for gradient in wanted.values())
    for key, gradient in wanted.items():
        assert torch.equal(found[0][key], found[1][key]), key
        # The gradient of a bias before an instance norm is rounding: 0 but for the last bits of larger numbers.
        torch.testing.assert_close(found[0][key], gradient, rtol=1e-3, atol=1e-5 * largest, msg=key)


def test_a_penalty_through_synchronised_batch_norms_is_that_of_one_process(reports: list[dict[str, Any]]) -> None:
    wanted = ranks.alone("penalty")
    assert sum("running" in name for name in wanted) == 4
    for report in reports:
        for name, value in wanted.items():
            torch.testing.assert_close(report["penalty"][name], value, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("name", ranks.ALL)
def test_all_processes_have_the_same_state_bit_for_bit(name: str, reports: list[dict[str, Any]]) -> None:
    (state, drawn), (other_state, other_drawn) = (report["states"][name] for report in reports)
    assert state == other_state
    assert drawn != other_drawn  # or they would draw the same latents


def test_all_processes_agree(reports: list[dict[str, Any]]) -> None:
    first, other = (report["agreed"] for report in reports)
    assert first["diverged"] == other["diverged"] == "diverged at step 7: d_loss is nan"
    assert first["signals"] == other["signals"] == [15, None]
    assert first["first"]["rank"] == other["first"]["rank"] == 0
    assert other["first"]["rows"].tolist() == [0, 1, 2]
    assert (first["found in the cache"], other["found in the cache"]) == (None, True)
    assert (first["rows"].tolist(), other["rows"].tolist()) == ([3, 2], [1, 0])


def test_every_process_draws_numbers_of_its_own_in_every_step() -> None:
    seeds = {seed_of(seed, step, rank) for seed in range(3) for step in range(20) for rank in range(4)}
    assert len(seeds) == 3 * 20 * 4
    assert len({seed % 2**32 for seed in seeds}) == len(seeds)  # as many bits as the generator of the CPU uses


@pytest.mark.parametrize(
    ("name", "batch", "size", "way"),
    [
        ("quick", 64, 3, "give 63 or 66"),
        ("stylegan2", 32, 3, "give 24 or 36"),
        ("cyclegan", 1, 2, "give 2"),
        ("stylegan2", 8, 4, "each of 4 processes takes 2 images"),
        ("quick", 2, 2, "each of 2 processes takes 1 images"),
    ],
)
def test_batches_that_cannot_be_shared_are_refused(name: str, batch: int, size: int, way: str) -> None:
    made = recipe(name, batch_size=batch)
    with pytest.raises(InputError, match=f"^--batch-size {batch}: .*{way}"):
        share_of_batch(made, Processes(0, size))
    assert share_of_batch(made, ALONE) == batch


def test_processes_of_a_host_share_its_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_trainer.training.distributed.processes.available_cpus", lambda: 7)
    assert [Processes(0, 8, 0, size).threads for size in (1, 2, 4, 8)] == [7, 3, 1, 1]


@dataclass(frozen=True)
class Second(Processes):
    """The second of two processes, of which the first has these settings."""

    settings: Config | None = None

    def of_first(self, work: Callable[[], Any]) -> Any:
        return self.settings


def test_processes_with_other_images_or_devices_are_refused(make: Callable[..., Config]) -> None:
    config = make(batch_size=8)
    assert settings_of_first(config, Second(1, 2, settings=config)) == config
    images = replace(config, data=replace(config.data, digest="another"))
    with pytest.raises(DataError, match=r"/squares: process 1 has other images than process 0; copy them"):
        settings_of_first(config, Second(1, 2, settings=images))
    with pytest.raises(DeviceError, match=r"^process 1 would train on cpu, process 0 on cuda; give --device cpu"):
        settings_of_first(config, Second(1, 2, settings=replace(config, device="cuda")))


def test_every_process_needs_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    check_gpus(Processes(0, 2, 0, 1))
    with pytest.raises(DeviceError, match=r"^2 processes on this host, and 1 GPU: start one per GPU "):
        check_gpus(Processes(0, 2, 0, 2))


def test_synchronised_batch_norms_need_batch_norms(make: Callable[..., Config]) -> None:
    plain = make(g_norm="none", d_norm="none", sync_batch_norm=True)
    assert start_state(plain).processes == ALONE
    with pytest.raises(InputError, match=r"^--sync-batch-norm: the networks have no batch norm; leave it out"):
        start_state(plain, processes=Processes(0, 2))


def entries(run: Path) -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if "second" not in key} for line in lines]


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return {name: one for name, one in tensors(load_checkpoint(checkpoint)) if "rng" not in name}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two processes, of 48 images of the fixture `two_folders`."""
    home = tmp_path_factory.mktemp("finished")
    colour_folders(home)
    options = ("--checkpoint-every", 16, "--images", 48, "--name", "run")
    first, other = ended(launch(2, "-m", "gan_trainer", *TRAIN, *options, cwd=home))
    assert (first.code, first.out, other.code, other.out, other.err) == (0, "runs/run\n", 0, "", ""), first.err
    return home / "runs" / "run"


@pytest.fixture
def copied(two_folders: None, finished: Path) -> Path:
    """A copy of that run, to be continued."""
    return Path(shutil.copytree(finished, "runs/run"))


def test_a_run_goes_on_with_other_numbers_of_processes(copied: Path, call: Call) -> None:
    assert call("gan-train", "--resume", copied, "--images", 64, "--quiet").code == 0
    first, other = trained(2, "--resume", copied, "--images", 96)
    assert (first.code, first.out, other.code, other.out, other.err) == (0, "runs/run\n", 0, "", ""), first.err
    config = json.loads((copied / "config.json").read_text())
    changes = [(one["after"], one["old"], one["new"]) for one in config["history"] if one["field"] == "processes"]
    assert changes == [(48, 2, 1), (64, 1, 2)]
    assert [entry["images"] for entry in entries(copied)] == list(range(8, 97, 8))
    assert "torchrun --nproc-per-node 2 -m gan_trainer" in (copied / "report.html").read_text()


def test_a_resumed_run_of_two_equals_one_that_never_stopped(finished: Path, copied: Path) -> None:
    last = f"checkpoints/{48:012d}.pt"
    (copied / last).unlink()
    assert {done.code for done in trained(2, "--resume", copied, "--quiet")} == {0}
    before, after = weights(finished / last), weights(copied / last)
    assert len(before) > 20
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert entries(copied) == entries(finished)


@pytest.fixture
def endless(two_folders: None) -> tuple[object, ...]:
    """The arguments of a run that the test ends."""
    return (*TRAIN, "--checkpoint-every", 8, "--images", 10**9, "--name", "run", "--quiet")


def wait_for_steps(processes: list["subprocess.Popen[str]"]) -> None:
    log, end = Path("runs/run/metrics.jsonl"), time.monotonic() + PATIENCE
    while not (log.exists() and len(log.read_text().splitlines()) > 2):
        assert time.monotonic() < end
        assert all(process.poll() is None for process in processes), processes[0].communicate()
        time.sleep(0.05)


def test_a_killed_process_ends_all_with_one_line(endless: tuple[object, ...]) -> None:
    processes = launch(3, "-m", "gan_trainer", *endless, "--batch-size", 9)
    wait_for_steps(processes)
    processes[1].kill()
    first, killed, last = ended(processes)
    assert (first.code, killed.code, last.code) == (1, -signal.SIGKILL, 1)
    said = (first.err + last.err).splitlines()
    (line,) = (line for line in said if not line.startswith("not evaluated: "))
    assert re.fullmatch(
        r"gan-train: error: runs/run: another process of the run has ended \([^()]*Connection [^()]* by peer[^()]*\); "
        "continue from the last checkpoint with --resume runs/run",
        line,
    )
    assert killed.err == first.out == last.out == ""


@pytest.fixture
def under_torchrun(endless: tuple[object, ...]) -> Iterator["subprocess.Popen[str]"]:
    started = subprocess.Popen(
        [*TORCHRUN, *map(str, endless)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    yield started
    started.kill()


def test_ctrl_c_of_torchrun_saves_the_run(under_torchrun: "subprocess.Popen[str]", call: Call) -> None:
    wait_for_steps([under_torchrun])
    under_torchrun.send_signal(signal.SIGINT)
    _, err = under_torchrun.communicate(timeout=PATIENCE)
    assert err.count("stopped after ") == 1, err
    newest = list_checkpoints(Path("runs/run/checkpoints"))[-1]
    assert f"saved {newest}; " in err
    assert load_checkpoint(newest)["images_seen"] == int(newest.stem)


def test_errors_are_reported_once(two_folders: None) -> None:
    for words, arguments in {
        "--batch-size 9: 2 processes take equal parts of it; give 8 or 10": ("a", "--size", 28, "--batch-size", 9),
        "No such option '--bach-size'": ("a", "--bach-size", 8),
    }.items():
        done = trained(2, *arguments)
        assert all(one.code in (1, 2) for one in done)
        found = [line for one in done for line in one.err.splitlines() if ": error: " in line]
        assert len(found) == 1, done
        assert words in found[0]
