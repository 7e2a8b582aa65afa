"""What --profile writes: operations, times and a trace; the run itself stays the same."""

import gzip
import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from helpers import Result

G_UNITS, D_UNITS = (100, 256, 512, 1024, 784), (784, 1024, 512, 256, 1)  # of the recipe `gan`
Call = Callable[..., Result]
SHORT = [*("mnist", "--recipe", "gan", "--batch-size", 8, "--threads", 1, "--eval-every", 0, "--quiet")]


def weights(run: str) -> dict[str, torch.Tensor]:
    (checkpoint,) = Path("runs", run, "checkpoints").glob("*.pt")
    return torch.load(checkpoint, weights_only=True)["networks"]["generator"]


def number(text: str, line: str) -> float:
    found = re.search(rf"^{line} +([\d,.]+)", text, re.MULTILINE)
    assert found, text
    return float(found[1].replace(",", ""))


def test_operations_times_and_a_trace_are_written(call: Call) -> None:
    assert call("gan-train", *SHORT, "--images", 256, "--profile", "--name", "profiled").code == 0
    text = Path("runs/profiled/profile.txt").read_text()
    assert "8 steps of 8 images, cpu, 1 threads, fp32" in text
    g, d = ([2 * a * b for a, b in pairwise(units)] for units in (G_UNITS, D_UNITS))
    in_d_step = sum(g) + 2 * (3 * sum(d) - d[0])  # no gradients of the images
    in_g_step = 3 * sum(g) - g[0] + 2 * sum(d)  # none of the weights of the discriminator
    assert number(text, "operations per step") == round(8 * (in_d_step + in_g_step) / 1e9, 3)
    rate, peak, share = (
        number(text, line) for line in ("operations per second", "largest matrix product", "share of that")
    )
    assert abs(100 * rate / peak - share) <= 1
    assert "aten::addmm" in text
    trace = json.loads(gzip.decompress(Path("runs/profiled/profile-trace.json.gz").read_bytes()))
    assert any(event.get("name") == "aten::addmm" for event in trace["traceEvents"])


@pytest.mark.parametrize("recipe", ["quick", "wgan-gp"])
@pytest.mark.usefixtures("digits")
def test_recipes_with_gradient_penalties_are_profiled(call: Call, recipe: str) -> None:
    short = ("digits", "--recipe", recipe, "--width", 8, "--batch-size", 8, "--threads", 1, "--eval-every", 0)
    ended = call("gan-train", *short, "--images", 1200, "--profile", "--name", "profiled", "--quiet")
    assert ended.code == 0, ended
    assert number(Path("runs/profiled/profile.txt").read_text(), "operations per step") > 0


def test_a_profiled_run_has_the_same_weights(call: Call) -> None:
    for name, flags in (("plain", []), ("profiled", ["--profile"])):
        assert call("gan-train", *SHORT, "--images", 256, "--name", name, *flags).code == 0
    plain, profiled = weights("plain"), weights("profiled")
    assert all(torch.equal(plain[name], profiled[name]) for name in plain)


def test_pictures_and_checkpoints_between_steps_are_not_counted(call: Call) -> None:
    for name, flags in (("plain", []), ("often", ["--preview-every", 120, "--checkpoint-every", 200])):
        assert call("gan-train", *SHORT, "--images", 480, "--profile", "--name", name, *flags).code == 0
    plain, often = (
        number(Path(f"runs/{name}/profile.txt").read_text(), "operations per step") for name in ("plain", "often")
    )
    assert plain == often


@pytest.mark.parametrize("images", [32, 64, 160])
def test_a_run_that_ends_before_says_that_there_is_no_profile(call: Call, images: int) -> None:
    ended = call("gan-train", *(one for one in SHORT if one != "--quiet"), "--images", images, "--profile")
    assert ended.code == 0
    assert "no profile: the run ended before 32 steps" in ended.err
    assert not list(Path("runs").glob("*/profile*"))
