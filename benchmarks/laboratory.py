"""The tables of docs/laboratory.md: mode coverage of recipes on points in the plane and on stacked digits.

`points` trains recipes on ring8 and grid25, `stacked` on stacked-mnist. Each run is a gan-train process with one
thread; it is exported and measured by gan-eval. Runs that diverge are counted. Seconds are CPU seconds. Targets: for
`stacked`, all 1,000 modes with a KL of at most 0.08; for `points`, all modes with `quick`. The first run of `stacked`
measures 154,000 real images, once per user.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from budget import call, images_in
from interleave import Row, machine, new_parser, publish

from gan_runtime.laboratory.points import POINTS

RECIPES = ["gan", "lsgan", "wgan", "wgan-gp", "dragan", "hinge", "rpgan", "r3gan", "bigan", "quick"]
MODES, KL = 1000, 0.08
PROBE = 12_800  # images of a run that measures the speed of this machine


def main() -> None:
    """Train, export, measure and print the table."""
    options = _parse()
    settings = [word for pair in options.set for word in (f"--{pair[0]}", pair[1])]
    host, rows, missed = machine(1), [], []
    with tempfile.TemporaryDirectory() as folder:
        for data in options.data:
            for recipe in options.recipes:
                place = options.keep or Path(folder)
                runs = [_measured(place, data, recipe, seed, options, settings) for seed in range(options.seeds)]
                rows.append(_row(data, recipe, runs))
                missed += [f"{recipe}, {data}: {reason}" for reason in _missed(data, recipe, runs)]
                print(json.dumps(rows[-1], ensure_ascii=False), file=sys.stderr, flush=True)
    publish(host, rows, missed, options)


def _parse() -> argparse.Namespace:
    parser = new_parser(__doc__)
    tables = parser.add_subparsers(dest="table", required=True)
    points, stacked = tables.add_parser("points"), tables.add_parser("stacked")
    points.add_argument("--data", nargs="+", default=["ring8", "grid25"])
    stacked.add_argument("--data", nargs=1, default=["stacked-mnist"])
    for table, recipes, seeds, n in ((points, RECIPES, 3, 10_000), (stacked, ["quick"], 1, 26_000)):
        table.add_argument("--recipes", nargs="+", default=recipes)
        table.add_argument("--seeds", type=int, default=seeds, help="number of seeds per recipe")
        table.add_argument("--n", type=int, default=n, help="samples to measure")
        length = table.add_mutually_exclusive_group(required=True)
        length.add_argument("--images", type=int, help="length of each run")
        length.add_argument(
            "--seconds", type=float, help="length in CPU seconds, converted by the speed of a short run"
        )
        table.add_argument(
            "--set", nargs=2, action="append", default=[], metavar=("FLAG", "VALUE"), help="of gan-train"
        )
        table.add_argument("--keep", type=Path, help="keep runs and exported files in this folder")
    return parser.parse_args()


def _measured(
    place: Path, data: str, recipe: str, seed: int, options: argparse.Namespace, settings: list[str]
) -> dict[str, Any] | None:
    """The metrics of one run, with images and seconds; None if it diverged."""
    place.mkdir(parents=True, exist_ok=True)
    name = f"{data}-{recipe}-{seed}"
    common = [data, "--recipe", recipe, "--threads", 1, "--eval-every", 0, "--quiet", "--json", *settings]
    fast = ["--warm-critic", 0] if recipe == "wgan" else []
    speed = f"speed-{data}-{recipe}"
    images = options.images or images_in(options.seconds, place, speed, PROBE, common + fast)
    trained = call(place, "gan-train", *common, "--images", images, "--seed", seed, "--name", name)
    if trained is None:
        return None
    exported = place / f"{name}.onnx"
    call(place, "gan-export", f"runs/{name}", "--output", exported, "--json")
    report = call(place, "gan-eval", exported, data, "--n", options.n, "--quiet", "--json")
    if report is None:
        sys.exit(f"gan-eval failed on {exported}")
    (scores,) = report["results"].values()
    floor = next(iter(report["floors"].values()))
    return scores | {"images": trained["images"], "seconds": trained["cpu_seconds"], "floor": floor.get("fid")}


def _row(data: str, recipe: str, runs: list[dict[str, Any] | None]) -> Row:
    """Means over the seeds that did not diverge."""
    whole = [run for run in runs if run is not None]

    def average(key: str, form: str) -> str:
        values = [run[key] for run in whole if run.get(key) is not None]
        return form.format(mean(values)) if values else "-"

    columns = {
        "images": average("images", "{:,.0f}"),
        "CPU s of training": average("seconds", "{:.0f}"),
        "modes": average("modes", "{:.1f}"),
        "KL": average("kl", "{:.3f}"),
    }
    if data not in POINTS:
        columns |= {"confident": average("confident", "{:.3f}"), "FID": average("fid", "{:.2f}")}
        columns |= {"FID of real": average("floor", "{:.2f}")}
    else:
        columns |= {"high quality": average("high_quality", "{:.1%}")}
    return {"data": data, "recipe": recipe, "seeds": len(runs), "diverged": len(runs) - len(whole), **columns}


def _missed(data: str, recipe: str, runs: list[dict[str, Any] | None]) -> list[str]:
    reasons = []
    modes, kl = (len(POINTS[data].modes), float("inf")) if data in POINTS else (MODES, KL)
    if data in POINTS and recipe != "quick":
        return []
    for seed, run in enumerate(runs):
        if run is None:
            reasons.append(f"seed {seed}: diverged")
        elif run["modes"] < modes or run["kl"] > kl:
            reasons.append(f"seed {seed}: {run['modes']} modes with a KL of {run['kl']}")
    return reasons


if __name__ == "__main__":
    main()
