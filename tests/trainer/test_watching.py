"""Runs that evaluate themselves."""

import itertools
import json
import math
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import Result, replace_step

from gan_runtime.data import load_dataset
from gan_runtime.errors import OutputError
from gan_runtime.evaluation.scores import Scores
from gan_runtime.manifest import read_manifest
from gan_runtime.model_file import read_model_file
from gan_trainer.evaluation import run as evaluating
from gan_trainer.recipes.recipe import RECIPES
from gan_trainer.report import page
from gan_trainer.runs import history
from gan_trainer.tasks import features, generate
from gan_trainer.training.config import Config

Call = Callable[..., Result]
RUN = Path("runs/digits-quick")
TRAIN = ("gan-train", "digits", "--images", 512, "--width", 8, "--threads", 1)
GOOD = Scores(1.0, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9, 10, 0.0, 0.9, 0.9)
STUCK = replace(GOOD, recall=0.01, coverage=0.02)


@pytest.fixture(autouse=True)
def _shipped(monkeypatch: pytest.MonkeyPatch, digits: str, random_features: Path) -> None:
    """Features ship for the digits and for nothing else; evaluations take fewer images than usual."""
    monkeypatch.setattr(history, "SAMPLES", 200)
    monkeypatch.setattr(history, "FINAL_SAMPLES", 400)
    monkeypatch.setattr(features, "find_features", lambda data, named=None, **_: random_features)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let evaluations come out as told, the last one again and again."""

    def scripted(*scores: Scores) -> None:
        rest = list(scores)

        def say(self: object, generator: object, config: object, *counts: int) -> list[Scores]:
            found = rest.pop(0) if len(rest) > 1 else rest[0]
            return [found] * len(counts)

        monkeypatch.setattr(generate.Judge, "scores", say)

    return scripted


def logged(run: Path = RUN) -> list[dict[str, Any]]:
    entries = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in entry.items() if "second" not in name} for entry in entries]


def evaluated(run: Path = RUN) -> list[tuple[int, int]]:
    return [(entry["images"], entry["n"]) for entry in logged(run) if "fid" in entry]


def test_a_run_is_evaluated_and_its_best_checkpoint_exported(call: Call) -> None:
    done = call(*TRAIN, "--eval-every", 128, "--checkpoint-every", 10_000, "--keep-checkpoints", 1, "--json")
    assert done.code == 0, done
    assert evaluated()[:5] == [(128, 200), (256, 200), (384, 200), (512, 200), (512, 400)]
    assert "evaluated after 512 images: FID" in done.err
    entries = [entry for entry in logged() if "fid" in entry]
    best = min((entry for entry in entries if entry["n"] == 400), key=lambda entry: entry["fid"])
    assert json.loads(done.out)["best"] == best["images"]
    exported = call("gan-export", RUN)
    told = re.search(rf"{best['images']:012d}\.pt, the best of the run: FID ([\d.]+) over 400 samples", exported.err)
    assert told is not None, exported
    assert float(told[1]) == pytest.approx(best["fid"], rel=1e-3)
    manifest = read_manifest(read_model_file("exported/digits-quick.onnx"))
    assert manifest is not None
    (quality,) = manifest.quality
    assert {name: quality[name] for name in best} == best
    assert quality["floors"]["test images"]["n"] == 300
    assert (quality["data"]["name"], len(quality["features"]["sha256"])) == ("digits", 64)


def test_gan_eval_says_the_same_of_the_exported_file(call: Call, random_features: Path) -> None:
    call(*TRAIN, "--eval-every", 512)
    call("gan-export", RUN)
    for n in (200, 400):
        (expected,) = (entry for entry in logged() if entry.get("n") == n)
        done = call(
            "gan-eval", "exported/digits-quick.onnx", "digits", "--n", n, "--features", random_features, "--json"
        )
        found = json.loads(done.out)
        for name in ("fid", "precision", "recall", "density", "coverage", "kl", "accuracy"):
            value = found["results"]["exported/digits-quick.onnx"][name]
            assert value == pytest.approx(expected[name], rel=0.01, abs=0.002), name
        assert json.loads((RUN / "floors.json").read_text())["floors"][str(n)] == found["floors"]


def test_resumed_equals_never_stopped(call: Call) -> None:
    call(*TRAIN, "--eval-every", 128, "--checkpoint-every", 128, "--name", "whole")
    call(*TRAIN, "--eval-every", 128, "--checkpoint-every", 128, "--name", "again")
    again = Path("runs/again")
    for path in again.glob("checkpoints/*.pt"):
        if int(path.stem) > 256:
            path.unlink()
    if not list(again.glob("checkpoints/*.pt")):
        pytest.skip("no early checkpoint was kept")
    assert call("gan-train", "--resume", again).code == 0
    assert logged(again) == logged(Path("runs/whole"))


@pytest.mark.parametrize("arguments", [(), ("--stop-when-collapsed",)])
def test_collapse_is_named_when_it_happens(
    call: Call, scripted: Callable[..., None], arguments: tuple[str, ...]
) -> None:
    scripted(GOOD, STUCK)
    done = call(*TRAIN, "--eval-every", 64, "--quiet", *arguments)
    warnings = [line for line in done.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert "runs/digits-quick: collapsed: precision 0.90, recall 0.01, coverage 0.02" in warnings[0]
    assert "start a new run with another --seed" in warnings[0]
    (entry,) = (entry for entry in logged() if "warning" in entry)
    assert entry["images"] == 192
    assert (done.code, max(line["images"] for line in logged())) == ((3, 192) if arguments else (0, 512))
    assert call("gan-export", RUN).code == 0


def test_a_collapse_that_shows_at_the_very_end_has_its_exit_code(call: Call, scripted: Callable[..., None]) -> None:
    scripted(GOOD, GOOD, STUCK)
    arguments = (*TRAIN, "--images", 256, "--eval-every", 64, "--json", "--stop-when-collapsed")
    done = call(*arguments)
    report = json.loads(done.out)
    assert (done.code, report["images"], report["finished"], report["stopped"]) == (3, 256, True, "collapsed")
    assert "finished after 256 images, but the generator repeats itself: exit code 3" in done.err
    assert call("gan-train", "--resume", RUN).code == 3, "it is still so"
    scripted(GOOD, GOOD, GOOD, STUCK)
    assert call(*arguments, "--name", "once").code == 0, "one evaluation alone may be noise"


def test_the_judge_has_a_device_of_its_own(
    make: Callable[..., Config], digits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch with CUDA beside ONNX Runtime without it is what training hosts have: evaluations run on the CPU then."""
    data = replace(make().data, source=digits)
    config = replace(make(), data=data, recipe=replace(make().recipe, eval_every=8), device="cuda", asked={})
    found = generate.open_judge(config, load_dataset("digits"), None, offline=True, quiet=True)
    assert isinstance(found, generate.Judge)
    asked: list[str] = []
    monkeypatch.setattr(generate.FeatureNetwork, "load", lambda path, device, threads: asked.append(device) or 1 / 0)
    for device in ("cpu", "cuda"):
        with pytest.raises(ZeroDivisionError):
            generate.open_judge(replace(config, device=device), load_dataset("digits"), None, offline=True, quiet=True)
    assert asked == ["cpu", "auto"]


def test_patience(call: Call, scripted: Callable[..., None]) -> None:
    scripted(*(replace(GOOD, fid=fid) for fid in (3.0, 2.0, 2.5, 2.1, 1.0)))
    done = call(*TRAIN, "--eval-every", 64, "--patience", 2, "--json")
    report = json.loads(done.out)
    assert (done.code, report["images"], report["stopped"], report["finished"]) == (0, 256, "patience", False)
    assert "stopped after 256 images: its FID no longer falls" in done.err
    assert evaluated() == [*((images, 200) for images in (64, 128, 192, 256)), (256, 400), (128, 400)]
    assert call("gan-train", "--resume", RUN).code == 0  # finds a better one, and stops again
    assert [images for images, n in evaluated() if n == 200] == [64, 128, 192, 256, 320, 384, 448]


def test_a_run_that_is_killed_at_its_end_is_evaluated_when_it_goes_on(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (*TRAIN, "--eval-every", 256, "--checkpoint-every", 128)
    call(*arguments, "--name", "whole")
    with monkeypatch.context() as patch:
        patch.setattr(evaluating.RunEvaluator, "at_the_end", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        child = os.fork()
        if not child:
            call(*arguments, "--name", "killed")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert call("gan-train", "--resume", "runs/killed").code == 0
    assert logged(Path("runs/killed")) == logged(Path("runs/whole"))


def test_a_report_that_cannot_be_written_stops_no_training(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(run: object) -> None:
        raise OutputError("report.html: cannot be written: No space left on device")

    monkeypatch.setattr(page, "write_report", full)
    done = call(*TRAIN, "--preview-every", 256)
    assert done.code == 0
    assert "no report: report.html: cannot be written" in done.err


def test_a_damaged_best_checkpoint_stops_no_training(
    call: Call, scripted: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(replace(GOOD, fid=0.5), GOOD)
    monkeypatch.setattr(evaluating, "checkpoint_path", lambda folder, images: Path("config.json"))
    done = call(*TRAIN, "--eval-every", 128)
    assert done.code == 0
    assert "the generator after 128 images was not evaluated again: config.json" in done.err


def test_evaluations_that_were_asked_for_are_made_or_refused(call: Call, tmp_path: Path) -> None:
    for path in (tmp_path / "data" / "digits").glob("test-*"):
        path.unlink()
    assert call(*TRAIN, "--eval-every", 128).refused("test-images", "digits")
    assert not list(Path("runs").iterdir())
    assert call(*TRAIN, "--quiet").code == 0


def test_a_diverging_run_says_so_in_its_log(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_step(monkeypatch, lambda *_, **__: {"d_loss": torch.tensor(0.5), "g_loss": torch.tensor(math.nan)})
    done = call(*TRAIN, "--quiet")
    assert done.refused("runs/digits-quick: diverged at step 1: g_loss is nan", "try a lower --lr")
    assert logged()[-1]["warning"] == "diverged at step 1: g_loss is nan"


def test_the_clock_has_no_say_in_what_a_run_does(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluations that take an hour each, and steps that take none, are made at the same images; so is all else."""
    arguments = (*TRAIN, "--preview-every", 256, "--checkpoint-every", 300, "--quiet")
    monkeypatch.setattr(history, "FINAL_SAMPLES", 500)
    monkeypatch.setitem(RECIPES, "quick", replace(RECIPES["quick"], eval_every=128))
    call(*arguments, "--name", "usual")
    hour = itertools.count(step=3600.0)
    with monkeypatch.context() as patch:
        for name in ("perf_counter", "process_time", "monotonic", "time"):
            patch.setattr(time, name, lambda: next(hour))
        call(*arguments, "--name", "slow")
    slow, usual = Path("runs/slow"), Path("runs/usual")
    assert logged(slow) == logged(usual)
    assert [images for images, n in evaluated(slow) if n == 200] == [128, 256, 384, 512]
    for pattern in ("checkpoints/*", "samples/*"):
        assert sorted(p.name for p in slow.glob(pattern)) == sorted(p.name for p in usual.glob(pattern))


def test_when_runs_are_evaluated(call: Call, tmp_path: Path) -> None:
    def recipe(*arguments: object) -> dict[str, Any]:
        call("gan-train", *arguments, "--batch-size", 8, "--images", 16, "--threads", 1, "--name", "x", "--quiet")
        found: dict[str, Any] = json.loads(Path("runs/x/config.json").read_text())["recipe"]
        (tmp_path / "runs" / "x").rename(tmp_path / "runs" / str(len(list((tmp_path / "runs").iterdir()))))
        return found

    assert recipe("digits")["eval_every"] == 0  # less to learn than to measure
    assert recipe("digits", "--eval-every", 0)["eval_every"] == 0
    assert recipe("digits", "--eval-every", 8)["eval_every"] == 8
    assert call("gan-train", "digits", "--eval-every", 0, "--patience", 3).refused("--patience", "need evaluations")
    np.save("x.npy", np.zeros(3))
    folder = tmp_path / "photos"
    folder.mkdir()
    from PIL import Image

    for i in range(8):
        Image.new("L", (28, 28), i).save(folder / f"{i}.png")
    assert recipe(folder, "--size", 28, "--hold-out", 0)["eval_every"] == 0
    few = ("gan-train", folder, "--size", 28, "--mode", "L", "--batch-size", 4, "--eval-every", 8, "--quiet")
    assert call(*few).refused("photos: 8 images are too few to measure against")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [("first", ["--checkpoint first", "best, last"]), ("7", ["--checkpoint 7", "has 512", "choose one"])],
)
def test_checkpoints_that_are_none(call: Call, wanted: str, words: list[str]) -> None:
    call(*TRAIN, "--quiet")
    assert call("gan-export", RUN, "--checkpoint", wanted).refused(*words)
    assert call("gan-export", RUN, "--checkpoint", 512).code == 0
    assert "the last" in call("gan-export", RUN, "--checkpoint", "last").err
