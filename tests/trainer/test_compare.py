"""gan-compare on a thousand real digits. The commands that it runs are run within this process."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from helpers import Result, leftovers, replace_step
from PIL import Image

from gan_runtime import models
from gan_runtime.errors import GanEdgeError, InputError
from gan_runtime.evaluation import networks
from gan_runtime.evaluation import scores as evaluation
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.networks import find_features
from gan_runtime.models import shipped_features
from gan_trainer.compare import cells, command, pictures, prepare
from gan_trainer.compare.cells import Place, finish, make_folders
from gan_trainer.compare.plan import Cell, Plan, Settings, make_plan
from gan_trainer.compare.processes import Done, Processes
from gan_trainer.evaluation.run import RunEvaluator
from gan_trainer.runs import history, settings
from gan_trainer.training import config as configs
from gan_trainer.training.loop import Evaluation

Call = Callable[..., Result]
Commands = list[tuple[str, ...]]
FOLDER = Path("comparisons/digits")
COMPARE = ("gan-compare", "digits", "--images", 512, "--batch-size", 64, "--n", 130, "--jobs", 1)
TWO = (*COMPARE, "--recipes", "gan,bigan", "--seeds", 1)
ONE = (*COMPARE, "--recipes", "bigan", "--seeds", 1)


@pytest.fixture(autouse=True)
def _shipped(monkeypatch: pytest.MonkeyPatch, digits: str) -> None:
    """The features of mnist ship for the digits, too; evaluations take fewer images than usual."""
    monkeypatch.setattr(evaluation, "KID_SUBSETS", 1)
    monkeypatch.setattr(history, "SAMPLES", 130)
    monkeypatch.setattr(history, "FINAL_SAMPLES", 260)
    path = shipped_features("mnist")
    if path is None:
        pytest.skip("the features for mnist are not here")
    for module in (models, networks):
        monkeypatch.setattr(module, "shipped_features", {digits: path}.get)


pytestmark = pytest.mark.usefixtures("ran")


def names_of(ran: Commands) -> list[str]:
    """The runs that were trained."""
    return [words[words.index("--name") + 1] for words in ran if "--name" in words]


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "comparison.json").read_text())
    return found


def result(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results" / f"{name}.json").read_text())
    return found


def test_a_comparison_is_kept_and_only_what_is_new_is_run(call: Call, ran: Commands) -> None:
    done = call(*TWO, "--quiet")
    assert (done.code, done.err) == (0, ""), done
    assert [words[0] for words in ran] == ["gan-train", "gan-export", "gan-eval"] * 2
    assert names_of(ran) == ["gan-0", "bigan-0"]
    header, *rows = done.out.splitlines()
    assert header.split()[:6] == ["recipe", "runs", "images", "CPU", "s", "FID"]
    assert [row.split("  ")[0] for row in rows[2:]] == ["test images", "training images"]
    assert {row.split()[0] for row in rows[:2]} == {"gan", "bigan"}
    for name in ("gan-0", "bigan-0"):
        model = onnx.load(FOLDER / "models" / f"{name}.onnx")
        assert [opset.version for opset in model.opset_import if opset.domain == ""] == [17]
        assert [point["images"] for point in result(name)["curve"]] == [128, 256, 320, 448, 512]
        assert all(point["fid"] > 0 and point["cpu_seconds"] > 0 for point in result(name)["curve"])
        assert (result(name)["images"], result(name)["outcome"]) == (512, "finished")
    assert json.loads((FOLDER / "plan.json").read_text())["lengths"] == {"gan": 512, "bigan": 512}
    assert {path.name for path in FOLDER.iterdir() if path.is_file()} == {
        "comparison.html", "comparison.md", "comparison.json", "samples.png", "plan.json", ".lock",
    }  # fmt: skip
    text = (FOLDER / "comparison.md").read_text()
    assert "512 images per run, seeds 0; 1 thread per run on cpu." in text
    assert "Changed in every recipe: batch_size = 64." in text
    assert not leftovers(FOLDER)

    ran.clear()
    assert call(*TWO, "--quiet").out == done.out
    assert ran == []
    assert call(*TWO, "--recipes", "gan", "--seeds", 2, "--quiet").code == 0
    assert names_of(ran) == ["gan-1"]
    assert {row["recipe"]: row["runs"] for row in document()["recipes"]} == {"gan": 2, "bigan": 1}, "all that there are"
    ran.clear()
    assert call(*TWO, "--recipes", "vae,gan,bigan", "--quiet").code == 0
    assert names_of(ran) == ["vae-0"]
    assert {row["recipe"] for row in document()["recipes"]} == {"vae", "gan", "bigan"}


def test_parts_of_a_comparison_are_the_whole(call: Call, ran: Commands) -> None:
    assert "part 1/3 has no runs" in call(*TWO, "--shard", "1/3").err
    assert call(*TWO, "--shard", "2/2", "--quiet").code == 0
    assert names_of(ran) == ["bigan-0"]
    assert [row["recipe"] for row in document()["recipes"]] == ["bigan"]
    done = call(*TWO, "--shard", "1/2", "--json", "--quiet")
    assert names_of(ran) == ["bigan-0", "gan-0"]
    assert json.loads(done.out) == document(), "the last part has the table of all"
    assert {row["recipe"] for row in document()["recipes"]} == {"gan", "bigan"}
    ran.clear()
    assert json.loads(call(*TWO, "--json").out) == document()
    assert ran == []


def test_numbers_are_those_of_gan_eval(call: Call) -> None:
    told = json.loads(call(*ONE, "--json").out)
    assert told == document()
    model = FOLDER / "models" / "bigan-0.onnx"
    report = json.loads(call("gan-eval", model, "digits", "--n", 130, "--threads", 1, "--device", "cpu", "--json").out)
    scores, mine = report["results"][str(model)], result("bigan-0")["report"]["results"][str(model)]
    assert scores | {"seconds": 0} == mine | {"seconds": 0}
    (row,) = told["recipes"]
    assert row["fid"] == {"mean": scores["fid"], "deviation": None, "best": scores["fid"], "runs": 1}
    assert told["runs"] == [result("bigan-0")]
    assert told["plan"]["settings"]["n"] == 130


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (("--images", 256), ["--images 512, not --images 256"]),
        (("--n", 300), ["--n 130, not --n 300"]),
        (("--threads", 2), ["--threads 1, not --threads 2"]),
        (("--lr", 0.01), ["--batch-size 64, not --lr 0.01 --batch-size 64"]),
    ],
)
def test_other_settings_are_refused_by_name(
    call: Call, ran: Commands, other: tuple[str, object], words: list[str]
) -> None:
    features = FeatureNetwork.load(find_features("digits")).model.sha256
    settings = Settings("digits", 512, None, 130, 1, {"batch_size": 64}, "cpu", "fp32", features)
    (FOLDER / "runs" / "bigan-0").mkdir(parents=True)
    make_plan(FOLDER, settings, ["bigan"], lambda _: 512, begun=False)
    assert call(*ONE, *other).refused(str(FOLDER), "was begun with", "another --output", *words)
    assert ran == []


def test_a_stopped_run_goes_on_where_it_stopped(call: Call, ran: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        during = RunEvaluator.during

        def stop(*arguments: Any) -> Evaluation:
            os.kill(os.getpid(), signal.SIGTERM)
            return during(*arguments)

        patch.setattr(RunEvaluator, "during", stop)
        assert call(*ONE, "--quiet").refused("stopped after 128 images", "gan-train --resume")
    assert not list((FOLDER / "results").iterdir())
    ran.clear()
    assert call(*ONE, "--quiet").code == 0
    assert ran[0][:3] == ("gan-train", "--resume", str(FOLDER / "runs" / "bigan-0"))
    assert call(*ONE, "--quiet", "--output", "whole").code == 0
    stopped, whole = (result("bigan-0", folder) for folder in (FOLDER, Path("whole")))
    fids = [[point["fid"] for point in found["curve"]] for found in (stopped, whole)]
    assert fids[0] == fids[1]
    scores = [next(iter(found["report"]["results"].values()))["fid"] for found in (stopped, whole)]
    assert scores[0] == scores[1]


def test_a_lost_result_is_made_again_from_the_finished_run(call: Call, ran: Commands) -> None:
    call(*ONE, "--quiet")
    before = result("bigan-0")
    (FOLDER / "results" / "bigan-0.json").write_text('{"outcome": "finished"}')
    ran.clear()
    assert call(*ONE, "--quiet").code == 0
    assert [words[0] for words in ran] == ["gan-export", "gan-eval"], "the training is over"
    assert [result("bigan-0")[key] for key in ("curve", "images", "cpu_seconds")] == [
        before[key] for key in ("curve", "images", "cpu_seconds")
    ]


def test_a_run_that_diverges_is_counted_and_has_no_numbers(
    call: Call, ran: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_step(monkeypatch, lambda *_, **__: {"d_loss": torch.tensor(0.5), "g_loss": torch.tensor(float("nan"))})
    done = call(*TWO)
    assert done.code == 0, done
    found = result("gan-0")
    assert (found["outcome"], found["report"], found["curve"]) == ("diverged", None, [])
    assert found["reason"].startswith("diverged at step 1: g_loss is nan")
    assert found["images"] == 64
    bigan, gan = done.out.splitlines()[1:3]
    assert bigan.split()[:2] == ["bigan", "1"]
    assert gan.split() == ["gan", "1", "(1", "diverged)", "64", "0", *"-----------"]
    assert document()["recipes"][1]["fid"] is None
    assert not (FOLDER / "models" / "gan-0.onnx").exists()
    samples = np.array(Image.open(FOLDER / "samples.png").convert("L"))
    top, bottom = np.split(samples, 2)  # the bigan, then the run without numbers
    assert (top[:, pictures.MARGIN :] != 255).any()
    assert (bottom[:, :100] < 100).any(), "it has its name"
    assert (bottom[:, 200:] == 255).all(), "and no pictures"
    ran.clear()
    assert call(*TWO).code == 0
    assert ran == []


def test_a_failure_is_told_in_the_command_s_own_words(call: Call, ran: Commands) -> None:
    run = FOLDER / "runs" / "bigan-0"
    run.mkdir(parents=True)
    (run / "config.json").write_text("{")
    (run.parent / "bigan-1").mkdir()
    (run.parent / "bigan-1/config.json").write_text("{")
    words = ["gan-compare: error: bigan-0: ", "bigan-0/config.json: cannot be read", "(and 1 more)"]
    assert call(*TWO, "--quiet", "--recipes", "bigan,gan", "--seeds", 2).refused(*words)
    assert [row["recipe"] for row in document()["recipes"]] == ["gan"], "what is finished is in the table"
    assert sorted(path.name for path in (FOLDER / "results").iterdir()) == ["gan-0.json", "gan-1.json"], "it is kept"
    (run / "config.json").unlink()
    run.rmdir()
    ran.clear()
    assert call(*TWO, "--quiet").code == 0
    assert names_of(ran) == ["bigan-0"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--recipes", "gan,wagn"), ["'wagn'", "choose one of quick, gan"]),
        (("--recipes", ""), ["recipe ''", "unknown"]),
        (("--seconds", 5), ["--seconds, --images: give one of them"]),
        (("--precision", "fp16"), ["precision 'fp16'"]),
        (("--betas", 0.5, 0.9, "--warm-critic", 0, "--recipes", "gan,wgan"), ["--betas", "recipe wgan", "--recipes"]),
        (("--recipes", "gan,wgan"), ["--images 512", "recipe wgan"]),
        (("--n", 128, "--recipes", "gan"), ["--n 128", "at least 129"]),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_run(
    call: Call, ran: Commands, arguments: tuple[object, ...], words: list[str]
) -> None:
    assert call(*COMPARE, *arguments).refused(*words)
    assert ran == []
    assert not FOLDER.exists()


def test_a_budget_and_features_are_needed(call: Call, tmp_path: Path) -> None:
    assert call("gan-compare", "digits").refused("--seconds, --images: give one of them")
    assert call("gan-compare", "nothing", "--images", 512).refused("data set 'nothing': unknown")
    (tmp_path / "file").write_text("")
    assert call(*ONE, "--output", "file").refused("file", "cannot be made", "another --output")


def test_a_budget_of_seconds(call: Call, ran: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """The length of each recipe follows from the cost of a step, which is measured once."""
    asked: list[str] = []

    def cost(config: configs.Config, dataset: object) -> tuple[float, float]:
        asked.append(config.recipe_name)
        return 0.25, 0.5

    monkeypatch.setattr(command, "step_seconds", cost)
    seconds = ("gan-compare", "digits", "--seconds", 4, "--batch-size", 64, "--n", 130, "--jobs", 1, "--seeds", 1)
    assert call(*seconds, "--recipes", "wgan").refused("--seconds 4: is too short for wgan")
    assert call(*seconds, "--recipes", "gan", "--quiet").code == 0
    assert asked == ["wgan", "gan"]
    assert result("gan-0")["images"] == 8 * 64
    assert "4 CPU seconds per run" in (FOLDER / "comparison.md").read_text()
    assert call(*seconds, "--recipes", "gan", "--seeds", 2, "--quiet").code == 0
    assert asked == ["wgan", "gan"], "a second seed has the length of the first"


def test_all_recipes_compute_in_one_precision(call: Call, ran: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them have "auto" in the table, which is bf16 on some processors."""
    monkeypatch.setattr(settings, "choose_precision", lambda wanted, device: "bf16" if wanted == "auto" else wanted)
    assert call(*COMPARE, "--recipes", "quick,gan", "--seeds", 1, "--quiet", "--width", 8).code == 0
    for name in ("quick-0", "gan-0"):
        found = json.loads((FOLDER / "runs" / name / "config.json").read_text())
        assert found["recipe"]["precision"] == "fp32", name
    assert document()["plan"]["settings"]["precision"] == "fp32"
    text = (FOLDER / "comparison.md").read_text()
    assert "All recipes compute in fp32." in text
    assert "Software: gan-edge" in text
    assert call(*COMPARE, "--recipes", "quick,gan", "--precision", "bf16", "--width", 8).refused(
        "--precision fp32, not"
    )


def test_seconds_of_a_processor_are_no_budget_on_a_gpu(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "choose_device", lambda wanted: ("cuda", "as if it worked here"))
    done = call("gan-compare", "digits", "--seconds", 5, "--recipes", "gan")
    assert done.refused("--seconds 5: CPU seconds do not measure the work of cuda", "give --images, or --device cpu")


def test_torch_s_gpu_need_not_be_one_of_onnx_runtime() -> None:
    asked: list[tuple[str, ...]] = []

    def run(name: str, *arguments: object) -> Done:
        asked.append((name, *map(str, arguments)))
        told = {
            "gan-train": {"images": 512, "cpu_seconds": 7.0},
            "gan-export": {},
            "gan-eval": {"results": {"x": GOOD}},
        }
        return Done(name, 0, json.dumps(told[name]), "")

    place = Place(Path("x"), (), "cuda")
    make_folders(place.folder)
    finish(place, Plan(Settings("digits", 512, device="cuda"), {"gan": 512}), Cell("gan", 0), run)
    devices = {words[0]: words[words.index("--device") + 1] for words in asked if "--device" in words}
    assert devices == {"gan-train": "cuda", "gan-eval": "auto"}


def test_what_gan_train_calls_collapsed_is_collapsed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """One definition, whoever looks: twice in a row while it trains, or at the exported file."""
    place, plan = Place(Path("x"), (), "cpu"), Plan(Settings("digits", 512), {"gan": 512})
    make_folders(place.folder)
    stuck = GOOD | {"recall": 0.01, "coverage": 0.05}

    def outcome(seed: int, trained: list[dict[str, float]], measured: dict[str, float]) -> str:
        cell, told = Cell("gan", seed), {"gan-train": {"images": 512, "cpu_seconds": 7.0}, "gan-export": {}}
        told["gan-eval"] = {"results": {"x": measured}}
        run = place.run(cell)
        run.folder.mkdir()
        for i, scores in enumerate(trained):
            run.log({"images": i, "n": history.SAMPLES} | scores)
        return str(finish(place, plan, cell, lambda name, *_: Done(name, 0, json.dumps(told[name]), ""))["outcome"])

    assert outcome(0, [stuck, stuck], GOOD) == "collapsed"
    assert outcome(1, [GOOD, GOOD], stuck) == "collapsed"
    assert outcome(2, [stuck, GOOD], GOOD) == "finished"


GOOD = {"fid": 1.0, "precision": 0.9, "recall": 0.5, "coverage": 0.6}
REPORT = {"results": {"x": GOOD}, "floors": {}, "features": {}, "versions": {}}
TRAINED: dict[str, Any] = {
    "recipe": "gan", "seed": 0, "key": Plan(Settings("digits", 512), {"gan": 512}).key("gan"),
    "images": 512, "cpu_seconds": 7.0, "outcome": "finished", "curve": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "scores", "outcome"),
    [
        (0, GOOD, "finished"),
        (0, GOOD | {"recall": 0.01, "coverage": 0.05}, "collapsed"),
        (0, GOOD | {"recall": 0.01}, "collapsed"),  # some pictures per class, again and again
        (0, GOOD | {"coverage": 0.05}, "finished"),  # strokes that pass for parts of digits
        (0, GOOD | {"precision": 0.2, "recall": 0.0, "coverage": 0.0}, "finished"),  # not even plausible
        (0, GOOD | {"recall": None}, "finished"),
        (3, GOOD, "collapsed"),  # gan-train --stop-when-collapsed
    ],
)
def test_outcomes(code: int, scores: dict[str, float], outcome: str) -> None:
    place, cell = Place(Path("x"), (), "cpu"), Cell("gan", 4)
    make_folders(place.folder)

    def run(name: str, *arguments: object) -> Done:
        told = {
            "gan-train": {"images": 512, "cpu_seconds": 7.0},
            "gan-export": {},
            "gan-eval": {"results": {"x": scores}, "floors": {}, "features": {}, "versions": {}},
        }
        return Done(name, code if name == "gan-train" else 0, json.dumps(told[name]), "")

    plan = Plan(Settings("digits", 512), {"gan": 512})
    found = finish(place, plan, cell, run)
    assert (found["outcome"], found["images"], found["cpu_seconds"], found["seed"]) == (outcome, 512, 7.0, 4)
    assert cells.known_result(place, plan, cell) is None, "without its model"
    place.model(cell).write_bytes(b"")
    assert cells.known_result(place, plan, cell) == found
    with pytest.raises(InputError, match=r"gan-4.json: belongs to a comparison with other settings"):
        cells.known_result(place, Plan(Settings("digits", 512, n=3), {"gan": 512}), cell)


@pytest.mark.parametrize(
    "content",
    ["", "{", "\xff", "[]", "3", "null", "{}"]
    + [
        json.dumps(TRAINED | {"report": REPORT} | change)
        for change in (
            {"seed": 1}, {"recipe": "vae"}, {"outcome": "banana"}, {"outcome": []}, {"images": None},
            {"cpu_seconds": "7"}, {"curve": [3]}, {"curve": [{}]}, {"curve": {}}, {"key": 3}, {"report": None},
            {"report": 3}, {"report": {}}, {"report": {"results": {}}}, {"report": {"results": {"x": 3}}},
        )
    ],
)  # fmt: skip
def test_damaged_results_are_measured_again_and_damaged_trainings_are_named(content: str) -> None:
    place, cell, plan = Place(Path("x"), (), "cpu"), Cell("gan", 0), Plan(Settings("digits", 512), {"gan": 512})
    make_folders(place.folder)
    place.model(cell).write_bytes(b"")
    place.result(cell).write_text(content, encoding="latin-1")
    assert cells.known_result(place, plan, cell) is None
    assert cells.known_results(place, plan) == []
    place.result(cell).write_text(json.dumps(TRAINED | {"outcome": "diverged", "report": REPORT}))
    assert cells.known_result(place, plan, cell) is None

    def run(name: str, *arguments: object) -> Done:
        raise GanEdgeError(f"{name} is run")

    place.trained(cell).write_text(content, encoding="latin-1")
    with pytest.raises(GanEdgeError, match=r"gan-0\.json: damaged; remove it and x/runs/gan-0|gan-export is run"):
        finish(place, plan, cell, run)


@pytest.mark.parametrize("failing", ["gan-export", "gan-eval"])
def test_a_failing_export_or_measurement_leaves_no_result(
    call: Call, ran: Commands, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    run = Processes.run

    def fail(self: Processes, name: str, *arguments: object) -> Done:
        return Done(name, 1, "", "a remark\nthe reason\n") if name == failing else run(self, name, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Processes, "run", fail)
        assert call(*ONE, "--quiet").refused(
            f"gan-compare: error: bigan-0: {failing} ended with exit code 1: the reason"
        )
    assert not list((FOLDER / "results").iterdir())
    assert call(*ONE, "--quiet").code == 0
    assert result("bigan-0")["outcome"] == "finished"
