"""Compare variants on a machine with other load: interleaved rounds (A B A B …), medians, and their ratio.

Other load affects all variants alike, and the median ignores the few rounds that it affects most.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from gan_runtime.bench.rounds import Times, interleave, repeated
from gan_runtime.devices.processors import available_cpus, cpu_name

__all__ = ["Row", "Times", "interleave", "machine", "markdown", "new_parser", "publish", "repeated"]

Row = dict[str, Any]


def machine(threads: int | None = None) -> Row:
    """The machine and the versions that results depend on; `load` is the average of the last minute."""
    return {
        "cpu": cpu_name(),
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


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
