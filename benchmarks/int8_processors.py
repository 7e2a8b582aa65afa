"""Do files in int8 give the same bytes on processors with and without VNNI?

    python benchmarks/int8_processors.py

Each file is run twice: as this processor is, and with AVX-512, VNNI and AMX hidden from the process by without_vnni.c,
so that ONNX Runtime takes its kernels for AVX2 (`vpmaddubsw`, which saturates). Needs a C compiler, and Linux on an
x86-64 processor with VNNI and `cpuid_fault`. Weights of 8 bits show that the check can fail: they saturate.
Targets: no value differs with 7 bits; some do with 8.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from int8_speed import GENERATORS, NETWORKS, generator, upscaler
from interleave import Row, machine, new_parser, publish
from numpy.typing import NDArray

UNKNOWN = 77  # exit code of without_vnni.c where a process cannot answer CPUID
RUN = """
import sys, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
numpy.save(sys.argv[3], session.run(["images"], dict(numpy.load(sys.argv[2])))[0])
"""


def main() -> None:
    """Run all files on both kinds of processor, and print the table."""
    options = _parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hidden = folder / "without_vnni.so"
        source = Path(__file__).with_name("without_vnni.c")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", source, "-o", hidden], check=True)
        rows = [row(network, weight, folder, hidden) for network in options.networks for weight in (64, 127)]
    missed = [
        f"{one['network']}, weights up to {one['largest weight']}" for one in rows if one["as it must be"] == "no"
    ]
    publish(machine(1), rows, missed, options)


def row(name: str, weight: int, folder: Path, hidden: Path) -> Row:
    """One network, whose weights have sizes up to `weight`."""
    from gan_trainer.export.precision import INT8, int8, reduced_file

    network = generator(name, folder) if name in GENERATORS else upscaler(name, folder)
    usual, int8.WEIGHT = int8.WEIGHT, weight
    try:
        file = reduced_file(network.file, INT8, network.typical)
    finally:
        int8.WEIGHT = usual
    path, feeds = folder / "int8.onnx", folder / "feeds.npz"
    path.write_bytes(file.content)
    np.savez(feeds, **network.timed)
    here, there = (_images(path, feeds, preload) for preload in ("", str(hidden)))
    change = np.abs(here.astype(int) - there)
    return {
        "network": name,
        "largest weight": weight,
        "values": f"{change.size:,}",
        "that differ": f"{(change > 0).mean():.2%}",
        "largest difference": int(change.max()),
        "as it must be": "yes" if bool(change.any()) == (weight > usual) else "no",
    }


def _images(path: Path, feeds: Path, preload: str) -> NDArray[np.uint8]:
    """What ONNX Runtime gives in a process of its own."""
    output = path.with_suffix(".npy")
    environment = os.environ | ({"LD_PRELOAD": preload} if preload else {})
    done = subprocess.run([sys.executable, "-c", RUN, path, feeds, output], env=environment, check=False)
    if done.returncode == UNKNOWN:
        sys.exit("this processor or kernel cannot hide instructions from a process (cpuid_fault in /proc/cpuinfo)")
    done.check_returncode()
    return np.load(output)  # type: ignore[no-any-return]


def _parse() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS, help="networks to try")
    return parser.parse_args()


if __name__ == "__main__":
    main()
