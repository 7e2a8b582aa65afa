import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gan_runtime.data import Dataset
from gan_trainer.runs.folder import create_run
from gan_trainer.systems import start_state
from gan_trainer.tasks.generate import preview
from gan_trainer.training.config import Config
from gan_trainer.training.logbook import Logbook
from gan_trainer.training.loop import Outcome, run_loop
from gan_trainer.training.observer import Observer
from gan_trainer.training.state import TrainState
from gan_trainer.training.stop import STOPPING, StopRequest


def test_the_first_signal_is_remembered_and_the_second_takes_its_course() -> None:
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.number == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_handlers_are_back_afterwards() -> None:
    before = [signal.getsignal(number) for number in STOPPING]
    with StopRequest():
        assert [signal.getsignal(number) for number in STOPPING] != before
    assert [signal.getsignal(number) for number in STOPPING] == before


def test_another_thread_takes_no_signals() -> None:
    before, found = [signal.getsignal(number) for number in STOPPING], []

    def run() -> None:
        with StopRequest() as stop:
            found.append(([signal.getsignal(number) for number in STOPPING], stop.number))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [(before, None)]


def run_of(config: Config, dataset: Dataset, folder: Path, stop: StopRequest | None = None) -> Outcome:
    book = Logbook(create_run(folder, None, config))
    return run_loop(config, dataset, start_state(config), book, preview, stop=stop)


def test_a_run_may_be_trained_in_another_thread_and_stopped_from_this_one(
    make: Callable[..., Config], dataset: Dataset, tmp_path: Path
) -> None:
    stop = StopRequest()
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(run_of, make("gan", images=16), dataset, tmp_path).result()
        assert (outcome.signal, outcome.finished, outcome.checkpoint.exists()) == (None, True, True)
        endless = pool.submit(run_of, make("gan", images=10**9), dataset, tmp_path, stop)
        stop.number = signal.SIGTERM
        outcome = endless.result(timeout=60)
    assert (outcome.signal, outcome.finished, outcome.checkpoint.exists()) == (signal.SIGTERM, False, True)


def test_the_library_leaves_signals_to_the_program(
    make: Callable[..., Config], dataset: Dataset, tmp_path: Path
) -> None:
    before, config = [signal.getsignal(number) for number in STOPPING], make("gan", images=16)
    found: list[Any] = []

    class Watching(Observer):
        def stepped(self, state: TrainState) -> None:
            found.extend(signal.getsignal(number) for number in STOPPING)

    run_loop(config, dataset, start_state(config), Logbook(create_run(tmp_path, None, config), [Watching()]), preview)
    assert found == before * 2, "at each of two steps"


def test_a_handler_that_is_not_of_python_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    with StopRequest() as stop:
        ours = stop._previous[signal.SIGINT]
        stop._previous[signal.SIGINT] = None  # what signal.signal returns for one that C code has set
    try:
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, ours)
