"""Super-resolution x4 after some CPU minutes of training, on Set14, which is never trained on.

    python benchmarks/upscaling.py DATA --work DIR --minutes 4 --networks compact edsr rrdb
    python benchmarks/upscaling.py DATA --work DIR --minutes 12 --gan-minutes 6 --check

DATA is a folder with `super-resolution/train-photos.zip` and `super-resolution/set14.zip`. Every network is trained by
`sr` for the same CPU time, and then, with --gan-minutes, by `esrgan` from there; files with weights in between are
exported with --blend. gan-eval measures the exported files. Runs and files are kept in --work: a run that was stopped
is continued, and one that is there is not repeated.
"""

import argparse
from pathlib import Path
from typing import Any

from interleave import Row, machine, new_parser, publish
from upscaling_runs import NETWORKS, Made, files_of, measured

BICUBIC = "bicubic"
COLUMNS = {"psnr": 2, "ssim": 4, "grid": 2, "gradient": 2, "patches": 2}  # digits of gan-eval's numbers
GRIDDED = 3.0  # times the grid of the photos


def main() -> None:
    """Train what is asked for, and print one table for all files."""
    options = _parse()
    made = [one for name in options.networks for one in files_of(name, options)]
    report = measured(made, options.data, options.work.resolve())
    results, floors = report["results"], report["floors"]
    rows = [_row(name, "", "", floor) for name, floor in floors.items()]
    rows += [_row(one.label, f"{one.minutes:.1f}", f"{one.bytes:,}", results[str(one.file)]) for one in made]
    missed = [reason for one in made for reason in _missed(one, results[str(one.file)], floors)]
    publish(machine(1), rows, missed, options)


def _parse() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("data", type=Path, help="folder with super-resolution/")
    parser.add_argument("--work", type=Path, required=True, help="folder for all files; must exist")
    parser.add_argument("--networks", nargs="+", default=["edsr"], choices=list(NETWORKS))
    parser.add_argument("--minutes", type=float, default=4.0, help="CPU minutes of sr, of each network")
    parser.add_argument("--gan-minutes", type=float, default=0.0, help="CPU minutes of esrgan after it; 0: none")
    parser.add_argument("--blend", nargs="*", type=float, default=[0.5], help="shares of esrgan in files between both")
    parser.add_argument("--seed", type=int, default=0)
    for flag, recipe in (("--set", "sr"), ("--gan-set", "esrgan")):
        about = {"nargs": 2, "action": "append", "default": [], "metavar": ("FLAG", "VALUE")}
        parser.add_argument(flag, **about, help=f"of gan-train, for {recipe}")
    return parser.parse_args()


def _row(label: str, minutes: str, size: str, scores: dict[str, Any]) -> Row:
    numbers = {key: scores.get(key) for key in COLUMNS}
    shown = {key: "-" if value is None else f"{value:.{COLUMNS[key]}f}" for key, value in numbers.items()}
    return {"file": label, "CPU minutes": minutes, "bytes": size, **shown}


def _missed(one: Made, scores: dict[str, Any], floors: dict[str, Any]) -> list[str]:
    """The targets that a file misses, each as text."""
    real = next(floor for name, floor in floors.items() if name != BICUBIC)
    targets = {
        "PSNR above that of bicubic interpolation": scores["psnr"] > floors[BICUBIC]["psnr"],
        f"a grid of at most {GRIDDED:g} times that of the photos": scores["grid"] <= GRIDDED * real["grid"],
    }
    return [f"{one.label}: {target}" for target, reached in targets.items() if not reached]


if __name__ == "__main__":
    main()
