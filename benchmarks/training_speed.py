"""Compare the speed of `gan-train --recipe gan` with the usual loop of tutorials (document_loop.py).

Whole steps, data loading and computation are measured in turn, in one process with one thread per core. First, the
script verifies that both loops compute the same losses from equal weights, latents and images, without dropout. Targets
for whole steps: 1.9 times the speed of the tutorial in fp32, 3 times in bf16 where `--precision auto` takes it.
"""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, repeat
from typing import TYPE_CHECKING

from interleave import Row, Times, interleave, machine, new_parser, publish

if TYPE_CHECKING:
    from document_loop import DocumentLoop
    from torch import Tensor, nn

    from gan_runtime.data import Dataset
    from gan_trainer.recipes.recipe import Recipe
    from gan_trainer.training.state import TrainState

TARGETS = {"fp32": 1.9, "bf16": 3.0}
LOSS_TOLERANCE = 1e-5
EPOCH = 60_000


def main() -> None:
    """Compare, and print the table."""
    parser = new_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="number of measurements per variant")
    parser.add_argument("--steps", type=int, default=20, help="steps per measurement, with 128 images each")
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--spin-count", help="GOMP_SPINCOUNT of both loops: how long an idle thread spins")
    options = parser.parse_args()
    if options.spin_count is not None:
        os.environ["GOMP_SPINCOUNT"] = options.spin_count  # before torch reads it
    import torch

    from gan_runtime.data import load_dataset
    from gan_trainer.training.config import choose_precision

    host = machine(options.threads)
    torch.set_num_threads(host["threads"])
    dataset = load_dataset("mnist")
    difference = compare_losses(dataset)
    if not difference <= LOSS_TOLERANCE:
        sys.exit(f"the losses of the two loops differ by {difference:.2g}: they are not equivalent")
    times = interleave(build_sides(dataset, options.steps), options.rounds)
    host |= {"spin count": options.spin_count, "largest difference of losses": f"{difference:.1e}"}
    rows = tabulate(times, options.steps)
    missed = (
        f"{precision}: {speed:.2f} x the tutorial's speed, wanted {TARGETS[precision]}"
        for precision in dict.fromkeys(("fp32", choose_precision("auto", "cpu")))
        if (speed := ratio(times, "tutorial", f"gan-train, {precision}", "whole")) < TARGETS[precision]
    )
    publish(host, rows, missed, options)


def build_sides(dataset: "Dataset", steps: int) -> dict[str, Callable[[], None]]:
    """For each loop: whole steps, data loading only, computation only."""
    from document_loop import DocumentLoop

    sides = _tutorial_sides(DocumentLoop(dataset.images, dataset.labels), steps)
    for precision in ("fp32", "bf16"):
        sides |= _our_sides(dataset, precision, steps)
    return sides


def _tutorial_sides(loop: "DocumentLoop", steps: int) -> dict[str, Callable[[], None]]:
    endless: Iterator[list[Tensor]] = chain.from_iterable(repeat(loop.loader))
    first, _ = next(endless)

    def whole() -> None:
        for _ in range(steps):
            images, _ = next(endless)
            loop.step(images)

    def data() -> None:
        for _ in range(steps):
            next(endless)

    def compute() -> None:
        for _ in range(steps):
            loop.step(first)

    return {"tutorial: whole": whole, "tutorial: data": data, "tutorial: compute": compute}


def _our_sides(dataset: "Dataset", precision: str, steps: int) -> dict[str, Callable[[], None]]:
    import torch

    from gan_trainer.data.batches import Batches

    state, recipe = _new_state(precision)
    batches = Batches(dataset, recipe.batch_size, 0, torch.device("cpu"))
    first = batches.at(0)

    def step(batch: "dict[str, Tensor]") -> None:
        state.meter.add(state.system.step(state, recipe, **batch))
        state.meter.check(state.step)  # reads the losses in every step, as the training loop does on a CPU
        state.step += 1
        state.images_seen += recipe.batch_size

    def whole() -> None:
        for _ in range(steps):
            step(batches.at(state.images_seen))

    def data() -> None:
        for number in range(steps):
            batches.at(state.images_seen + number * recipe.batch_size)

    def compute() -> None:
        for _ in range(steps):
            step(first)

    name = f"gan-train, {precision}"
    return {f"{name}: whole": whole, f"{name}: data": data, f"{name}: compute": compute}


def compare_losses(dataset: "Dataset", steps: int = 3) -> float:
    """Largest difference of the losses in the first steps of both loops: same weights, latents, images, no dropout.

    The generator's first loss already sees the discriminator's first update, so optimisers are compared, too.
    """
    import torch
    from document_loop import DocumentLoop

    from gan_trainer.data.batches import Batches

    loop = DocumentLoop(dataset.images, dataset.labels)
    state, recipe = _new_state("fp32")
    for ours, theirs in (
        (state.networks["generator"], loop.generator),
        (state.networks["discriminator"], loop.discriminator),
    ):
        _copy_weights(theirs, ours)
    loop.discriminator.eval()
    state.networks["discriminator"].eval()
    batches = Batches(dataset, recipe.batch_size, 0, torch.device("cpu"))
    largest = 0.0
    for number in range(steps):
        images, labels = batches.at(number * recipe.batch_size).values()
        torch.manual_seed(number)
        expected = torch.tensor(loop.step(images))
        torch.manual_seed(number)
        found = torch.stack([*state.system.step(state, recipe, images, labels).values()])
        largest = max(largest, (found - expected).abs().max().item())
    return largest


def ratio(times: dict[str, Times], base: str, side: str, part: str) -> float:
    """The speed of `side` relative to `base`, from medians."""
    return times[f"{base}: {part}"].median / times[f"{side}: {part}"].median


def tabulate(times: dict[str, Times], steps: int) -> list[Row]:
    """One row per loop and part."""
    rows = []
    for name, side in times.items():
        loop, part = name.split(": ")
        images_per_second = steps * 128 / side.median
        rows.append(
            {
                "loop": loop,
                "part": part,
                "ms per step": f"{side.median / steps * 1e3:.2f}",
                "shortest-longest": side.span(1e3 / steps, 2),
                "images/s": f"{images_per_second:,.0f}",
                "s per epoch": f"{EPOCH / images_per_second:.1f}",
                "x the tutorial": f"{ratio(times, 'tutorial', loop, part):.2f}",
            }
        )
    return rows


def _new_state(precision: str) -> "tuple[TrainState, Recipe]":
    import torch

    from gan_runtime.manifest import ImageSize
    from gan_trainer.recipes.recipe import RECIPES
    from gan_trainer.systems import SYSTEMS, new_networks
    from gan_trainer.training.state import new_state
    from gan_trainer.training.system import Shapes

    recipe = replace(RECIPES["gan"], precision=precision)
    networks = new_networks(recipe, Shapes(ImageSize(28, 28, 1)))
    return new_state(SYSTEMS[recipe.system], networks, recipe, torch.device("cpu")), recipe


def _copy_weights(source: "nn.Module", target: "nn.Module") -> None:
    import torch

    with torch.no_grad():
        for old, new in zip(target.parameters(), source.parameters(), strict=True):
            old.copy_(new)


if __name__ == "__main__":
    main()
