"""Measure training steps with and without torch.compile (gan-train --compile), in turn, and the time to compile.

    python benchmarks/compile_speed.py --threads 1

Steps are measured by the wall clock or, on a busy machine, with --clock cpu by processor time. The losses of the first
steps are compared, too: networks that draw random numbers (dropout) draw others when they are compiled.
"""

import time
from typing import Any

from interleave import Row, interleave, machine, new_parser, publish
from steps import Steps

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def main() -> None:
    """Compare, and print the table."""
    parser = new_parser(__doc__)
    parser.add_argument("--recipes", nargs="+", default=["gan"], help="without gradient penalties")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--rounds", type=int, default=9, help="number of measurements per variant")
    parser.add_argument("--steps", type=int, default=10, help="training steps per measurement")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    options = parser.parse_args()
    import torch

    host = machine(options.threads)
    torch.set_num_threads(host["threads"])
    publish(host | {"clock": options.clock}, [compare(name, options) for name in options.recipes], [], options)


def compare(name: str, options: Any) -> Row:
    """A recipe's steps, plain and compiled."""
    from gan_trainer.training.compiling import compile_networks

    clock = CLOCKS[options.clock]
    plain, compiled = Steps(name, options.device), Steps(name, options.device)
    compile_networks(compiled.state)
    expected, began = first_losses(plain), clock()
    apart = max(abs(a - b) for a, b in zip(expected, first_losses(compiled), strict=True))
    compiled.run(2)  # what only later steps do is compiled, too
    seconds = clock() - began
    sides = {"plain": lambda: plain.run(options.steps), "compiled": lambda: compiled.run(options.steps)}
    times = interleave(sides, options.rounds, clock=clock)
    return {
        "recipe": name,
        "plain, ms per step": f"{1e3 * times['plain'].median / options.steps:.1f}",
        "compiled, ms per step": f"{1e3 * times['compiled'].median / options.steps:.1f}",
        "shortest-longest": times["compiled"].span(1e3 / options.steps),
        "x plain": f"{times['plain'].median / times['compiled'].median:.2f}",
        "seconds to compile": f"{seconds:.0f}",
        "first losses differ by": f"{apart:.1e}",
    }


def first_losses(steps: Steps) -> list[float]:
    """Losses of the first step, from the same random numbers."""
    import torch

    torch.manual_seed(1)
    steps.run(1)
    return list(steps.state.meter.mean().values())


if __name__ == "__main__":
    main()
