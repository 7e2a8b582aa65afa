"""Wall time of a whole `gan-sample --n 64 out.png`, from the start of its process to its end.

Most of it is the import of ONNX Runtime, so the baseline is `python -c "import onnxruntime"`. New processes are started
in turn, with compiled bytecode and with all files in the cache of the operating system. Target: at most 1.5 times the
time of the import.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from interleave import Row, Times, interleave, machine, new_parser, publish

TARGET = 1.5
PYTHON, IMPORT, SAMPLE = "python -c pass", 'python -c "import onnxruntime"', "gan-sample --n 64 out.png"
COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def main() -> None:
    """Compare, and print the table."""
    parser = new_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="number of starts per process")
    parser.add_argument("--model", help="the .onnx file; default: that of gan-sample")
    options = parser.parse_args()
    host = machine()
    with tempfile.TemporaryDirectory() as folder:
        times = interleave(build_sides(Path(folder), options.model), options.rounds, warm_up=2)
    ratio = times[SAMPLE].median / times[IMPORT].median
    missed = [f"{SAMPLE}: {ratio:.2f} x the import alone, wanted {TARGET}"] if ratio > TARGET else []
    publish(host, [_row(name, side, times[IMPORT]) for name, side in times.items()], missed, options)


def build_sides(folder: Path, model: str | None) -> dict[str, Callable[[], None]]:
    """The processes to compare."""
    sample = [*sample_command(), "--n", "64", str(folder / "out.png"), *(["--model", model] if model else [])]
    commands = {
        PYTHON: [sys.executable, "-c", "pass"],
        IMPORT: [sys.executable, "-c", "import onnxruntime"],
        SAMPLE: sample,
    }
    return {name: lambda command=command: start(command) for name, command in commands.items()}


def sample_command() -> list[str]:
    """The installed gan-sample, or the same function from the source tree."""
    script = Path(sys.executable).with_name("gan-sample")
    if script.is_file():
        return [str(script)]
    return [sys.executable, "-c", "from gan_runtime.commands.sample import sample_main; sample_main()"]


def start(command: list[str]) -> None:
    """Run `command`; its stderr is printed only if it fails."""
    done = subprocess.run(command, env=COMPILED, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")


def _row(name: str, side: Times, base: Times) -> Row:
    return {
        "process": f"`{name}`",
        "median ms": f"{side.median * 1e3:.0f}",
        "shortest-longest": side.span(digits=0),
        "x the import alone": f"{side.median / base.median:.2f}",
    }


if __name__ == "__main__":
    main()
