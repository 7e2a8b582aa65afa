"""The number of threads of a run: chosen once, by the environment and by what other programs leave idle."""

import pytest

from gan_trainer.training.threads import choose_threads, fewer_threads


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
