import gc
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import Result
from PIL import Image
from styled_formula import Styled
from translators import translator
from upscalers import upscaler

import gan_runtime
from gan_runtime.threads import Workers


def test_threads_that_come_first_together_share_one_pool() -> None:
    for _ in range(50):
        workers, barrier, names = Workers(2), threading.Barrier(8), set[str]()

        def use(workers: Workers = workers, barrier: threading.Barrier = barrier, names: set[str] = names) -> None:
            barrier.wait()
            names.update(workers.map(lambda _: threading.current_thread().name, range(20)))

        users = [threading.Thread(target=use) for _ in range(8)]
        for user in users:
            user.start()
        for user in users:
            user.join()
        assert len(workers._pools) == 1
        assert len(names - {user.name for user in users}) <= 1  # besides the callers


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    workers, stop = Workers(2), threading.Event()

    def use() -> None:
        while not stop.is_set():
            workers.map(abs, range(4))

    users = [threading.Thread(target=use) for _ in range(4)]
    for user in users:
        user.start()
    try:
        for _ in range(10):  # while other threads are in the middle of it
            child = os.fork()
            if child == 0:
                os._exit(0 if workers.map(abs, range(-3, 0)) == [3, 2, 1] else 1)
            assert _exit_code(child) == 0
    finally:
        stop.set()
        for user in users:
            user.join()


def _exit_code(child: int) -> int:
    for _ in range(500):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, 9)
    os.waitpid(child, 0)
    pytest.fail("the forked process hangs")


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_an_error_ends_the_others_and_reaches_the_caller(threads: int) -> None:
    done: list[int] = []

    def fail_at_three(number: int) -> None:
        if number == 3:
            raise ValueError("three")
        time.sleep(0.001)
        done.append(number)

    workers = Workers(threads)
    with pytest.raises(ValueError, match="three"):
        workers.map(fail_at_three, range(1000))
    assert len(done) < 20
    assert workers.map(lambda a, b: a + b, range(5), [1, 2, 3]) == [1, 3, 5]


def test_threads_end_with_the_last_reference() -> None:
    workers = Workers(3)
    started = workers.map(lambda _: time.sleep(0.01) or threading.current_thread(), range(6))
    del workers
    gc.collect()
    others = set(started) - {threading.current_thread()}
    assert len(others) == 2
    for thread in others:
        thread.join(5)
        assert not thread.is_alive()


@pytest.fixture
def _one_processor() -> Iterator[None]:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system has no CPU affinity")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("_one_processor")
def test_models_and_commands_have_a_thread_for_each_processor_that_they_may_use(
    call: Callable[..., Result], tmp_path: Path, random_features: Path
) -> None:
    styled, x2 = Styled().write(tmp_path / "styled.onnx"), upscaler(tmp_path / "x2.onnx")
    invert = translator(tmp_path / "invert.onnx")
    for path in (styled, x2, invert, random_features, tmp_path / "styled-mapping.onnx"):
        assert gan_runtime.load(path, "cpu").threads == 1
    Image.new("RGB", (8, 8)).save("in.png")
    for command, *words in (
        ("gan-sample", "--model", styled, "out.png"),
        ("gan-upscale", "--model", x2, "in.png", "large.png"),
        ("gan-translate", "--model", invert, "in.png", "other.png"),
    ):
        assert json.loads(call(command, *words, "--device", "cpu", "--json").out)["threads"] == 1
