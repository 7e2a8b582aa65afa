"""Jobs on a local Ray cluster of two nodes, of which one is killed while it works."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import BIN
from helpers import Result, is_writing, leftovers, started
from PIL import Image
from translators import translator
from upscalers import upscaler

from gan_runtime import Generator
from gan_trainer.compare.processes import Done, Processes

pytest.importorskip("ray", reason="Ray is not installed: pip install 'gan-edge[ray]'")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own

STORE = 80 * 2**20  # bytes of shared memory per node
Call = Callable[..., Result]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head that does no work, and a node with one processor."""
    from ray.cluster_utils import Cluster

    found = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False}
    )
    found.add_node(num_cpus=1, object_store_memory=STORE)
    yield found
    found.shutdown()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def descendants(process: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    return [one for child in started(process) for one in (child, *descendants(child))]


def is_training(process: int) -> bool:
    """Whether a process runs a part of gan-compare, which runs a command in another one."""
    return any(map(started, started(process)))


def kill_in_the_middle(cluster: Any, job: subprocess.Popen[str], works: Callable[[int], bool]) -> list[int]:
    """Kill a node and the process in it that works, as a loss of power would. What that process had started."""
    nodes = {raylet.process.pid: node for node in cluster.worker_nodes for raylet in node.all_processes["raylet"]}
    while job.poll() is None:
        for raylet, node in nodes.items():
            for process in filter(works, started(raylet)):
                os.kill(process, signal.SIGSTOP)
                if works(process):
                    children = descendants(process)
                    os.kill(process, signal.SIGKILL)
                    cluster.remove_node(node, allow_graceful=False)
                    return children
                os.kill(process, signal.SIGCONT)
        time.sleep(0.01)
    _, err = job.communicate()
    skip_if_ended_by_mkl(err)
    raise AssertionError(f"the job ended before a node had work: {err}")


def skip_if_ended_by_mkl(err: str) -> None:
    """Skip the test if MKL has ended the process of a run, of which neither the cause nor a remedy is known."""
    if "oneMKL FATAL ERROR: Cannot load" in err:
        pytest.skip(f"MKL ended a process that imported torch: {err.strip().splitlines()[-1]}")


def test_a_killed_node_loses_nothing(cluster: Any, process: Call, conditional_model: Path, tmp_path: Path) -> None:
    request = ("--n", "4000", "--shard-size", "500", "--model", str(conditional_model), "--json")
    cluster.add_node(num_cpus=1, object_store_memory=STORE)
    Path("two").mkdir()
    command = [str(BIN / "gan-sample"), *request, "--ray", cluster.address, "two/x.tar"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as job:
        kill_in_the_middle(cluster, job, is_writing)
        out, err = job.communicate(timeout=300)
    assert job.returncode == 0, err
    assert "ray: 2 parts at a time, on cpu" in err
    report = json.loads(out)
    assert (report["kept"], report["shards"]["count"], report["ray"]) == (0, 8, cluster.address)
    assert not leftovers(Path("two")), "also those of the process that was killed"
    Path("one").mkdir()
    alone = process("gan-sample", *request, "--threads", 1, "one/x.tar")
    assert alone.code == 0, alone.err
    assert files(Path("one")) == files(Path("two")), "the records, too"


def test_a_folder_is_that_of_a_run_alone_and_is_continued(cluster: Any, call: Call, conditional_model: Path) -> None:
    words = ("gan-sample", "--n", 50, "--model", conditional_model)
    assert call(*words, "one/").code == 0
    assert call(*words, "two/").code == 0
    for name in ("00000007.png", "00000008.png", "labels.csv"):
        Path("two", name).unlink()
    Path("two/00000030.png").write_bytes(b"damaged")
    done = call(*words, "--ray", cluster.address, "two/")
    assert done.code == 0, done.err
    assert {"two/: damaged, will be written again: 00000030.png", "two/: 47 of 50 images exist already"} <= set(
        done.err.splitlines()
    )
    assert files(Path("one")) == files(Path("two"))


@pytest.mark.parametrize("source", ["photos", "photos.zip"])
def test_pictures_are_those_of_a_run_alone(cluster: Any, call: Call, source: str) -> None:
    translator("invert.onnx")
    rng = np.random.default_rng(0)
    Path("photos/sub").mkdir(parents=True)
    for name in ("a.png", "b.png", "sub/c.png", "d.png"):
        Image.fromarray(rng.integers(0, 256, (9, 11, 3), np.uint8)).save(f"photos/{name}")
    Path("photos/bad.png").write_bytes(b"not a picture")
    shutil.make_archive("photos", "zip", "photos")
    words = ("gan-translate", source, "--model", "invert.onnx", "--skip-bad", "--json")
    alone, there = (call(*words, *more) for more in (("one/",), ("--ray", cluster.address, "two/")))
    assert alone.code == there.code == 0, there.err
    assert "bad.png" in there.err
    same = ("n", "bad", "kept", "frames", "tiles", "model", "device")
    assert [json.loads(alone.out)[key] for key in same] == [json.loads(there.out)[key] for key in same]
    assert {name: sorted(content.splitlines()) for name, content in files(Path("one")).items()} == {
        name: sorted(content.splitlines()) for name, content in files(Path("two")).items()
    }, "the order of rows in the table is that in which the parts end"
    assert json.loads(call(*words, "--ray", cluster.address, "two/").out)["kept"] == 4


def test_what_a_part_refuses_is_one_line(cluster: Any, call: Call) -> None:
    model = upscaler("x2.onnx", 2)
    Path("photos").mkdir()
    Image.new("RGB", (8, 8)).save("photos/a.png")
    words = ("gan-upscale", "photos", "--model", model, "out/", "--ray", cluster.address)
    assert call(*words, "--device", "cuda").refused("no node of the cluster has what a part needs", "a GPU")
    assert call(*words, "--threads", 64).refused("no node of the cluster has what a part needs", "processors: 64")


def test_a_comparison_goes_on_without_a_node(cluster: Any, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    Path("a").mkdir()
    for i in range(24):
        Image.fromarray(rng.integers(0, 256, (28, 28, 3), np.uint8)).save(f"a/{i:02d}.png")
    run = ("--recipes", "gan", "--seeds", "1", "--images", "64", "--batch-size", "8", "--size", "28", "--quiet")
    cluster.add_node(num_cpus=1, object_store_memory=STORE)
    command = [str(BIN / "gan-compare"), "a", *run, "--output", "two", "--ray", cluster.address, "--json"]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as job:
        children = kill_in_the_middle(cluster, job, is_training)
        out, err = job.communicate(timeout=300)
    skip_if_ended_by_mkl(err)
    assert job.returncode == 0, err
    assert not any(Path(f"/proc/{child}").exists() for child in children), "a training ends with its node"
    assert [(run["seed"], run["images"], run["outcome"]) for run in json.loads(out)["runs"]] == [(0, 64, "finished")]

    def here(self: Processes, name: str, *arguments: object) -> Done:
        done = call(name, *arguments)
        return Done(name, done.code, done.out, done.err)

    monkeypatch.setattr(Processes, "run", here)
    assert call("gan-compare", "a", *run, "--output", "one", "--jobs", 1).code == 0
    one, two = (Generator.load(f"{folder}/models/gan-0.onnx", "cpu") for folder in ("one", "two"))
    np.testing.assert_array_equal(one.sample(8), two.sample(8))
