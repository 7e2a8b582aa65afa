"""How gan-train can end: exit code, one line, and what remains. docs/operations.md has the table."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import TRAIN, Result, leftovers, replace_step, stop_after

from gan_trainer.systems import SYSTEMS

pytestmark = pytest.mark.usefixtures("two_folders")
Call = Callable[..., Result]
RUN = Path("runs/a-quick")


def checkpoints() -> list[int]:
    return sorted(int(path.stem) for path in RUN.glob("checkpoints/*.pt"))


def test_finished(call: Call) -> None:
    done = call(*TRAIN, "--json")
    assert (done.code, json.loads(done.out)["finished"], checkpoints()) == (0, True, [64])
    assert call("gan-train", "--resume", RUN).code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_by_a_signal(call: Call, monkeypatch: pytest.MonkeyPatch, number: int, code: int) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 3, number)
        done = call(*TRAIN, "--json")
    assert (done.code, json.loads(done.out)["finished"], checkpoints()) == (code, False, [24])
    assert f"gan-train --resume {RUN}" in done.err
    assert call("gan-train", "--resume", RUN, "--quiet").code == 0


def test_diverged(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = SYSTEMS["gan"].step

    def poisoned(state: Any, *rest: Any, **batch: Any) -> Any:
        losses = honest(state, *rest, **batch)
        return losses | {"d_loss": losses["d_loss"] * (torch.nan if state.step == 4 else 1.0)}

    replace_step(monkeypatch, poisoned)
    assert call(*TRAIN, "--checkpoint-every", 16).refused("diverged at step 5", "try a lower --lr", code=1)
    assert checkpoints() == [16, 32]


def test_a_full_disk(call: Call) -> None:
    """A file may not grow beyond 100 KB: the run folder is made, its first checkpoint does not fit."""
    command = [Path(sys.executable).parent / TRAIN[0], *map(str, TRAIN[1:])]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("gan-train: error: ")
    assert "checkpoints" in line
    assert "cannot be written" in line
    assert checkpoints() == []
    assert not leftovers(RUN)
    assert call("gan-train", "--resume", RUN, "--quiet").code == 0, "with room it starts again"


def test_killed_leaves_the_last_checkpoint(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    child = os.fork()
    if not child:
        stop_after(monkeypatch, 6, signal.SIGKILL)
        call(*TRAIN, "--checkpoint-every", 16)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert checkpoints() == [16, 32]
    assert call("gan-train", "--resume", RUN, "--quiet").code == 0
