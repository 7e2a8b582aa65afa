"""Does training notice when the generator repeats itself, and only then?

`quick` at width 16 with class embeddings of a large standard deviation draws one picture per class (docs/recipes.md);
it has to be stopped. `quick` as it is has to go on, over several seeds. Every run is a gan-train process of its own.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

COLLAPSED = 3  # exit code of gan-train --stop-when-collapsed
CHANGED = """
import os
import gan_trainer.networks.conv as conv
conv.EMBEDDING_STD = float(os.environ["EMBEDDING_STD"])
from gan_trainer.cli import train_main
train_main()
"""


def main(
    images: Annotated[int, typer.Option(help="Length of each run.")] = 60_000,
    eval_every: Annotated[int, typer.Option(help="Images between two evaluations.")] = 10_000,
    seeds: Annotated[int, typer.Option(help="How many seeds of quick.")] = 5,
    collapsing: Annotated[int, typer.Option(help="How many seeds of each run that should collapse.")] = 2,
    stds: Annotated[str, typer.Option(help="Standard deviations that are tried, with commas between.")] = "1,4,16",
    must: Annotated[float, typer.Option(help="From this one on a run has to collapse.")] = 4.0,
    data_dir: Annotated[Path | None, typer.Option(help="Folder with MNIST.", show_default=False)] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 where one is missed or wrongly stopped.")] = False,
) -> None:
    """Train on MNIST, and say which runs were stopped."""
    options = ["--images", str(images), "--eval-every", str(eval_every)]
    options += ["--data-dir", str(data_dir.resolve())] if data_dir else []
    missed = False
    print("| run | seed | stopped | after images | FID | precision | recall | coverage |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for std in map(float, stds.split(",")):
        for seed in range(collapsing):
            stopped, row = _run([*options, "--width", "16"], seed, std)
            missed |= std >= must and not stopped
            print(f"| width 16, embeddings of std {std:g} | {seed} | {row} |", flush=True)
    for seed in range(seeds):
        stopped, row = _run(options, seed, None)
        missed |= stopped
        print(f"| quick | {seed} | {row} |", flush=True)
    raise typer.Exit(int(check and missed))


def _run(options: list[str], seed: int, std: float | None) -> tuple[bool, str]:
    """One run: whether it was stopped, and the rest of its row."""
    python = ["-c", CHANGED] if std is not None else ["-c", "from gan_trainer.cli import train_main; train_main()"]
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["mnist", *options, "--seed", str(seed), "--name", "run", "--stop-when-collapsed", "--quiet"]
        environment = os.environ | {"EMBEDDING_STD": str(std)}
        done = subprocess.run([sys.executable, *python, *arguments], cwd=folder, env=environment, check=False)
        if done.returncode not in (0, COLLAPSED):
            raise typer.Exit(done.returncode)
        lines = (Path(folder) / "runs" / "run" / "metrics.jsonl").read_text().splitlines()
    last = [entry for entry in map(json.loads, lines) if entry.get("n") == 2000][-1]
    stopped = done.returncode == COLLAPSED
    scores = " | ".join(f"{last[name]:.2f}" for name in ("fid", "precision", "recall", "coverage"))
    return stopped, f"{'yes' if stopped else 'no'} | {last['images']:,} | {scores}"


if __name__ == "__main__":
    typer.run(main)
