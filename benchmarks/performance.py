"""Run the benchmarks of speed and write docs/performance.md from what they measured.

Each script prints its table as JSON, which is kept in benchmarks/results/. Scripts can be run again one at a time; the
document is written from all results that are there. What was not run on this machine is said to be so.

    python benchmarks/performance.py --quick              # all, in about ten minutes on two cores
    python benchmarks/performance.py cold_start peers     # these two, and the document
    python benchmarks/performance.py --no-run             # only the document

A GPU is another machine: copy benchmarks/results/gpu.json from there, made by `gpu.py --json > gpu.json`.
"""

import argparse
import datetime
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interleave import markdown

HERE = Path(__file__).resolve().parent
RESULTS, TEMPLATE, DOCUMENT = HERE / "results", HERE / "performance.md", HERE.parent / "docs" / "performance.md"
PLACE = re.compile(r"\{\{(\w+)\}\}")  # of a table in the template


@dataclass(frozen=True)
class Script:
    """A benchmark: its arguments, and those for a quick run. `automatic`: whether it is run if none is named."""

    arguments: str = ""
    quick: str = ""
    automatic: bool = True


SCRIPTS = {
    "cold_start": Script(quick="--rounds 9"),
    "throughput": Script(quick="--rounds 2"),
    "sampling_speed": Script(quick="--rounds 5"),
    "peers": Script(quick="--rounds 7 --all-cores"),
    "int8_speed": Script(quick="--rounds 5"),
    "training_speed": Script("--spin-count 1000", "--spin-count 1000 --rounds 7"),
    "output_jobs": Script("--kinds tar npy", "--kinds tar npy --rounds 1"),
    "spinning": Script("--busy 1", "--busy 1 --rounds 5 --steps 5", automatic=False),
    "arm": Script("--n 2", automatic=False),
    "gpu": Script(automatic=False),
}


def main() -> None:
    """Run what was asked for, and write the document."""
    options = _parse()
    for name in [] if options.no_run else options.scripts:
        if (HERE / f"{name}.py").is_file():
            run(name, quick=options.quick)
    DOCUMENT.write_text(document(TEMPLATE.read_text()))
    print(DOCUMENT)


def run(name: str, *, quick: bool) -> None:
    """Run a script and keep its result, unless it fails: then its message is printed, and an older result stays."""
    arguments = (SCRIPTS[name].quick if quick else "") or SCRIPTS[name].arguments
    began = time.perf_counter()
    print(f"{name} {arguments}", end="", file=sys.stderr, flush=True)
    command = [sys.executable, str(HERE / f"{name}.py"), *arguments.split(), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE.parent)
    print(f": {time.perf_counter() - began:.0f} s", file=sys.stderr)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        print(f"{name} failed:\n{done.stderr[-2000:]}", file=sys.stderr)
        return
    about = {"date": f"{datetime.date.today():%B %Y}", "command": f"python benchmarks/{name}.py {arguments}".strip()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(about | found, indent=1, ensure_ascii=False) + "\n")


def document(template: str) -> str:
    """The template with the results of `name` in place of each {{name}}."""
    return PLACE.sub(lambda match: section(match[1]), template)


def section(name: str) -> str:
    """The result of a script: how it was made, its tables, and the targets that were missed."""
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        return f"Not run on this machine: `python benchmarks/{name}.py`."
    found = json.loads(path.read_text())
    tables = [value for value in found.values() if _is_table(value)]
    command = found.get("command", f"python benchmarks/{name}.py")
    parts = [
        f"```\n{command}\n```",
        f"Measured in {found.get('date', 'an unknown month')}: {_machine(found['machine'])}.",
    ]
    parts += [markdown([_complete(row, table) for row in table]) for table in tables]
    parts += (
        ["\n".join(["Missed:", "", *(f"- {target}" for target in missed)])] if (missed := found.get("missed")) else []
    )
    return "\n\n".join(parts)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _complete(row: dict[str, Any], table: list[dict[str, Any]]) -> dict[str, Any]:
    """A row with the columns of all rows."""
    return {key: row.get(key, "") for key in dict.fromkeys(key for each in table for key in each)}


def _machine(about: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in about.items() if value is not None)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    automatic = [name for name, script in SCRIPTS.items() if script.automatic]
    parser.add_argument("scripts", nargs="*", default=automatic, metavar="SCRIPT", help=f"of {', '.join(SCRIPTS)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--no-run", action="store_true", help="write the document from the results that are there")
    options = parser.parse_args()
    if unknown := set(options.scripts) - set(SCRIPTS):
        parser.error(f"{', '.join(sorted(unknown))}: no such script; choose from {', '.join(SCRIPTS)}")
    return options


if __name__ == "__main__":
    main()
