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
    from gan_runtime.data.picture_options import picture_options
    from gan_runtime.data.split import SHARE
    from gan_runtime.devices.processors import available_cpus
    from gan_runtime.errors import GanEdgeError
    from gan_runtime.evaluation.reference import samples_for
    from gan_trainer.compare import command
    from gan_trainer.compare.cells import Place, known_results
    from gan_trainer.compare.plan import Settings
    from gan_trainer.data.source import DataSource, load_source
    from gan_trainer.training.config import choose_device, choose_precision

    reading = {
        "size": size, "mode": mode, "background": background, "levels": levels, "max_pixels": max_pixels,
        "labels": labels, "skip_bad": skip_bad, "follow_links": follow_links,
    }  # fmt: skip
    part, cluster = _where(shard, ray, device, threads, quiet)
    command.check_data(data, hold_out, {"features": features, "data_dir": data_dir, "offline": offline or None})
    pictures = picture_options(data, **reading)
    given = {name: value for name, value in changes.items() if value is not None}
    chosen, _ = choose_device(cluster.device if cluster else device)
    fields = given | {"precision": choose_precision(given.get("precision", "fp32"), chosen)}
    command.check_budget(given.get("images"), seconds, chosen)
    between = {"input": input, "direction": direction, "input_mode": input_mode}
    pairs = command.pairs_of(recipes, data, between)
    names = command.choose_recipes(data, recipes, fields, pictures, pairs)
    photos = command.of_photos(names, reading)
    dataset = load_source(data, pictures, pairs, data_dir, photos=photos, offline=offline, quiet=quiet)
    share = SHARE if hold_out is None else hold_out
    source = DataSource.of(dataset, data, data_dir, pictures, share, pairs)
    configs = command.configure(source, names, fields, chosen)
    task, comparison = command.comparable(configs[names[0]])
    n = n or samples_for(data, share)
    options = reading | {"hold_out": hold_out} | between
    settings = Settings(
        source.source,
        given.get("images"),
        seconds,
        n,
        threads,
        {name: value for name, value in given.items() if name not in ("images", "precision")},
        chosen,
        fields["precision"],
        options={name: value for name, value in options.items() if value is not None and value is not False},
        digest="" if source.hold_out is None else source.digest,
        **command.how_measured(comparison, source, features, n),
    )
    folder = output or Path("comparisons") / source.name
    where = (*(("--data-dir", str(data_dir.resolve())) if data_dir else ()), *(("--offline",) if offline else ()))
    place = Place(folder, where, chosen, features)
    if settings.unmeasured and not quiet:
        note(f"no metrics: {settings.unmeasured}")
    plan = command.planned(place, settings, dataset, configs, quiet=quiet, mixed=mixed_versions)
    cells = command.cells_of(names, range(first_seed, first_seed + seeds), part)
    where_run = cluster or jobs or max(1, available_cpus() // threads)
    failures = command.compare_all(place, plan, cells, comparison.columns, where_run, quiet=quiet)
    if not known_results(place, plan):
        note(f"{folder}: part {part} has no runs, and no run of another part is finished; there is no table yet")
        return
    text, document = command.report(place, plan, task, comparison, dataset, configs[names[0]])
    if not quiet:
        note(f"written: {folder}/comparison.html, comparison.md, comparison.json and samples.png")
    if failures:
        others = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise GanEdgeError(
            f"{failures[0]}{others}; the table has the finished runs; the same command tries the others again"
        )
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
