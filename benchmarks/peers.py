"""Exported files of every task beside torch eager, torch.compile and OpenVINO, with the same weights and inputs.

All compute in fp32 on the CPU with the same number of threads, from the same arrays to the same arrays; torch runs in
inference_mode. OpenVINO runs the exported file for this shape of inputs alone; its column is empty if it is not
installed (pip install -r benchmarks/requirements.txt), that of torch.compile if there is no C++ compiler. Target: no
file is slower than torch eager, and `quick` is twice as fast.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import workloads
from interleave import Row, Times, interleave, machine, new_parser, publish, repeated
from workloads import Workload

FILE, EAGER, COMPILED, OPENVINO = "file", "torch eager", "torch.compile", "OpenVINO"
PEERS = (EAGER, COMPILED, OPENVINO)
TARGETS = {"quick": 2.0}
SECONDS_A_MEASUREMENT = 0.1


def main() -> None:
    """Compare, and print the table."""
    options = _parse()
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # idle threads of torch spin while ONNX Runtime is measured
    host = machine()
    del host["threads"]
    if find_spec("openvino"):
        from importlib.metadata import version

        host["openvino"] = version("openvino")
    with tempfile.TemporaryDirectory() as folder:
        loads = build(Path(folder))
        rows = [
            _row(load, threads, compare(load, threads, options))
            for threads in sorted({1, host["cores"]})[-1 if options.all_cores else 0 :]
            for load in loads
        ]
    publish(host, rows, _missed(rows), options)


def build(folder: Path) -> list[Workload]:
    """The networks that are compared."""
    generators = [workloads.generator(recipe, n, folder) for recipe in ("gan", "quick") for n in (64, 1024)]
    return [
        *generators,
        workloads.encoder(64, folder),
        workloads.translator("cyclegan-quick", 256, folder),
        workloads.upscaler(128, folder),
    ]


def compare(load: Workload, threads: int, options: argparse.Namespace) -> dict[str, Times]:
    """Seconds per call of the file and of its peers, in the same rounds."""
    import torch

    torch.set_num_threads(threads)
    sides = {FILE: in_file(load, threads), EAGER: in_torch(load)}
    if COMPILED not in options.without:
        sides |= _if_it_runs(COMPILED, in_compiled_torch(load))
    if OPENVINO not in options.without and find_spec("openvino"):
        sides |= _if_it_runs(OPENVINO, in_openvino(load, threads))
    repeats = {name: _repeats(side) for name, side in sides.items()}
    times = interleave({name: repeated(side, repeats[name]) for name, side in sides.items()}, options.rounds)
    return {name: mine.per(repeats[name]) for name, mine in times.items()}


def in_file(load: Workload, threads: int) -> Callable[[], object]:
    """The file, as the runtime runs it."""
    import gan_runtime

    opened = gan_runtime.load(load.file, "cpu", threads)
    return lambda: load.run(opened)


def in_torch(load: Workload) -> Callable[[], object]:
    """The module in torch eager."""
    import torch

    @torch.inference_mode()
    def eager() -> object:
        return load.module(*map(torch.from_numpy, load.inputs)).contiguous().numpy()

    return eager


def in_compiled_torch(load: Workload) -> Callable[[], object]:
    """The module as torch.compile makes it, compiled at the first call."""
    import torch

    torch._dynamo.reset()
    compiled = torch.compile(load.module)

    @torch.inference_mode()
    def run() -> object:
        return compiled(*map(torch.from_numpy, load.inputs)).contiguous().numpy()

    return run


def in_openvino(load: Workload, threads: int) -> Callable[[], object]:
    """The file in OpenVINO, for inputs of this shape."""
    import openvino

    core = openvino.Core()
    model = core.read_model(load.file)
    model.reshape({port.any_name: array.shape for port, array in zip(model.inputs, load.inputs, strict=False)})
    about = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(model, "CPU", about)
    feeds = dict(enumerate(load.inputs))
    return lambda: compiled(feeds)[0]


def _if_it_runs(name: str, side: Callable[[], object]) -> dict[str, Callable[[], object]]:
    """The side, unless its first call fails: for want of a compiler, say."""
    try:
        side()
    except Exception as error:
        print(f"{name}: left out: {str(error).splitlines()[0]:.200}", file=sys.stderr)
        return {}
    return {name: side}


def _row(load: Workload, threads: int, times: dict[str, Times]) -> Row:
    mine = times[FILE]
    return {
        "task": load.task,
        "network": load.name,
        "input": "x".join(map(str, load.inputs[0].shape)),
        "threads": threads,
        "file ms": f"{mine.median * 1e3:.2f}",
        "shortest-longest": mine.span(digits=2),
        **{f"x {peer}": f"{times[peer].median / mine.median:.2f}" if peer in times else "" for peer in PEERS},
        f"{EAGER} ms": f"{times[EAGER].median * 1e3:.2f}",
        f"{EAGER} shortest-longest": times[EAGER].span(digits=2),
    }


def _missed(rows: list[Row]) -> list[str]:
    return [
        f"{row['task']}, {row['network']}, {row['input']}, {row['threads']} threads: {row[f'x {EAGER}']} times as "
        f"fast as {EAGER}, wanted {wanted}"
        for row in rows
        if float(row[f"x {EAGER}"]) < (wanted := TARGETS.get(row["network"], 1.0))
    ]


def _repeats(side: Callable[[], object]) -> int:
    """Number of calls per measurement: short measurements depend on the clock and on warm caches."""
    once = min(interleave({"": side}, rounds=2)[""].seconds)
    return max(1, round(SECONDS_A_MEASUREMENT / once))


def _parse() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="number of measurements per variant")
    parser.add_argument("--all-cores", action="store_true", help="not with one thread, too")
    parser.add_argument("--without", nargs="+", default=[], choices=(COMPILED, OPENVINO), help="peers to leave out")
    return parser.parse_args()


if __name__ == "__main__":
    main()
