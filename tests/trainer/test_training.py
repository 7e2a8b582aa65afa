import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import FROM_LATENTS, tensors

from gan_runtime.data import Dataset
from gan_trainer.data.batches import Batches
from gan_trainer.recipes.recipe import RECIPES
from gan_trainer.runs.folder import Run, create_run
from gan_trainer.systems import SYSTEMS, start_state
from gan_trainer.tasks.generate import preview
from gan_trainer.training.checkpoint import list_checkpoints, load_checkpoint
from gan_trainer.training.config import Config
from gan_trainer.training.logbook import Logbook
from gan_trainer.training.loop import Outcome, run_loop
from gan_trainer.training.meter import Diverged
from gan_trainer.training.observer import Observer
from gan_trainer.training.schedule import set_learning_rate
from gan_trainer.training.state import TrainState, update_averages
from gan_trainer.training.stop import StopRequest

Make = Callable[..., Config]


def run_of(config: Config, dataset: Dataset, name: str, observer: Observer | None = None) -> tuple[Run, Outcome]:
    run = create_run(Path("runs"), name, config)
    with StopRequest() as stop:  # as gan-train does
        book = Logbook(run, [observer] if observer else [])
        return run, run_loop(config, dataset, start_state(config), book, preview, stop=stop)


def same(one: Path, other: Path) -> bool:
    a, b = (dict(tensors(load_checkpoint(path))) for path in (one, other))
    assert a.keys() == b.keys()
    assert len(a) > 20
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert not different, different
    return True


def logged(run: Run) -> list[dict[str, Any]]:
    entries = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in entry.items() if "second" not in key} for entry in entries]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("recipe", FROM_LATENTS)
def test_same_seed_same_result(recipe: str, precision: str, make: Make, dataset: Dataset) -> None:
    config = make(recipe, precision=precision)
    (a, first), (b, second) = run_of(config, dataset, "a"), run_of(config, dataset, "b")
    assert same(first.checkpoint, second.checkpoint)
    assert logged(a) == logged(b)
    _, other = run_of(replace(config, seed=1), dataset, "c")
    weights = [load_checkpoint(outcome.checkpoint)["networks"]["generator"] for outcome in (first, other)]
    assert not all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


class StopAfter(Observer):
    """Sends this process a signal at the n-th step."""

    def __init__(self, steps: int, number: int) -> None:
        self.steps, self.number = steps, number

    def stepped(self, state: TrainState) -> None:
        self.steps -= 1
        if self.steps == 0:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("recipe", FROM_LATENTS)
def test_resumed_equals_never_stopped(recipe: str, precision: str, make: Make, dataset: Dataset) -> None:
    config = make(recipe, precision=precision)
    whole, outcome = run_of(config, dataset, "whole")
    for steps in (1, 4, 7):
        run, stopped = run_of(config, dataset, f"stopped-{steps}", StopAfter(steps, signal.SIGTERM))
        assert stopped.signal == signal.SIGTERM
        assert stopped.checkpoint.stem == f"{8 * steps:012d}"
        loaded, saved = Run(run.folder).load()
        assert loaded == config
        resumed = run_loop(loaded, dataset, start_state(loaded, saved), Logbook(run), preview)
        assert resumed.signal is None
        assert same(outcome.checkpoint, resumed.checkpoint)
        assert logged(whole) == logged(run)


@pytest.mark.parametrize("steps", [4, 6])
@pytest.mark.parametrize("recipe", ["quick", "r3gan", "stylegan2-small"])
def test_resumed_equals_never_stopped_with_adaptive_augmentation(
    recipe: str, steps: int, make: Make, dataset: Dataset
) -> None:
    strong = {"gamma": 0.05} if recipe == "stylegan2-small" else {}  # a discriminator that overfits at once
    config = make(recipe, augment="ada", ada_speed=100, ada_target=0.0, **strong)
    whole, outcome = run_of(config, dataset, "whole")
    run, _ = run_of(config, dataset, "stopped", StopAfter(steps, signal.SIGTERM))
    loaded, saved = Run(run.folder).load()
    assert int(saved["extra"]["ada"]["batches"]) == steps % 4
    resumed = run_loop(loaded, dataset, start_state(loaded, saved), Logbook(run), preview)
    assert same(outcome.checkpoint, resumed.checkpoint)
    assert logged(whole) == logged(run)
    assert any(entry["ada_p"] > 0 and -1 <= entry["ada_r"] <= 1 for entry in logged(run) if "lr" in entry)


def test_what_is_only_looked_at_changes_nothing(make: Make, dataset: Dataset) -> None:
    _, rare = run_of(make(preview_every=10_000, log_every=10_000, checkpoint_every=10_000), dataset, "rare")
    _, often = run_of(make(preview_every=8, log_every=8, checkpoint_every=8), dataset, "often")
    a, b = load_checkpoint(rare.checkpoint), load_checkpoint(often.checkpoint)
    for part in ("networks", "averages", "optimizers", "rng"):
        for (name, one), (_, other) in zip(tensors(a[part], part), tensors(b[part], part), strict=True):
            assert torch.equal(one, other), name


def test_a_run_stops_at_the_first_step_past_its_budget(make: Make, dataset: Dataset) -> None:
    run, outcome = run_of(make(images=97), dataset, "a")
    assert outcome.checkpoint.stem == f"{104:012d}"
    assert outcome.picture == run.samples / f"{104:012d}.png"
    assert [entry["images"] for entry in logged(run)[-2:]] == [96, 104]  # the last losses are not lost


def test_only_the_last_checkpoints_are_kept(make: Make, dataset: Dataset) -> None:
    run, _ = run_of(make(checkpoint_every=8), dataset, "a")
    assert [path.stem for path in list_checkpoints(run.checkpoints)] == [f"{n:012d}" for n in (80, 88, 96)]


def test_previews_come_in_time_and_compare(make: Make, dataset: Dataset) -> None:
    run, _ = run_of(make(preview_every=40), dataset, "a")
    assert sorted(path.stem for path in run.samples.iterdir()) == [f"{n:012d}" for n in (40, 80, 96)]
    config, saved = run.load()
    state = start_state(config, saved)
    before = (run.samples / f"{96:012d}.png").read_bytes()
    assert run.save_picture(96, preview(config, state, dataset)).read_bytes() == before
    assert state.averaged("generator").training


PARTS = {
    "gan": ("generator", "discriminator"),
    "bigan": ("generator", "discriminator", "encoder"),
    "vae": ("generator", "encoder"),
    "stylegan2": ("generator", "discriminator"),
}


class Poison(Observer):
    """Makes a weight of one network infinite once 64 images have been seen."""

    def __init__(self, state: TrainState, part: str) -> None:
        self.state, self.part = state, part

    def stepped(self, state: TrainState) -> None:
        if state.images_seen == 64:
            networks = self.state.networks | {"average": self.state.averaged("generator")}
            next(networks[self.part].parameters()).data[0] = float("inf")


@pytest.mark.parametrize(
    ("recipe", "part"),
    [(name, part) for name in FROM_LATENTS for part in PARTS[RECIPES[name].system]],
)
def test_losses_that_are_not_finite_stop_the_run(recipe: str, part: str, make: Make, dataset: Dataset) -> None:
    config = make(recipe)
    run, state = create_run(Path("runs"), "a", config), start_state(config)
    with pytest.raises(Diverged, match=r"diverged at step (9|10): .*(is not finite|is (nan|inf))"):
        run_loop(config, dataset, state, Logbook(run, [Poison(state, part)]), preview)
    assert load_checkpoint(run.newest_checkpoint())["images_seen"] == 40


def test_weights_that_are_not_finite_leave_the_last_good_checkpoint(make: Make, dataset: Dataset) -> None:
    config = make(checkpoint_every=40)
    run, state = create_run(Path("runs"), "a", config), start_state(config)
    with pytest.raises(Diverged, match=r"diverged at step 10: average\.generator\.embedding\.weight is not finite"):
        run_loop(config, dataset, state, Logbook(run, [Poison(state, "average")]), preview)
    assert [path.stem for path in list_checkpoints(run.checkpoints)] == [f"{40:012d}"]
    assert load_checkpoint(run.newest_checkpoint())["images_seen"] == 40


def test_the_rate_is_constant_then_falls_to_zero(make: Make) -> None:
    config = make(images=1000, decay_from=0.5, lr=0.01)
    state = start_state(config)
    rates = []
    for seen in (0, 499, 500, 750, 999):
        state.images_seen = seen
        rates.append(set_learning_rate(state, config.recipe))
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.005, 0.00002])
    assert state.optimizers["d"].param_groups[0]["lr"] == rates[-1]


def test_the_average_forgets_by_half_in_a_half_life(make: Make) -> None:
    config = make(ema_half_life=80, batch_size=8)
    state = start_state(config)
    state.images_seen = 10**6
    weight, average = next(state.networks["generator"].parameters()), next(state.averaged("generator").parameters())
    weight.data.fill_(1.0)
    average.data.fill_(0.0)
    for _ in range(10):  # 80 images
        update_averages(state, config.recipe, 8)
    torch.testing.assert_close(average, torch.full_like(average, 0.5))
    statistics = dict(state.averaged("generator").named_buffers())
    assert any("running_mean" in name for name in statistics)


def test_the_average_counts_the_images_of_all_critic_steps(make: Make, dataset: Dataset) -> None:
    config = make("wgan-gp", ema_half_life=80, critic_steps=5, warm_critic=0)
    state = start_state(config)
    state.images_seen = 10**6
    old = next(state.averaged("generator").parameters()).data.fill_(0.0)
    now = next(state.networks["generator"].parameters())
    for i in range(10):  # 80 images, two steps of the generator
        state.networks["generator"].requires_grad_(True)
        with torch.no_grad():
            now.fill_(1.0)
        SYSTEMS["gan"].step(
            state, replace(config.recipe, lr=1e-30), **Batches(dataset, 8, 0, torch.device("cpu")).at(8 * i)
        )
    assert state.counters["g_steps"] == 2
    torch.testing.assert_close(old, torch.full_like(old, 0.5), atol=1e-3, rtol=0)


@pytest.mark.parametrize("steps", [74, 75, 78])
def test_resumed_where_the_extra_critic_steps_end(steps: int, make: Make, dataset: Dataset) -> None:
    tiny = {"network": "mlp", "images": 8 * 84, "checkpoint_every": 10_000}
    config = make("wgan", **tiny)
    whole, outcome = run_of(config, dataset, "whole")
    run, _ = run_of(config, dataset, "stopped", StopAfter(steps, signal.SIGTERM))
    resumed = run_loop(config, dataset, start_state(*Run(run.folder).load()), Logbook(run), preview)
    assert load_checkpoint(resumed.checkpoint)["counters"]["g_steps"] == 25 + (84 - 75) // 2
    assert same(outcome.checkpoint, resumed.checkpoint)
    assert logged(whole) == logged(run)


def test_losses_that_there_are_not_are_not_logged(make: Make, dataset: Dataset) -> None:
    run, _ = run_of(make("vae"), dataset, "a")
    losses = [entry for entry in logged(run) if "lr" in entry]
    assert losses
    assert all("g_loss" in entry and "d_loss" not in entry for entry in losses)


def test_without_average_the_generator_is_exported_itself(make: Make) -> None:
    state = start_state(make("gan"))
    assert state.averaged("generator") is state.networks["generator"]


class Looking(Observer):
    """Notes how many threads torch has, and what it would draw next, at each step."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.numbers: list[float] = []

    def stepped(self, state: TrainState) -> None:
        generator = torch.Generator()
        generator.set_state(torch.get_rng_state())
        self.threads.append(torch.get_num_threads())
        self.numbers.append(float(torch.rand((), generator=generator)))


def test_threads_and_random_numbers_are_those_of_the_run_and_then_the_callers_again(
    make: Make, dataset: Dataset
) -> None:
    config, before = replace(make(images=24, network="mlp"), threads=3), torch.get_num_threads()
    seen = []
    for seed, name in ((1, "a"), (2, "b")):
        torch.manual_seed(seed)
        expected = torch.rand(2)
        torch.manual_seed(seed)
        state, looking = start_state(config), Looking()
        assert torch.rand(()) == expected[0]
        book = Logbook(create_run(Path("runs"), name, config), [looking])
        run_loop(config, dataset, state, book, preview)
        assert torch.rand(()) == expected[1]
        assert torch.get_num_threads() == before
        seen.append(looking)
    assert set(seen[0].threads) == {3}
    assert seen[0].numbers == seen[1].numbers
    assert len(set(seen[0].numbers)) == len(seen[0].numbers) > 1


def test_threads_and_random_numbers_are_the_callers_after_an_error(make: Make, dataset: Dataset) -> None:
    class Failing(Observer):
        def stepped(self, state: TrainState) -> None:
            raise LookupError

    torch.manual_seed(1)
    config, before, threads = replace(make(), threads=3), torch.get_rng_state(), torch.get_num_threads()
    with pytest.raises(LookupError):
        run_of(config, dataset, "a", Failing())
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
