"""The cost of evaluations relative to training time, at the default intervals, which are counted in images.

Some training steps of a recipe on MNIST and one evaluation of 2,000 images are measured in turn in one process. The
share is the median time of one evaluation divided by the median time of the training between two evaluations. Target:
at most 5 %. The evaluation at the end of a run is not included; it has a column of its own.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from interleave import interleave, machine, new_parser, publish

TARGET = 0.05


def main() -> None:
    """Measure, and print the table."""
    parser = new_parser(__doc__)
    parser.add_argument("--recipes", default="quick,gan", help="names, separated by commas")
    parser.add_argument("--rounds", type=int, default=7, help="number of measurements per variant")
    parser.add_argument("--steps", type=int, default=60, help="steps per measurement")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST's files")
    options = parser.parse_args()
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as in gan-train; torch reads it on import
    host = machine(options.threads)
    rows, missed = [], []
    for name in options.recipes.split(","):
        sides, every, batch, length = build(name, options)
        times = interleave({key: sides[key] for key in ("training", "evaluation")}, options.rounds)
        final = interleave({"end": sides["end"]}, 1, warm_up=0)["end"].median
        images_per_second = options.steps * batch / times["training"].median
        share = times["evaluation"].median * images_per_second / every
        at_the_end = 2 * final * images_per_second / length
        rows.append(
            {
                "recipe": name,
                "images/s": f"{images_per_second:,.0f}",
                "evaluation s": f"{times['evaluation'].median:.2f}",
                "shortest-longest": times["evaluation"].span(1, 2),
                "images between two": f"{every:,}",
                "share of the training": f"{share:.1%}",
                "two generators at the end, share of the whole": f"{at_the_end:.1%}",
            }
        )
        if share > TARGET:
            missed.append(f"{name}: evaluations take {share:.1%} of the training, wanted {TARGET:.0%} at most")
    publish(host, rows, missed, options)


def build(name: str, options: argparse.Namespace) -> tuple[dict[str, Callable[[], object]], int, int, int]:
    """Training steps, an evaluation and a final one; and the recipe's interval, batch size and length."""
    import torch

    from gan_runtime.data import load_dataset
    from gan_trainer.data.batches import Batches
    from gan_trainer.data.source import DataSource
    from gan_trainer.runs import history
    from gan_trainer.runs.settings import make_config
    from gan_trainer.systems import SYSTEMS, start_state
    from gan_trainer.tasks.generate import open_judge
    from gan_trainer.training.schedule import set_learning_rate

    data = load_dataset("mnist", "train", options.data_dir)
    torch.set_num_threads(options.threads)
    source = DataSource.of(data, "mnist", options.data_dir, None)
    config = make_config(source, name, {}, 0, "cpu", options.threads, 1)
    recipe, state = config.recipe, start_state(config)
    judge = open_judge(config, data, options.data_dir, offline=False, quiet=True)
    if judge is None:
        sys.exit("evaluations cannot be made here")
    judge.floors(history.SAMPLES, history.FINAL_SAMPLES)  # once per run and data set, from the cache after that
    batches = Batches(data, recipe.batch_size, 0, torch.device("cpu"))
    set_learning_rate(state, recipe)

    def training() -> None:
        for _ in range(options.steps):
            state.meter.add(SYSTEMS[recipe.system].step(state, recipe, **batches.at(state.images_seen)))
            state.meter.check(state.step)
            state.step += 1
            state.images_seen += recipe.batch_size

    sides = {
        "training": training,
        "evaluation": lambda: judge.scores({"generator": state.averaged("generator")}, config, history.SAMPLES),
        "end": lambda: judge.scores({"generator": state.averaged("generator")}, config, history.FINAL_SAMPLES),
    }
    return sides, recipe.eval_every, recipe.batch_size, recipe.images


if __name__ == "__main__":
    main()
