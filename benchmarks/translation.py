"""Image-to-image translation on tasks with a known truth: scores of outputs that need no training.

    python benchmarks/translation.py DATA --work DIR
    python benchmarks/translation.py DATA --work DIR --tasks tone

DATA is a folder with `emoji/google-64.zip`, `emoji/twitter-64.zip` and `super-resolution/train-photos.zip`. Pictures
have 64x64 pixels. FFD is the Frechet distance to the true outputs in the features of a small network that was trained
to tell vendors and groups of emoji; the network is kept in --work. A mesh is the energy at the frequencies of a
period of four pixels, over that of the truth.
"""

from pathlib import Path

import torch
from interleave import Row, machine, new_parser, publish
from translation_data import TASKS, Images, Task
from translation_features import EmojiNetwork, emoji_distance, emoji_network
from translation_scores import baselines, pixel_scores

FEWEST = 65  # pictures for a Frechet distance of 64 features
DIGITS = {"SSIM": 3, "FFD": 1}


def main() -> None:
    """Print one table for all tasks."""
    parser = new_parser(__doc__)
    parser.add_argument("data", type=Path, help="folder with emoji/ and super-resolution/")
    parser.add_argument("--work", type=Path, required=True, help="folder for the feature network; must exist")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = emoji_network(options.data, options.work / "emoji.pt")
    rows = []
    for name in options.tasks:
        task = TASKS[name](options.data)
        rows += _rows(name, "A to B", task, network)
        if not task.paired:
            rows += _rows(name, "B to A", task.back, network)
    publish(machine(1), rows, [], options)


def _rows(name: str, direction: str, task: Task, network: EmojiNetwork) -> list[Row]:
    truth, head = task.test.outputs, {"task": name, "direction": direction}
    rows = [head | {"outputs": made_by} | _scores(found, truth, network) for made_by, found in baselines(task).items()]
    others = task.train.outputs[: len(truth)]
    real = dict.fromkeys(list(rows[0])[3:], "-") | {"FFD": _distance(others, truth, network)}
    return [*rows, head | {"outputs": "other real pictures"} | real]


def _scores(outputs: Images, truth: Images, network: EmojiNetwork) -> Row:
    scores = {name: f"{value:.{DIGITS.get(name, 2)}f}" for name, value in pixel_scores(outputs, truth).items()}
    return scores | {"FFD": _distance(outputs, truth, network)}


def _distance(outputs: Images, truth: Images, network: EmojiNetwork) -> str:
    enough = min(len(outputs), len(truth)) >= FEWEST
    return f"{emoji_distance(network, outputs, truth):.{DIGITS['FFD']}f}" if enough else "-"


if __name__ == "__main__":
    main()
