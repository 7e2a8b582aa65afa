"""Runs that go on for longer, on another device or with other threads, and runs that begin with another's weights."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import SHORT, TRAIN, Result, stop_after, tensors

from gan_runtime.manifest import read_manifest
from gan_runtime.model_file import read_model_file
from gan_trainer.systems import start_state
from gan_trainer.training.checkpoint import load_checkpoint
from gan_trainer.training.config import Config
from gan_trainer.training.state import update_averages

Call = Callable[..., Result]
pytestmark = pytest.mark.usefixtures("two_folders")


def saved(run: str, images: int) -> dict[str, Any]:
    return load_checkpoint(Path(f"runs/{run}/checkpoints/{images:012d}.pt"))


def config(run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(f"runs/{run}/config.json").read_text())
    return found


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    a, b = dict(tensors(one)), dict(tensors(other))
    return a.keys() == b.keys() and len(a) > 20 and all(torch.equal(a[name], b[name]) for name in a)


def rates(run: str) -> dict[int, float]:
    lines = map(json.loads, Path(f"runs/{run}/metrics.jsonl").read_text().splitlines())
    return {entry["images"]: entry["lr"] for entry in lines if "lr" in entry}


def test_a_finished_run_is_made_longer(call: Call) -> None:
    assert call(*TRAIN, "--lr", 0.001, "--log-every", 8, "--name", "r").code == 0
    done = call("gan-train", "--resume", "runs/r")
    assert done.code == 0
    assert "finished: 64 of 64 images seen; to train it for longer, add --images" in done.err
    done = call("gan-train", "--resume", "runs/r", "--images", 128, "--json")
    report = json.loads(done.out)
    assert (done.code, report["images"], report["finished"]) == (0, 128, True)
    assert "length: 128 images instead of 64; the learning rate follows the new length: it is now 0.0005" in done.err
    assert rates("r")[64] == pytest.approx(0.001 / 8)  # the rate of the step that ended there
    assert rates("r")[72] == pytest.approx(0.001 * 64 / 128)  # it rises again, to fall to zero at the new end
    assert rates("r")[128] == pytest.approx(0.001 * 8 / 128)
    found = config("r")
    assert found["recipe"]["images"] == 128
    assert found["history"] == [{"after": 64, "field": "images", "old": 64, "new": 128}]
    assert "torch" in found["software"]
    assert call("gan-export", "runs/r", "--output", "x.onnx").code == 0
    assert call("gan-train", "--resume", "runs/r").code == 0, "it is finished again"


def test_a_longer_run_resumes_bit_for_bit(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("whole", "stopped", "killed"):
        call(*TRAIN, "--name", name)
    call("gan-train", "--resume", "runs/whole", "--images", 128, "--quiet")
    with monkeypatch.context() as patch:
        stop_after(patch, 11)
        assert call("gan-train", "--resume", "runs/stopped", "--images", 128, "--quiet").code == 143
    assert call("gan-train", "--resume", "runs/stopped", "--quiet").code == 0
    with monkeypatch.context() as patch:  # before the first step: the new length is there already
        patch.setattr("gan_trainer.api.start._loop_or_explain", lambda *_: os._exit(9))
        child = os.fork()
        if not child:
            call("gan-train", "--resume", "runs/killed", "--images", 128, "--quiet")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert call("gan-train", "--resume", "runs/killed", "--quiet").code == 0
    assert same(saved("stopped", 128), saved("whole", 128))
    assert same(saved("killed", 128), saved("whole", 128))


def test_a_run_that_is_not_at_its_end_may_change_its_length(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 4)
        assert call(*TRAIN, "--name", "r").code == 143
    for images in (32, 8):
        assert call("gan-train", "--resume", "runs/r", "--images", images).refused(
            f"--images {images}", "seen 32 images"
        )
    assert call("gan-train", "--resume", "runs/r", "--images", 64, "--quiet").code == 0
    assert config("r")["history"] == [], "that is its length"
    call(*TRAIN, "--name", "whole")
    assert same(saved("r", 64), saved("whole", 64))


def test_a_longer_run_is_evaluated_if_it_was_too_short_for_it(
    call: Call, digits: str, random_features: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gan_trainer.runs import history
    from gan_trainer.tasks import features

    monkeypatch.setattr(history, "SAMPLES", 200)
    monkeypatch.setattr(history, "FINAL_SAMPLES", 400)
    monkeypatch.setattr(features, "find_features", lambda data, named=None, **_: random_features)
    for name, more, expected in (("short", (), 120_000), ("never", ("--eval-every", 0), 0)):
        call("gan-train", digits, "--images", 64, "--width", 8, "--threads", 1, "--quiet", "--name", name, *more)
        assert config(name)["recipe"]["eval_every"] == 0
        assert call("gan-train", "--resume", f"runs/{name}", "--images", 448, "--quiet").code == 0
        assert config(name)["recipe"]["eval_every"] == expected


def test_threads_and_device_may_change(call: Call) -> None:
    assert call(*TRAIN, "--name", "r").code == 0
    too_long = call("gan-train", "--resume", "runs/r", "--images", 10**13)
    assert too_long.refused("error: --images 10000000000000: must be in [1, 1,000,000,000,000]")
    done = call("gan-train", "--resume", "runs/r", "--images", 128, "--threads", 2, "--device", "cpu")
    torch.set_num_threads(1)
    assert done.code == 0
    assert "threads: 2 instead of 1; results may differ in their last bits" in done.err
    assert "device:" not in done.err
    assert config("r")["threads"] == 2
    assert [change["field"] for change in config("r")["history"]] == ["images", "threads"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA works here")
def test_a_run_that_began_on_cuda_goes_on_without_it(call: Call) -> None:
    assert call(*TRAIN, "--name", "r").code == 0
    path = Path(f"runs/r/checkpoints/{64:012d}.pt")
    document = torch.load(path, weights_only=True)
    document["config"]["device"], document["rng"]["cuda"] = "cuda", torch.zeros(16, dtype=torch.uint8)
    torch.save(document, path)
    longer = ("gan-train", "--resume", "runs/r", "--images", 128, "--quiet")
    assert call(*longer).refused("device cuda: cannot be used", "go on without it: --device cpu")
    assert call(*longer, "--device", "cpu").code == 0
    assert {"after": 64, "field": "device", "old": "cuda", "new": "cpu"} in config("r")["history"]


@pytest.mark.parametrize("origin", ["first", "runs/first", f"runs/first/checkpoints/{64:012d}.pt"])
def test_a_run_begins_with_the_weights_of_another(call: Call, origin: str) -> None:
    assert call(*TRAIN, "--name", "first", "--ema-half-life", 30).code == 0
    done = call(
        "gan-train", "b", *SHORT, "--images", 16, "--seed", 5, "--lr", 1e-4, "--init-from", origin, "--name", "second"
    )
    assert done.code == 0, done
    before, begun, end = saved("first", 64), saved("second", 0), saved("second", 16)
    for part, owner in (("networks", "generator"), ("networks", "discriminator"), ("averages", "generator")):
        for name, tensor in before[part][owner].items():
            assert torch.equal(begun[part][owner][name], tensor), (part, owner, name)
    assert begun["optimizers"]["g"]["state"] == {}
    assert (begun["step"], begun["images_seen"], begun["images_before"], end["images_before"]) == (0, 0, 64, 64)
    record = config("second")["init_from"]
    assert {name: record[name] for name in ("run", "recipe", "data", "images_seen")} == {
        "run": "first", "recipe": "quick", "data": "a", "images_seen": 64
    }  # fmt: skip
    assert call("gan-export", "runs/second", "--output", "x.onnx").code == 0
    manifest = read_manifest(read_model_file("x.onnx"))
    assert manifest is not None
    assert manifest.training["init_from"] == record
    assert "/" not in json.dumps(record), "no paths"


def test_a_run_with_another_s_weights_resumes_bit_for_bit(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    call(*TRAIN, "--name", "first")
    again = (*TRAIN, "--init-from", "first", "--seed", 1)
    call(*again, "--name", "whole")
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        assert call(*again, "--name", "stopped").code == 143
    assert call("gan-train", "--resume", "runs/stopped", "--quiet").code == 0
    assert same(saved("stopped", 64), saved("whole", 64))
    for path in Path("runs/stopped/checkpoints").iterdir():
        path.unlink()
    assert call("gan-train", "--resume", "runs/stopped").refused("before its first weights were saved")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--width", 16), ["generator.layers.", " there and ", " here", "more"]),
        (("--labels", "none", "--size", 32), ["--init-from first", " there and "]),
        (("--recipe", "vae"), ["discriminator is not in this run", "encoder is missing"]),
        (("--mode", "L"), [" there and "]),
    ],
)
def test_other_networks_are_refused_by_tensor_and_shape(
    call: Call, arguments: tuple[object, ...], words: list[str]
) -> None:
    call(*TRAIN, "--name", "first")
    done = call(*TRAIN, "--name", "second", "--init-from", "first", *arguments)
    assert done.refused("its networks are not those of this run", *words)
    assert not Path("runs/second").exists()


def test_origins_that_are_none_are_refused(call: Call) -> None:
    Path("x.pt").write_text("hello")
    Path("runs/empty").mkdir(parents=True)
    Path("runs/empty/config.json").write_text("{}")
    for origin, words in (
        ("nowhere", "not found"),
        ("x.pt", "; if it belongs to a run, remove it"),
        ("empty", "has no checkpoint yet"),
    ):
        assert call(*TRAIN, "--init-from", origin).refused(origin, words)


def test_classes_that_have_other_names_than_in_the_origin_are_told(call: Call) -> None:
    for folder, classes in (("one", "ab"), ("two", "bz")):
        for name in classes:
            Path(folder, name).mkdir(parents=True)
            for i in range(12):
                shutil.copy(f"a/{i:02d}.png", f"{folder}/{name}/{i}.png")
    short = [word for word in SHORT if word != "--quiet"] + ["--images", 16, "--labels", "folders"]
    assert call("gan-train", "one", *short, "--name", "first").code == 0
    told = "--init-from: weights of classes are matched by index, and the names differ: a -> b, b -> z"
    done = call("gan-train", "two", *short, "--name", "second", "--init-from", "first")
    assert done.code == 0, done
    assert told in done.err
    done = call("gan-train", "one", *short, "--name", "third", "--init-from", "first")
    assert done.code == 0, done
    assert "names differ" not in done.err


def test_an_average_that_was_there_is_not_forgotten_at_once(make: Callable[..., Config]) -> None:
    settings = make(ema_half_life=1000, batch_size=8)
    state = start_state(settings)
    weight, average = next(state.networks["generator"].parameters()), next(state.averaged("generator").parameters())
    weight.data.fill_(1.0)
    for before, share in ((0, 1 - 0.5 ** (8 / 0.8)), (10**6, 1 - 0.5 ** (8 / 1000))):
        average.data.fill_(0.0)
        state.images_before = before
        update_averages(state, settings.recipe, 8)
        torch.testing.assert_close(average, torch.full_like(average, share))
