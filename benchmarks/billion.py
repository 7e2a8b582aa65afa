"""What a billion images cost: the rate of whole `gan-sample` processes that write tar shards, extrapolated.

So many processes as there are processors write parts of one job with one thread each, as on a cluster whose nodes are
busy; then the complete shards are verified, as a resumed job does. Counted is processor time, of two sizes of a job:
their difference leaves out the start of a process, so that the rate is that of a long job. What is said of a billion
images is extrapolated: they were not written. It takes for granted that the storage keeps up, and says how fast it must
be.
"""

import argparse
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from cold_start import COMPILED, sample_command
from interleave import Row, machine, markdown, new_parser
from processes import measured_process

from gan_runtime.devices.processors import available_cpus

BILLION = 10**9
HOUR = 3600
CLUSTER = 1000  # processors of the example
WRITE, VERIFY = "write", "verify"
CALLS = {WRITE: 1, VERIFY: 5}  # per round: to verify takes little more than to start


def main() -> None:
    """Measure, and print the rates and the extrapolation."""
    parser = new_parser(__doc__)
    parser.add_argument("--n", type=int, default=40_000, help="images per process of the large job; the small has half")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=available_cpus(), help="that work at the same time")
    parser.add_argument("--shard-size", type=int, default=10_000)
    parser.add_argument("--model", help="the .onnx file; default: that of gan-sample")
    options = parser.parse_args()
    rounds = [measure(options) for _ in range(options.rounds)]
    rows = [rate_of(step, [one[step] for one in rounds]) for step in (WRITE, VERIFY)]
    size = median(one["bytes"] for one in rounds)
    report = {"machine": machine(1), "processes": options.processes, "rates": rows, "bytes per image": round(size, 1)}
    publish(report, extrapolated(rows, size, options.shard_size), options)


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Processor seconds per image of writing and of verifying, and the bytes of an image, of one round."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        costs: dict[str, list[float]] = {WRITE: [], VERIFY: []}
        for n in (options.n // 2, options.n):
            for step, calls in CALLS.items():  # of the same command: what is there is verified
                output = Path(folder) / f"{n}.tar"
                costs[step].append(median(processor_seconds(output, n, options) for _ in range(calls)))
        for step, (small, large) in costs.items():
            found[step] = (large - small) / (options.processes * (options.n - options.n // 2))
        written = sum(path.stat().st_size for path in Path(folder).glob(f"{options.n}-*.tar"))
        found["bytes"] = written / (options.processes * options.n)
    return found


def processor_seconds(output: Path, n: int, options: argparse.Namespace) -> float:
    """Of all processes together, each of which is for n images of one job."""
    parts, model = options.processes, ["--model", options.model] if options.model else []
    job = [*sample_command(), "--n", str(n * parts), "--shard-size", str(options.shard_size), "--threads", "1", *model]

    def run(part: int) -> float:
        command = [*job, "--quiet", "--shard", f"{part}/{parts}", str(output)]
        return measured_process(command, environment=COMPILED).cpu_seconds

    with ThreadPoolExecutor(parts) as pool:
        return sum(pool.map(run, range(1, parts + 1)))


def rate_of(step: str, costs: list[float]) -> Row:
    """A row of the table, of seconds per image in each round."""
    return {
        "step": step,
        "images per processor second": f"{1 / median(costs):,.0f}",
        "slowest-fastest round": f"{1 / max(costs):,.0f}-{1 / min(costs):,.0f}",
        "seconds per image": median(costs),
    }


def extrapolated(rows: list[Row], size: float, shard_size: int) -> Row:
    """What a billion images would cost. Nothing of this was measured at that size."""
    write, verify = (row["seconds per image"] * BILLION / HOUR for row in rows)
    hours, storage = write / CLUSTER, size * BILLION
    return {
        "processor hours to write": f"{write:,.1f}",
        "processor hours to verify": f"{verify:,.1f}",
        f"hours on {CLUSTER:,} processors": f"{hours:.2f}",
        "storage in GB": f"{storage / 1e9:,.0f}",
        "tar files": f"{BILLION // shard_size:,}",
        f"storage rate for {CLUSTER:,} processors in GB/s": f"{storage / 1e9 / (hours * HOUR):.2f}",
    }


def publish(report: Row, billion: Row, options: argparse.Namespace) -> None:
    """Print the rates, and the extrapolation as such."""
    if options.json:
        import json

        print(json.dumps(report | {"extrapolated to a billion images": billion}, indent=2))
        return
    print(", ".join(f"{key} {value}" for key, value in report["machine"].items() if value is not None))
    print(f"{report['processes']} processes at a time, {report['bytes per image']} bytes per image\n")
    print(markdown([{key: row[key] for key in list(row)[:3]} for row in report["rates"]]))
    print("\nExtrapolated to a billion images:\n")
    print(markdown([{"what": key, "value": value} for key, value in billion.items()]))


if __name__ == "__main__":
    main()
