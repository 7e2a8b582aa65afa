"""The number of threads of a run: chosen once, by the environment and by what other programs leave idle."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import Result

from gan_runtime.errors import InputError
from gan_trainer.api.settings_file import read_settings
from gan_trainer.training.threads import choose_threads, fewer_threads

Call = Callable[..., Result]


@pytest.mark.parametrize(
    ("asked", "idle", "expected"),
    [
        ("", 4.0, 4),
        ("", 2.7, 3),
        ("", 0.1, 1),
        ("", None, 4),
        ("2", 4.0, 2),
        ("9", 0.0, 4),
        ("0", 2.0, 2),
        ("2,1", 2.0, 2),
        ("\u0663", 1.0, 1),
    ],
)
def test_threads_are_those_that_are_asked_for_or_idle(
    asked: str, idle: float | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    monkeypatch.setattr("gan_trainer.training.threads.available_cpus", lambda: 4)
    monkeypatch.setattr("gan_trainer.training.threads.idle_cpus", lambda: idle)
    assert choose_threads() == expected


def test_fewer_threads_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_trainer.training.threads.available_cpus", lambda: 4)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert fewer_threads(4) is None
    assert fewer_threads(1) == "threads: 1 of 4, others are busy; --threads 4 takes all"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert fewer_threads(1) == "threads: 1 of 4, by OMP_NUM_THREADS; --threads 4 takes all"
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")  # of nested loops: not what chose
    assert fewer_threads(1) == "threads: 1 of 4, others are busy; --threads 4 takes all"


def test_one_processor_is_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("gan_trainer.training.threads.available_cpus", lambda: 1)
    monkeypatch.setattr("gan_trainer.training.threads.idle_cpus", lambda: pytest.fail("was watched"))
    assert choose_threads() == 1


@pytest.mark.usefixtures("digits")
def test_auto_is_the_word_for_the_default(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def threads() -> int:
        return json.loads(Path("runs/run/config.json").read_text())["threads"]

    chosen = iter([3, 2])
    monkeypatch.setattr("gan_trainer.runs.settings.choose_threads", lambda: next(chosen))
    monkeypatch.setattr("gan_trainer.training.threads.choose_threads", lambda: next(chosen))
    short = ("digits", "--recipe", "gan", "--batch-size", 32, "--images", 32, "--eval-every", 0, "--name", "run")
    assert call("gan-train", *short, "--threads", "auto", "--quiet").code == 0
    assert threads() == 3
    assert call("gan-train", "--resume", "runs/run", "--images", 64, "--quiet").code == 0
    assert threads() == 3
    ended = call("gan-train", "--resume", "runs/run", "--images", 96, "--threads", "auto")
    assert (ended.code, threads()) == (0, 2)
    assert "threads: 2 instead of 3" in ended.err


def test_auto_in_a_file_of_settings_is_chosen_anew() -> None:
    Path("run.toml").write_text('data = "digits"\nthreads = "auto"\n')
    assert read_settings(Path("run.toml")) == {"data": "digits"}
    Path("run.toml").write_text('threads = "many"\n')
    with pytest.raises(InputError, match="threads 'many': must be a whole number"):
        read_settings(Path("run.toml"))


def test_other_words_are_refused(call: Call) -> None:
    for word in ("many", "1.5", ""):
        assert call("gan-train", "digits", "--threads", word).refused("--threads", "not a valid integer", code=2)
    assert call("gan-train", "digits", "--threads", 0).refused("--threads 0: must be in [1, 1,024]")
    assert call("gan-compare", "digits", "--threads", "auto").refused(
        "--threads", "all runs of a comparison have the same number of threads; give one, or leave it out for 1", code=2
    )
