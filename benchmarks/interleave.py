"""Compare variants on a machine with other load: interleaved rounds (A B A B …), medians, and their ratio.

Other load affects all variants alike, and the median ignores the few rounds that it affects most.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from gan_runtime.devices.processors import available_cpus

Row = dict[str, Any]


@dataclass(frozen=True)
class Times:
    """Seconds per round of one variant."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median of the rounds, in seconds."""
        return median(self.seconds)

    def span(self, scale: float = 1e3, digits: int = 1) -> str:
        """Shortest to longest, in milliseconds unless scaled otherwise."""
        return f"{min(self.seconds) * scale:.{digits}f}-{max(self.seconds) * scale:.{digits}f}"


PAUSE_SECONDS = 0.05  # OpenMP threads of the previous variant spin for a while, on processors that the next one needs


def interleave(
    sides: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Times]:
    """Time each variant once per round, in turn; the first `warm_up` rounds are discarded.

    `clock` gives seconds: of the wall, or of the processor (`time.process_time`) where other load would keep it.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(warm_up + rounds):
        for name, side in sides.items():
            time.sleep(PAUSE_SECONDS)
            began = clock()
            side()
            elapsed = clock() - began
            if number >= warm_up:
                seconds[name].append(elapsed)
    return {name: Times(tuple(values)) for name, values in seconds.items()}


def machine(threads: int | None = None) -> Row:
    """The machine and the versions that results depend on; `load` is the average of the last minute."""
    return {
        "cpu": _cpu_name(),
        "cores": available_cpus(),
        "threads": threads or available_cpus(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        **{name: _version(name) for name in ("torch", "onnxruntime", "numpy")},
    }


def new_parser(description: str | None) -> argparse.ArgumentParser:
    """Options of every benchmark; `description` is its module's docstring."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the table as one JSON document")
    parser.add_argument("--check", action="store_true", help="exit with code 1 if a target is missed")
    return parser


def publish(host: Row, rows: list[Row], missed: Iterable[str], options: argparse.Namespace) -> None:
    """Print the table and exit, with code 1 if `--check` is given and a target is missed."""
    missed = list(missed)
    if options.json:
        print(json.dumps({"machine": host, "rows": rows, "missed": missed}, indent=2, ensure_ascii=False))
    else:
        print(", ".join(f"{key} {value}" for key, value in host.items() if value is not None) + "\n")
        print(markdown(rows))
    for target in missed:
        print(f"missed: {target}", file=sys.stderr)
    sys.exit(1 if missed and options.check else 0)


def markdown(rows: list[Row]) -> str:
    """`rows` as a table; every row has the same keys."""
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *([str(row[key]) for key in head] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
