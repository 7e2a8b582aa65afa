"""gan-compare: compare recipes with one budget."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.flags import DataDir, Device, Json, Offline, Quiet, Version
from gan_runtime.terminal.picture_flags import (
    Background,
    FollowLinks,
    LabelsFrom,
    Levels,
    MaxPixels,
    Mode,
    Size,
    SkipBad,
)
from gan_runtime.terminal.text import note
from gan_trainer.commands.flags import (
    Direction,
    Features,
    FixedThreads,
    HoldOut,
    Input,
    InputMode,
    with_recipe_flags,
)
from gan_trainer.commands.requirements import require

if TYPE_CHECKING:
    from gan_runtime.outputs.cluster import Cluster
    from gan_runtime.outputs.share import Share


@with_recipe_flags
def compare(
    data: Annotated[str, typer.Argument(help="A data set that gan-data lists, or a folder or .zip of images.")],
    recipes: Annotated[
        str | None, typer.Option(help="Names of recipes, separated by commas.", show_default="all")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=1, max=10**7, help="Budget per run: CPU seconds of its training steps.", show_default=False),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Number of runs per recipe.")] = 3,
    first_seed: Annotated[int, typer.Option(min=0, max=2**31, help="Seed of the first run of each recipe.")] = 0,
    n: Annotated[
        int | None,
        typer.Option(
            "--n",
            "-n",
            min=1,
            max=10**7,
            help="Samples to measure per run.",
            show_default="10000; for a folder as many as are held out, at least 1000",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write.", show_default="comparisons/<data>")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Runs at the same time.", show_default="one per processor")
    ] = None,
    threads: Annotated[int, typer.Option(click_type=FixedThreads(1, 1024), help="Threads per run.")] = 1,
    device: Device = "auto",
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="k/N",
            help="Run part k of N of the runs, 1/N to N/N, into the same folder as the others. The last one to end has "
            "the table of all.",
            show_default=False,
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="[HOST:PORT]",
            help="Hand the runs to a Ray cluster: the one at this address, else that of RAY_ADDRESS or of this host. "
            "Each run has --threads processors, or a GPU. --jobs has no effect.",
            show_default=False,
        ),
    ] = None,
    mixed_versions: Annotated[
        bool, typer.Option("--mixed-versions", help="Continue a comparison that other versions began.")
    ] = False,
    data_dir: DataDir = None,
    offline: Offline = False,
    size: Size = None,
    mode: Mode = None,
    background: Background = None,
    levels: Levels = None,
    max_pixels: MaxPixels = None,
    labels: LabelsFrom = None,
    skip_bad: SkipBad = False,
    follow_links: FollowLinks = False,
    hold_out: HoldOut = None,
    input: Input = None,
    direction: Direction = None,
    input_mode: InputMode = None,
    features: Features = None,
    quiet: Quiet = False,
    as_json: Json = False,
    version: Version = False,
    **changes: Any,
) -> None:
    """Train recipes with the same budget, export each run, and measure the exported files.

    The result is a table, samples, and curves of the leading metric over time: FID, or the number of modes for points.
    Recipes that learn from two domains, or from photos, are compared if they are named in --recipes.
    The budget per run is --seconds or --images. The same command resumes a comparison: finished runs are skipped, new
    recipes and seeds are added. The settings under Recipe apply to all recipes. --precision is fp32 unless it is given.
    """
    require("gan-compare")
    from gan_runtime.devices.processors import available_cpus
    from gan_trainer.compare import command
    from gan_trainer.compare.cells import known_results
    from gan_trainer.compare.prepare import Asked, prepare

    reading = {
        "size": size, "mode": mode, "background": background, "levels": levels, "max_pixels": max_pixels,
        "labels": labels, "skip_bad": skip_bad, "follow_links": follow_links,
    }  # fmt: skip
    between = {"input": input, "direction": direction, "input_mode": input_mode}
    given = {name: value for name, value in changes.items() if value is not None}
    part, cluster = _where(shard, ray, device, threads, quiet)
    asked = Asked(
        data, recipes, seconds, n, output, threads, cluster.device if cluster else device, data_dir, offline,
        reading, hold_out, between, features, given, quiet,
    )  # fmt: skip
    made = prepare(asked)
    place, configs = made.place, made.configs
    if made.settings.unmeasured and not quiet:
        note(f"no metrics: {made.settings.unmeasured}")
    plan = command.planned(place, made.settings, made.dataset, configs, quiet=quiet, mixed=mixed_versions)
    cells = command.cells_of(list(configs), range(first_seed, first_seed + seeds), part)
    where = cluster or jobs or max(1, available_cpus() // threads)
    failures = command.compare_all(place, plan, cells, made.comparison.columns, where, quiet=quiet)
    if not known_results(place, plan):
        note(f"{place.folder}: part {part} has no runs, and no run of another part is finished; there is no table yet")
        return
    text, document = command.report(place, plan, made.task, made.comparison, made.dataset, made.config)
    if not quiet:
        note(f"written: {place.folder}/comparison.html, comparison.md, comparison.json and samples.png")
    command.raise_first(failures)
    print_result(text, document if as_json else None)


def _where(
    shard: str | None, ray: str | None, device: str, threads: int, quiet: bool
) -> tuple["Share", "Cluster | None"]:
    """Which runs are this command's, and the cluster that they run on, if there is one."""
    from gan_runtime.commands.cluster_option import cluster_of
    from gan_runtime.outputs.share import WHOLE, share_of

    return WHOLE if shard is None else share_of(shard), cluster_of(ray, device, threads, quiet)


def compare_main() -> None:
    """Entry point of gan-compare."""
    run(compare, "gan-compare")


if __name__ == "__main__":
    compare_main()
