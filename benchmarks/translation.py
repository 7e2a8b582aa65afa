"""Image-to-image translation on tasks with a known truth: recipes after some CPU minutes, and outputs without training.

    python benchmarks/translation.py DATA --work DIR --check
    python benchmarks/translation.py DATA --work DIR --tasks tone --minutes 20 --set --blocks 9
    python benchmarks/translation.py DATA --work DIR --no-training

DATA is a folder with `emoji/google-64.zip`, `emoji/twitter-64.zip` and `super-resolution/train-photos.zip`. Pictures
have 64x64 pixels. Minutes are those of a processor that computes in bf16. Outputs are those of the exported files. FFD
is the Frechet distance to the true outputs in the features of a small network that was trained to tell vendors and
groups of emoji. A mesh is the energy at the frequencies of a period of four pixels, over that of the truth. The
network, data, runs, files and sheets of pictures are kept in --work.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from interleave import Row, machine, new_parser, publish
from translation_data import TASKS, Images, Task
from translation_features import EmojiNetwork, emoji_distance, emoji_network
from translation_runs import TRIALS, translations
from translation_scores import Scores, baselines, pixel_scores

FEWEST = 65  # pictures for a Frechet distance of 64 features
DIGITS = {"SSIM": 3, "FFD": 1}
INPUT, NEAREST, MATCHED, L1_ONLY = "the input itself", "nearest training neighbour", "histogram matching", "L1 only"
THERE, BACK = "A to B", "B to A"
Found = dict[str, Scores]  # scores by the name of what made the outputs


def main() -> None:
    """Train what is asked for, and print one table for all tasks."""
    options = _parse()
    torch.set_num_threads(1)
    network, rows, missed = emoji_network(options.data, options.work / "emoji.pt"), [], []
    for name in options.tasks:
        task = TASKS[name](options.data)
        trained = {} if options.no_training else _trained(name, task, options)
        for direction, one, number in ((THERE, task, 0), (BACK, task.back, 1))[: 1 if task.paired else 2]:
            outputs = baselines(one) | {label: found[number] for label, found in trained.items()}
            scores = {label: _scores(images, one.test.outputs, network) for label, images in outputs.items()}
            scores["other real pictures"] = _distance(one.train.outputs, one.test.outputs, network)
            rows += [_row(name, direction, label, found) for label, found in scores.items()]
            missed += [f"{name}, {direction}: {reason}" for reason in _missed(name, direction, scores, list(trained))]
    publish(machine(1), rows, missed, options)


def _parse() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("data", type=Path, help="folder with emoji/ and super-resolution/")
    parser.add_argument("--work", type=Path, required=True, help="folder for all files; must exist")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--no-training", action="store_true")
    parser.add_argument("--trials", nargs="+", help="names of those to train; default: all of the task")
    parser.add_argument("--minutes", type=float, help="of each run, in place of the usual ones")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs=2, action="append", default=[], metavar=("FLAG", "VALUE"), help="of gan-train")
    return parser.parse_args()


def _trained(name: str, task: Task, options: argparse.Namespace) -> dict[str, list[Images]]:
    """The outputs of every trial that did not diverge, by its name and its minutes."""
    done = {}
    for trial in TRIALS[name]:
        if options.trials and trial.name not in options.trials:
            continue
        settings = (*trial.settings, *(word for pair in options.set for word in pair))
        asked = replace(trial, settings=settings, minutes=options.minutes or trial.minutes)
        found = translations(name, task, asked, options.seed, options.work.resolve())
        if found:
            done[f"{trial.name}, {found[1]:.1f} min"] = found[0]
    return done


def _scores(outputs: Images, truth: Images, network: EmojiNetwork) -> Scores:
    return pixel_scores(outputs, truth) | _distance(outputs, truth, network)


def _distance(outputs: Images, truth: Images, network: EmojiNetwork) -> Scores:
    n = min(len(outputs), len(truth))
    return {"FFD": emoji_distance(network, outputs[:n], truth)} if n >= FEWEST else {}


def _row(name: str, direction: str, label: str, scores: Scores) -> Row:
    columns = ("L1", "PSNR", "SSIM", "mesh", "FFD")
    shown = {key: f"{scores[key]:.{DIGITS.get(key, 2)}f}" if key in scores else "-" for key in columns}
    return {"task": name, "direction": direction, "outputs": label, **shown}


def _missed(name: str, direction: str, scores: Found, trained: list[str]) -> list[str]:
    """The targets that a trained recipe misses, each as text."""
    return [
        f"{label}: {target}"
        for label in trained
        if not label.startswith(L1_ONLY)
        for target, reached in _targets(name, direction, label, scores).items()
        if not reached
    ]


def _targets(name: str, direction: str, label: str, scores: Found) -> dict[str, bool]:
    found, nothing = scores[label], scores[INPUT]
    if name == "sketch":
        nearest, l1_only = scores[NEAREST], [scores[key] for key in scores if key.startswith(L1_ONLY)]
        return {
            "L1 of at most 26": found["L1"] <= 26,
            "PSNR of at least 15.7": found["PSNR"] >= 15.7,
            "FFD of at most 60 % of that of L1 only": all(found["FFD"] <= 0.6 * one["FFD"] for one in l1_only),
            "better than the nearest neighbour": found["L1"] < nearest["L1"] and found["FFD"] < nearest["FFD"],
        }
    if name == "tone":
        gain = 5.0 if direction == THERE else 2.5
        return {
            f"PSNR of at least {gain} more than that of the input": found["PSNR"] >= nothing["PSNR"] + gain,
            "better than histogram matching": found["PSNR"] > scores[MATCHED]["PSNR"],
            "mesh of at most 1.5": found["mesh"] <= 1.5,
        }
    if name == "vendors" and direction == THERE:
        return {"FFD of at most 62 % of that of the input": found["FFD"] <= 0.62 * nothing["FFD"]}
    return {}


if __name__ == "__main__":
    main()
