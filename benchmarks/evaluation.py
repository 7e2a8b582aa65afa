"""Seconds and peak memory of whole `gan-eval` processes, with the reference features in the cache.

Targets: 10,000 images in at most 15 seconds, 50,000 images in less than 1 GiB.
"""

import sys
from pathlib import Path
from statistics import median

from cold_start import COMPILED
from interleave import Row, machine, new_parser, publish
from processes import run_process

COUNTS = (2_000, 10_000, 50_000)
SECONDS, MEBIBYTES = {10_000: 15.0}, {50_000: 1024.0}


def main() -> None:
    """Measure the shipped digits, and print the table."""
    parser = new_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST's files")
    options = parser.parse_args()
    model = Path(__file__).resolve().parents[1] / "exported" / "mnist.onnx"
    command = [str(Path(sys.executable).with_name("gan-eval")), str(model), "mnist", "--quiet", "--device", "cpu"]
    command += ["--data-dir", str(options.data_dir)] if options.data_dir else []
    for n in COUNTS:  # fills the cache
        run_process([*command, "--n", str(n)], COMPILED)
    host, found = machine(), {n: [] for n in COUNTS}
    for _ in range(options.rounds):
        for n in COUNTS:
            found[n].append(run_process([*command, "--n", str(n)], COMPILED))
    rows = [_row(n, results) for n, results in found.items()]
    missed = [f"{n:,} images: {row}" for n, row in zip(COUNTS, rows, strict=True) if _misses(n, found[n])]
    publish(host, rows, missed, options)


def _misses(n: int, results: list[tuple[float, float]]) -> bool:
    seconds, peaks = (median(values) for values in zip(*results, strict=True))
    return seconds > SECONDS.get(n, seconds) or peaks > MEBIBYTES.get(n, peaks)


def _row(n: int, results: list[tuple[float, float]]) -> Row:
    seconds, peaks = zip(*results, strict=True)
    return {
        "images": f"{n:,}",
        "median s": f"{median(seconds):.1f}",
        "shortest-longest": f"{min(seconds):.1f}-{max(seconds):.1f}",
        "peak MiB": f"{median(peaks):.0f}",
    }


if __name__ == "__main__":
    main()
