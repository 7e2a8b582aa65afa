"""Peak memory and speed of whole `gan-sample` processes that write many images.

For each kind of output, a small job and one with ten times as many images run in turn. The peak is the maximum resident
set size of the process. Target: the peak of the large job is at most 1.2 times that of the small one.
"""

import os
import tempfile
from statistics import median

from cold_start import COMPILED, sample_command
from interleave import Row, machine, new_parser, publish
from processes import run_process

TARGET = 1.2
KINDS = {"shards of 10,000": "out.tar", "a folder": "out/", "an array": "out.npy"}


def main() -> None:
    """Run the jobs and print the table."""
    parser = new_parser(__doc__)
    parser.add_argument("--n", type=int, default=200_000, help="images of the large job")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", choices=[name.split(".")[-1] for name in KINDS.values()])
    parser.add_argument("--model", help="the .onnx file; default: that of gan-sample")
    options = parser.parse_args()
    host = machine()
    kinds = {title: name for title, name in KINDS.items() if not options.kinds or name.split(".")[-1] in options.kinds}
    jobs = [(title, name, n) for title, name in kinds.items() for n in (options.n // 10, options.n)]
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for _ in range(options.rounds):
        for title, name, n in jobs:
            found.setdefault((title, n), []).append(run(name, n, options.model))
    rows = [_row(title, n, results) for (title, n), results in found.items()]
    missed = [
        f"{title}: {large['peak MiB']} MiB, {small['peak MiB']} MiB for a tenth of the images"
        for title, small, large in zip(kinds, rows[::2], rows[1::2], strict=True)
        if large["peak MiB"] > TARGET * small["peak MiB"]
    ]
    publish(host, rows, missed, options)


def run(name: str, n: int, model: str | None) -> tuple[float, float]:
    """Seconds and peak MiB of one job, in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, name)  # noqa: PTH118  (a Path would drop the slash that means a folder)
        command = [*sample_command(), "--n", str(n), "--quiet", output, *(["--model", model] if model else [])]
        return run_process(command, COMPILED)


def _row(title: str, n: int, results: list[tuple[float, float]]) -> Row:
    seconds, peaks = zip(*results, strict=True)
    return {
        "output": title,
        "images": f"{n:,}",
        "peak MiB": round(median(peaks)),
        "seconds": f"{median(seconds):.1f}",
        "shortest-longest": f"{min(seconds):.1f}-{max(seconds):.1f}",
        "images/s": f"{n / median(seconds):,.0f}",
    }


if __name__ == "__main__":
    main()
