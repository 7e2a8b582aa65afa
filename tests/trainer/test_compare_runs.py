"""What a comparison plans, what a step costs, and the processes that it runs."""

import json
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gan_runtime import __version__
from gan_runtime.data import Dataset
from gan_runtime.errors import GanEdgeError, InputError
from gan_trainer.compare import plan as plans
from gan_trainer.compare.cells import Place
from gan_trainer.compare.cluster import run_part
from gan_trainer.compare.plan import Cell, Plan, Settings, make_plan
from gan_trainer.compare.processes import BOUND, Done, Processes
from gan_trainer.compare.speed import images_within, step_seconds
from gan_trainer.data.batches import Batches
from gan_trainer.recipes.recipe import RECIPES
from gan_trainer.systems import SYSTEMS, start_state
from gan_trainer.training.checkpoint import load_checkpoint
from gan_trainer.training.config import Config

Make = Callable[..., Config]
SETTINGS = Settings("digits", None, 60.0, 500, 1, {"betas": (0.5, 0.9), "share_passes": False, "lr": 0.01})


def refuse(recipe: str) -> int:
    raise AssertionError(f"{recipe} has its length already")


def test_a_plan_is_kept_and_grows(tmp_path: Path) -> None:
    lengths = {"gan": 5000, "vae": 7000, "quick": 800}
    plan = make_plan(tmp_path, SETTINGS, ["gan", "vae"], lengths.__getitem__)
    assert (plan.settings, plan.lengths, list(plan.recipes)) == (SETTINGS, {"gan": 5000, "vae": 7000}, ["gan", "vae"])
    assert make_plan(tmp_path, SETTINGS, ["vae"], refuse) == plan
    assert make_plan(tmp_path, SETTINGS, ["quick", "gan"], {"quick": 800}.__getitem__).lengths == lengths
    assert [plan.evaluate_every(name) for name in plan.lengths] == [1000, 1400]
    assert Plan(SETTINGS, {"gan": 3}).evaluate_every("gan") == 1
    assert Cell("wgan-gp", 7).name == "wgan-gp-7"


def test_lengths_that_were_measured_are_kept_when_the_next_one_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        make_plan(tmp_path, SETTINGS, ["gan", "vae"], {"gan": 5000}.__getitem__)
    assert make_plan(tmp_path, SETTINGS, ["gan"], refuse).lengths == {"gan": 5000}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": "mnist"}, "with digits, not mnist"),
        ({"cpu_seconds": 30.0}, "with --seconds 60, not --seconds 30"),
        ({"cpu_seconds": None, "images": 10}, "with --seconds 60, not --images 10"),
        ({"changes": {}}, "with --betas 0.5 0.9 --no-share-passes --lr 0.01, not no changes"),
        ({"device": "cuda"}, "with --device cpu, not --device cuda"),
        ({"precision": "bf16"}, "with --precision fp32, not --precision bf16"),
        ({"features": "abc"}, "not the features abc"),
    ],
)
def test_another_plan_is_refused(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    make_plan(tmp_path, SETTINGS, ["gan"], lambda _: 10)
    before = (tmp_path / "plan.json").read_bytes()
    with pytest.raises(InputError, match=words):
        make_plan(tmp_path, replace(SETTINGS, **changes), ["gan", "vae"], lambda _: 10)
    assert (tmp_path / "plan.json").read_bytes() == before


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"settings": {"changes": {}, "nothing": 1}, "lengths": {}}', '{"settings": 3}', "\xff"],
)
def test_a_damaged_plan_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "plan.json").write_text(content, encoding="latin-1")
    with pytest.raises(GanEdgeError, match=r"plan.json: not the plan of a comparison .* another --output"):
        make_plan(tmp_path, SETTINGS, ["gan"], lambda _: 10)


def test_a_recipe_whose_source_is_worded_in_another_way_has_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(tmp_path, SETTINGS, ["gan"], lambda _: 10)
    monkeypatch.setitem(RECIPES, "gan", replace(RECIPES["gan"], source="Goodfellow et al."))
    assert make_plan(tmp_path, SETTINGS, ["gan"], refuse) == plan
    document = json.loads((tmp_path / "plan.json").read_text())
    document["recipes"]["gan"]["source"] = "as gan-edge 0.1.0 kept it"
    (tmp_path / "plan.json").write_text(json.dumps(document))
    kept = make_plan(tmp_path, SETTINGS, ["gan"], refuse)
    assert kept.recipes["gan"] == document["recipes"]["gan"]


def test_a_plan_is_continued_where_recipes_have_a_setting_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(tmp_path, SETTINGS, ["gan"], lambda _: 10)
    document = json.loads((tmp_path / "plan.json").read_text())
    del document["recipes"]["gan"]["sync_batch_norm"]
    (tmp_path / "plan.json").write_text(json.dumps(document))
    kept = make_plan(tmp_path, SETTINGS, ["gan"], refuse)
    assert (kept.recipes["gan"], kept.key("gan") != plan.key("gan")) == (document["recipes"]["gan"], True), "as it was"
    monkeypatch.setitem(RECIPES, "gan", replace(RECIPES["gan"], sync_batch_norm=True))
    with pytest.raises(InputError, match="the recipe gan has changed since it was begun"):
        make_plan(tmp_path, SETTINGS, ["gan"], refuse)


def test_a_recipe_that_has_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(tmp_path, SETTINGS, ["gan", "vae"], lambda _: 10)
    monkeypatch.setitem(RECIPES, "gan", replace(RECIPES["gan"], lr=0.125))
    assert make_plan(tmp_path, SETTINGS, ["vae"], refuse) == plan
    with pytest.raises(InputError, match="the recipe gan has changed since it was begun"):
        make_plan(tmp_path, SETTINGS, ["gan"], refuse)


def test_a_plan_that_no_run_follows_is_made_anew(tmp_path: Path) -> None:
    make_plan(tmp_path, SETTINGS, ["gan"], lambda _: 10)
    other = replace(SETTINGS, n=700)
    assert make_plan(tmp_path, other, ["gan"], lambda _: 20, begun=False).lengths == {"gan": 20}
    assert make_plan(tmp_path, other, ["gan"], refuse).settings == other


def test_other_versions_do_not_continue_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = make_plan(tmp_path, SETTINGS, ["gan"], lambda _: 10)
    assert set(began.software) == {"gan-edge", "torch", "onnxruntime"}
    monkeypatch.setattr(plans, "__version__", "99.0")
    with pytest.raises(
        InputError, match=f"was begun with gan-edge {__version__}, .* this is gan-edge 99.0, .*--mixed-v"
    ):
        make_plan(tmp_path, SETTINGS, ["gan"], refuse)
    mixed = make_plan(tmp_path, SETTINGS, ["gan"], refuse, mixed=True)
    assert (mixed, mixed.key("gan")) == (began, began.key("gan")), "its results count on"
    assert make_plan(tmp_path, SETTINGS, ["gan"], lambda _: 20, begun=False).software["gan-edge"] == "99.0"


def test_a_plan_of_before_is_not_continued_in_another_precision(tmp_path: Path) -> None:
    """Its recipes may have computed in bf16 and in fp32 beside each other, and it does not know its versions."""
    make_plan(tmp_path, SETTINGS, ["gan"], lambda _: 10)
    document = json.loads((tmp_path / "plan.json").read_text())
    del document["settings"]["precision"], document["software"]
    (tmp_path / "plan.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="was begun with --precision of each recipe's own, not --precision fp32"):
        make_plan(tmp_path, SETTINGS, ["gan"], refuse, mixed=True)


def test_images_within_counts_by_hand() -> None:
    wgan, gp = RECIPES["wgan"], RECIPES["wgan-gp"]
    assert images_within(RECIPES["vae"], 10, 9.0, 0.5) == 20 * RECIPES["vae"].batch_size  # no step without the decoder
    assert images_within(RECIPES["gan"], 10, 9.0, 0.5) == 20 * RECIPES["gan"].batch_size
    # rounds of 4 x 1 + 2: five of them are 30 seconds and 25 steps
    assert images_within(gp, 30, 1.0, 2.0) == 25 * gp.batch_size
    assert images_within(gp, 30.5, 1.0, 2.0) == 26 * gp.batch_size
    # a warm critic: rounds of 99 x 1 + 2 while the generator has made fewer than 25 steps, then of 4 x 1 + 2
    assert images_within(wgan, 25 * 101, 1.0, 2.0) == 2500 * wgan.batch_size
    assert images_within(wgan, 25 * 101 + 2 * 6, 1.0, 2.0) == 2510 * wgan.batch_size
    # and once more for the step after the 500th: 475 short rounds, then a long one
    assert images_within(wgan, 25 * 101 + 475 * 6 + 101, 1.0, 2.0) == (2500 + 475 * 5 + 100) * wgan.batch_size


def test_the_steps_of_a_warm_critic_are_not_free() -> None:
    """It may be the only one that makes steps alone, and is not measured."""
    recipe = replace(RECIPES["wgan-gp"], critic_steps=1, warm_critic=10, images=10_000)
    assert images_within(recipe, 25, 0.0, 0.5) == 50 * recipe.batch_size


def test_the_schedule_is_that_of_the_training(make: Make, dataset: Dataset) -> None:
    config = make("wgan", critic_steps=2, warm_critic=3, images=1000, width=8)
    state = start_state(config)
    batches = Batches(dataset, config.recipe.batch_size, 0, torch.device("cpu"))
    spent = 0.0
    for _ in range(100):
        losses = SYSTEMS["gan"].step(state, config.recipe, **batches.at(state.images_seen))
        spent += 4.0 if "g_loss" in losses else 1.0
        state.images_seen += config.recipe.batch_size
    assert images_within(config.recipe, spent, 1.0, 4.0) == state.images_seen


def test_the_cost_of_a_step(make: Make, dataset: Dataset) -> None:
    alone, both = step_seconds(make("wgan-gp", width=8), dataset, 0.05)
    assert 0 < alone < both
    alone, both = step_seconds(make("gan"), dataset, 0.05)
    assert alone == 0 < both
    alone, both = step_seconds(make("vae", width=8), dataset, 0.05)
    assert alone == 0 < both


def test_commands_are_processes_of_this_installation() -> None:
    Path("gan_trainer.py").write_text("raise SystemExit(9)")  # what lies in the user's folder is no part of it
    run = Processes().run
    for command in ("gan-train", "gan-export", "gan-eval"):
        assert run(command, "--version") == Done(command, 0, f"gan-edge {__version__}\n", "")
    done = run("gan-export", Path("no run"))
    assert (done.code, done.out) == (1, "")
    assert str(done.failed("x-0", Path())) == "x-0: run no run: not found (a run is a folder with config.json, made " \
        "by gan-train)"  # fmt: skip
    assert run("gan-train", "--recipe").code == 2


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is a call of Linux")
def test_a_command_does_not_begin_without_its_parent() -> None:
    assert Processes(ends_with_parent=True).run("gan-eval", "--version").code == 0
    orphan = [sys.executable, "-P", "-c", BOUND, "1", "gan_runtime.commands.evaluate", "--version"]
    done = subprocess.run(orphan, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def test_a_part_on_a_cluster_imports_no_torch() -> None:
    words = "import sys, gan_trainer.compare.cluster; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0


def test_what_a_part_on_a_cluster_cannot_do_is_its_result(tmp_path: Path) -> None:
    place, settings = Place(tmp_path, (), "cpu"), Settings("mnist", images=64)
    job = pickle.dumps((place, Plan(settings, {"gan": 64}, {"gan": {}}, {})))
    error = run_part(tmp_path, job, [("gan", 0)])
    assert isinstance(error, GanEdgeError)
    assert str(error).startswith("gan-0: --images 64: the generator's first step comes after 128")
    broken = run_part(tmp_path, job, [("no such recipe", 0)])
    assert "one_run" in Path(tmp_path / "no such recipe-0.log").read_text()
    assert str(broken).startswith("no such recipe-0: gan-compare ended with exit code 1: KeyError")


def test_a_bug_in_a_command_is_kept_whole(tmp_path: Path) -> None:
    assert str(Done("gan-eval", -9, "", "").failed("x-0", tmp_path)) == "x-0: gan-eval ended with exit code -9"
    assert list(tmp_path.iterdir()) == []
    done = Done("gan-eval", 1, "", "Traceback\n  somewhere\nKeyError: 'a'\n")
    said = str(done.failed("x-0", tmp_path))
    assert said == f"x-0: gan-eval ended with exit code 1: KeyError: 'a'; see {tmp_path}/x-0.log"
    assert (tmp_path / "x-0.log").read_text() == done.err


def test_what_runs_is_stopped_in_good_order_and_nothing_started_then() -> None:
    processes, where = Processes(), Path("runs/x")
    long = (
        "mnist",
        "--name",
        "x",
        "--threads",
        1,
        "--checkpoint-every",
        640,
        "--eval-every",
        0,
        "--width",
        8,
        "--quiet",
    )
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(processes.run, "gan-train", *long)
        try:
            end = time.monotonic() + 100
            while not list(where.glob("checkpoints/*.pt")) and not running.done() and time.monotonic() < end:
                time.sleep(0.02)
        finally:
            processes.stop()
        newest = max(where.glob("checkpoints/*.pt"), default=None)
        done = running.result(10)
    assert done.code == 128 + signal.SIGTERM, done
    assert newest is not None
    assert f"saved {newest}; gan-train --resume {where}" in done.err, "stop returns when the checkpoint is written"
    assert load_checkpoint(newest)["images_seen"] == int(newest.stem)
    assert processes.run("gan-train", "--version") == Done("gan-train", 143, "", "")
