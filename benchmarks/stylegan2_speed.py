"""Images per processor second of StyleGAN2's training step, with one thing changed at a time.

One thread. Processor time is measured, so that other processes on the machine matter less. A step is measured without
regularisers, with path lengths, and with path lengths and R1; the speed is that of 16 steps as the recipe makes them.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from interleave import Row, Times, interleave, machine, new_parser, publish

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gan_trainer.recipes.recipe import Recipe
    from gan_trainer.training.state import TrainState

PARTS = {  # by system: the number of a step, and how many of such there are
    "stylegan2": {1: 12, 4: 3, 0: 1},
    "gan": {1: 7, 0: 1},  # R1 every 8; r3gan has it in every step
}
BASE = "stylegan2-small"
VARIANTS: dict[str, dict[str, Any]] = {
    BASE: {},
    "batch 8": {"batch_size": 8},
    "batch 16": {"batch_size": 16},
    "batch 64": {"batch_size": 64},
    "bf16": {"precision": "bf16"},
    "channels first": {},
    "separable filter": {},
    "8 mapping layers": {"mapping_layers": 8},
    "no shared pass": {"share_passes": False},
    "path length": {"path_weight": 2.0},
    "no R1": {"gamma": 0.0},
    "--max-width 64": {"max_width": 64},
    "--width 16 --max-width 64": {"width": 16, "max_width": 64},
    "quick": {"recipe": "quick", "conditional": False},
    "r3gan": {"recipe": "r3gan"},
}


def main() -> None:
    """Measure, and print the table."""
    parser = new_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="number of measurements per variant")
    parser.add_argument("--side", type=int, default=64, help="pixels, of colour images")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    runs = {name: new_run(name, options.side) for name in options.variants}
    sides = {
        f"{name}: {number}": partial(make_step, state, recipe, number, options.side)
        for name, (state, recipe) in runs.items()
        for number in PARTS[recipe.system]
    }
    times = interleave(sides, options.rounds, clock=time.process_time)
    rows = [row(name, recipe, times) for name, (_, recipe) in runs.items()]
    publish(machine(1), rows, [], options)


def new_run(name: str, side: int) -> "tuple[TrainState, Recipe]":
    """The state of a run with random weights, and its recipe."""
    import torch

    from gan_runtime.manifest import ImageSize
    from gan_trainer.recipes.recipe import recipe as find
    from gan_trainer.systems import SYSTEMS, new_networks
    from gan_trainer.training.state import new_state
    from gan_trainer.training.system import Shapes

    changes = {"recipe": BASE, "precision": "fp32", "augment": "none"} | VARIANTS[name]
    recipe = find(changes.pop("recipe"), **changes)
    networks = new_networks(recipe, Shapes(ImageSize(side, side, 3)))
    state = new_state(SYSTEMS[recipe.system], networks, recipe, torch.device("cpu"))
    for network in networks.values():
        if name == "channels first":
            network.to(memory_format=torch.contiguous_format)
        if name == "separable filter":
            separate_filters(network)
    return state, recipe


def separate_filters(network: "nn.Module") -> None:
    """Let the filters make a column and a row in place of a square."""
    import torch
    from torch.nn.functional import conv2d

    from gan_trainer.networks.stylegan2.resample import Smooth

    def convolve(self: Smooth, x: "Tensor", margin: int) -> "Tensor":
        rows = self.kernel.sum(3, keepdim=True)
        columns = self.kernel.sum(2, keepdim=True) / self.kernel.sum((2, 3), keepdim=True)
        x = conv2d(x, rows, padding=(margin, 0), groups=self.channels)
        return conv2d(x, columns, padding=(0, margin), groups=self.channels)

    for module in network.modules():
        if isinstance(module, Smooth):
            x = torch.randn(1, module.channels, 8, 8)
            expected = module(x)
            module.convolve = partial(convolve, module)  # type: ignore[method-assign]
            torch.testing.assert_close(module(x), expected)


def make_step(state: "TrainState", recipe: "Recipe", number: int, side: int) -> None:
    """One step on random images, as if it were the step `number`."""
    import torch

    state.step = number
    images = torch.rand(recipe.batch_size, side, side, 3).permute(0, 3, 1, 2) * 2 - 1
    labels = torch.zeros(recipe.batch_size, dtype=torch.int64)
    state.system.step(state, recipe, images, labels)


def row(name: str, recipe: "Recipe", times: dict[str, Times]) -> Row:
    """Speed of a whole period, and the time of its parts."""
    parts = {number: times[f"{name}: {number}"] for number in PARTS[recipe.system]}
    counts = PARTS[recipe.system]
    period = sum(counts[number] * one.median for number, one in parts.items())
    images = recipe.batch_size * sum(counts.values())
    shortest = sum(counts[number] * min(one.seconds) for number, one in parts.items())
    ms: Callable[[float], str] = lambda seconds: f"{seconds / recipe.batch_size * 1e3:.1f}"  # noqa: E731
    return {
        "variant": name,
        "images/s": f"{images / period:.1f}",
        "at best": f"{images / shortest:.1f}",
        "step, ms/image": ms(parts[1].median),
        "with all regularisers": ms(parts[0].median),
    }


if __name__ == "__main__":
    main()
