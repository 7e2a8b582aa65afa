"""Milliseconds per picture of exported translators, compared with torch eager in fp32 with the same weights.

Both take uint8 [1, h, w, c] and return uint8 [1, h, w, c']; torch runs in inference_mode. The networks are those of the
recipes, with random weights. Target: the file is not slower.
"""

import argparse
import os
import tempfile
from pathlib import Path

import workloads
from interleave import Row, Times, interleave, machine, new_parser, publish
from peers import in_file, in_torch
from workloads import Workload

RECIPES = ("pix2pix", "pix2pix-quick", "cyclegan", "cyclegan-quick")


def main() -> None:
    """Compare, and print the table."""
    options = _parse()
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # idle threads of torch spin while ONNX Runtime is measured
    host = machine()
    del host["threads"]
    with tempfile.TemporaryDirectory() as folder:
        loads = [workloads.translator(recipe, options.side, Path(folder)) for recipe in options.recipes]
        rows = [compare(load, threads, options) for load in loads for threads in sorted({1, host["cores"]})]
    missed = [f"{row['recipe']}, {row['threads']} threads" for row in rows if float(row["x torch"]) < 1]
    publish(host, rows, missed, options)


def compare(load: Workload, threads: int, options: argparse.Namespace) -> Row:
    """The network of a recipe in both forms with this number of threads, in the same rounds."""
    import torch

    torch.set_num_threads(threads)
    times = interleave({"file": in_file(load, threads), "torch": in_torch(load)}, options.rounds)
    return _row(load.name, threads, options.side, times)


def _row(recipe: str, threads: int, side: int, times: dict[str, Times]) -> Row:
    file, torch = times["file"], times["torch"]
    return {
        "recipe": recipe,
        "pixels": f"{side}x{side}",
        "threads": threads,
        "file ms": f"{file.median * 1e3:.0f}",
        "shortest-longest": file.span(digits=0),
        "torch ms": f"{torch.median * 1e3:.0f}",
        "torch shortest-longest": torch.span(digits=0),
        "x torch": f"{torch.median / file.median:.2f}",
    }


def _parse() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="number of measurements per variant")
    parser.add_argument("--side", type=int, default=256, help="of the picture, in pixels")
    parser.add_argument("--recipes", nargs="+", default=RECIPES, choices=RECIPES)
    return parser.parse_args()


if __name__ == "__main__":
    main()
