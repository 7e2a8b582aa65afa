"""Measure what training costs beside busy processes, by how OpenMP's waiting threads wait.

torch's wheels for Linux bring GNU's OpenMP (libgomp). A thread that waits for others spins first, and sleeps later: on
a busy host the spinning takes the processor from the threads that are waited for. Each variant is a process of its own,
because libgomp reads its variables once; the processes train in turn, beside none and beside so many busy processes.
The wall clock shows what a user waits for, the processor's what the waiting costs.

    python benchmarks/spinning.py --busy 1
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any, TypeAlias

from interleave import Row, machine, new_parser, publish

VARIANTS: dict[str, dict[str, str]] = {
    "libgomp's default": {},
    "GOMP_SPINCOUNT=10000": {"GOMP_SPINCOUNT": "10000"},
    "GOMP_SPINCOUNT=1000": {"GOMP_SPINCOUNT": "1000"},  # what the commands set
    "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
}
SET_BY_THE_COMMANDS = "GOMP_SPINCOUNT=1000"
ALONE = "one thread"
COLLAPSE = 1.5  # times the wall time of one thread, which has nobody to wait for
Running: TypeAlias = "dict[str, subprocess.Popen[str]]"
BUSY = "while True: pass"


def main() -> None:
    """Compare, and print the table."""
    parser = new_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="number of measurements per variant")
    parser.add_argument("--steps", type=int, default=10, help="training steps per measurement")
    parser.add_argument("--recipes", nargs="+", default=["gan", "quick"])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--threads", type=int, help="of the variants but one; default: all cores")
    parser.add_argument("--busy", type=int, default=1, help="busy processes in the second half of the measurements")
    parser.add_argument("--train", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        train_on_request(options.train[0], int(options.train[1]), options.steps)
        return
    host = machine(options.threads)
    rows: list[Row] = []
    missed: list[str] = []
    for recipe in options.recipes:
        with trainers(recipe, options.variants, host["threads"], options.steps) as running:
            for busy in (0, options.busy):
                with busy_processes(busy):
                    measured = in_turn(running, options.rounds)
                rows += tabulate(recipe, busy, measured, options.steps)
                missed += collapsed(recipe, busy, measured)
    publish(host, rows, missed, options)


@contextmanager
def trainers(recipe: str, variants: list[str], threads: int, steps: int) -> Iterator[Running]:
    """A process for each variant, which has made its first steps."""
    wanted = {name: (VARIANTS[name], threads) for name in variants} | {ALONE: ({}, 1)}
    with ExitStack() as stack:
        running = {}
        for name, (variables, number) in wanted.items():
            command = [sys.executable, __file__, "--train", recipe, str(number), "--steps", str(steps)]
            clean = {key: value for key, value in os.environ.items() if not key.startswith(("GOMP_", "OMP_"))}
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            process = stack.enter_context(subprocess.Popen(command, env=clean | variables, **pipes))
            stack.callback(process.kill)
            running[name] = process
            ask(process)
        yield running


def in_turn(running: Running, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """What each process says of its steps in so many rounds."""
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in running}
    for _ in range(rounds):
        for name, process in running.items():
            measured[name].append(ask(process))
    return measured


def ask(process: "subprocess.Popen[str]") -> tuple[float, float]:
    """Let a process train for some steps: seconds of the wall clock, and of the processor."""
    assert process.stdin
    assert process.stdout
    process.stdin.write("go\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        sys.exit("a training process ended; see above")
    wall, cpu = json.loads(answer)
    return wall, cpu


def train_on_request(recipe_name: str, threads: int, steps: int) -> None:
    """For each line on stdin, make some steps of a recipe and print their seconds."""
    import torch
    from steps import Steps

    torch.set_num_threads(threads)
    training = Steps(recipe_name)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        training.run(steps)
        print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]), flush=True)


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many processes that never wait."""
    with ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", BUSY]))
            stack.callback(process.kill)
        yield


def tabulate(recipe: str, busy: int, measured: dict[str, list[tuple[float, float]]], steps: int) -> list[Row]:
    """A row for each variant."""
    return [
        {
            "recipe": recipe,
            "busy processes": busy,
            "variant": name,
            "ms per step": f"{1e3 * _wall(found) / steps:.1f}",
            "shortest-longest": "-".join(f"{1e3 * pick(wall for wall, _ in found) / steps:.1f}" for pick in (min, max)),
            "processor ms per step": f"{1e3 * median(cpu for _, cpu in found) / steps:.1f}",
            "x one thread": f"{_wall(found) / _wall(measured[ALONE]):.2f}",
        }
        for name, found in measured.items()
    ]


def collapsed(recipe: str, busy: int, measured: dict[str, list[tuple[float, float]]]) -> list[str]:
    """What is wrong if the setting of the commands is far slower than one thread."""
    if SET_BY_THE_COMMANDS not in measured:
        return []
    times = _wall(measured[SET_BY_THE_COMMANDS]) / _wall(measured[ALONE])
    where = f"{recipe} beside {busy} busy processes"
    return [f"{where}: {times:.2f} x the time of one thread, wanted at most {COLLAPSE}"] if times > COLLAPSE else []


def _wall(found: list[tuple[float, float]]) -> float:
    return median(wall for wall, _ in found)


if __name__ == "__main__":
    main()
