"""Which jobs are divided among processes, and how parts are handed out."""

import pickle
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_runtime import Generator
from gan_runtime.commands import local_processes
from gan_runtime.commands.local_processes import LEAST, pays
from gan_runtime.errors import InputError
from gan_runtime.outputs import Options
from gan_runtime.outputs.processes import Processes, started
from gan_runtime.outputs.sampled import SampledImages, draw
from gan_runtime.outputs.share import Share, share_of
from gan_runtime.outputs.worker import _answer


@pytest.fixture(scope="module")
def generator(conditional_model: Path) -> Generator:
    return Generator.load(conditional_model, "cpu", 2)


def many(generator: Generator, n: int = 100_000) -> SampledImages:
    return draw(generator, n)


def test_many_small_images_in_shards_are_divided(generator: Generator) -> None:
    assert pays(many(generator), ".tar", Options())


@pytest.mark.parametrize(
    ("n", "options"),
    [
        (LEAST - 1, Options(shard_size=1000)),
        (100_000, Options(shard_size=50_001, share=Share(1, 2))),
        (100_000, Options(share=Share(2, 4))),
        (100_000, Options(shard_size=40_000)),
        (100_000, Options(cluster=Processes([]))),
    ],
    ids=["few images", "one shard", "few images in the share", "three shards for two", "on a cluster"],
)
def test_others_are_not(n: int, options: Options, generator: Generator) -> None:
    assert not pays(many(generator, n), ".tar", options)


def test_neither_folders_nor_threads_that_are_alone_nor_other_devices(generator: Generator) -> None:
    assert not pays(many(generator), "/", Options())
    assert not pays(many(generator.with_threads(1)), ".tar", Options())
    chosen = replace(generator, arguments={**generator.arguments, "providers": ("CPUExecutionProvider",)})
    assert not pays(many(chosen), ".tar", Options())
    elsewhere = replace(generator, session=replace(generator.session, device="cuda"))
    assert not pays(many(elsewhere), ".tar", Options())


def test_latents_that_are_given_are_not_copied_to_other_processes(generator: Generator) -> None:
    latents = np.zeros((100_000, generator.signature.latents.dim), np.float32)
    assert not pays(draw(generator, len(latents), latents=latents), ".tar", Options())


def test_neither_large_images_nor_large_networks_nor_files_that_are_gone_nor_without_memory(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert generator.manifest
    large = replace(generator, manifest=replace(generator.manifest, flops=10**9))
    assert not pays(many(large), ".tar", Options())
    gone = replace(generator, model=replace(generator.model, path=Path("/dev/fd/none")))
    assert not pays(many(gone), ".tar", Options())
    monkeypatch.setattr(local_processes, "available_memory", lambda: 2**29)
    assert not pays(many(generator), ".tar", Options())
    monkeypatch.setattr(local_processes, "available_memory", lambda: 2**30)
    assert pays(many(generator), ".tar", Options())
    monkeypatch.setattr(local_processes, "MOST_VALUES", 28 * 28 - 1)
    assert not pays(many(generator), ".tar", Options())


@pytest.fixture
def processes() -> Iterator[Processes]:
    with started(2, quiet=True) as found:
        assert found
        yield found


def test_each_part_is_done_once(processes: Processes) -> None:
    found = dict[int, int]()
    for part, result in processes.map(sum, range(100), 7):
        assert result == sum(part)
        found |= dict.fromkeys(part, result)
    assert sorted(found) == list(range(100))
    assert list(Processes([]).map(sum, [])) == []


def test_an_error_of_a_part_is_that_of_the_job(processes: Processes) -> None:
    with pytest.raises(InputError, match=r"--shard '[abcd]': give k/N"):
        list(processes.map(share_of, "abcd"))
    done, error = pickle.loads(pickle.dumps(_answer(share_of, "a")))
    assert (done, type(error)) == (False, InputError)
    assert "Traceback" in error.__notes__[0]


def slowly(part: Sequence[int]) -> int:
    time.sleep(0.01)
    return sum(part)


def test_the_part_of_a_process_whose_answer_cannot_be_read_is_done_by_another() -> None:
    waits = "import sys; print('no pickle', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", waits]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        found = Processes([other], quiet=True).map(slowly, range(100))  # so that the other one has its turn
        assert sum(result for _, result in found) == sum(range(100))
        assert other.returncode == 0


def test_they_end_with_the_block() -> None:
    with started(3) as processes:
        assert processes
        assert processes.report() == {"processes": 3}
        next(processes.map(sum, range(100), 1))
    assert [other.returncode for other in processes.others] != [None, None]


def test_programs_that_are_frozen_start_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **settings: Any) -> None:
        raise AssertionError(arguments)

    monkeypatch.setattr("sys.frozen", True, raising=False)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    with started(2) as processes:
        assert processes is None
