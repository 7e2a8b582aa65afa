"""gan-compare: compare recipes with one budget."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.flags import DataDir, Device, Json, Offline, Quiet, Version
from gan_runtime.terminal.text import note
from gan_trainer.commands.flags import with_recipe_flags
from gan_trainer.commands.requirements import require


@with_recipe_flags
def compare(
    data: Annotated[str, typer.Argument(help="A data set that a feature network ships for: mnist, fashion-mnist, …")],
    recipes: Annotated[
        str | None, typer.Option(help="Names of recipes, separated by commas.", show_default="all")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=1, max=10**7, help="Budget per run: CPU seconds of its training steps.", show_default=False),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Number of runs per recipe.")] = 3,
    first_seed: Annotated[int, typer.Option(min=0, max=2**31, help="Seed of the first run of each recipe.")] = 0,
    n: Annotated[int, typer.Option("--n", "-n", min=1, max=10**7, help="Images to sample and measure per run.")] = (
        10_000
    ),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write.", show_default="comparisons/<data>")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Runs at the same time.", show_default="one per processor")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Threads per run.")] = 1,
    device: Device = "auto",
    mixed_versions: Annotated[
        bool, typer.Option("--mixed-versions", help="Continue a comparison that other versions began.")
    ] = False,
    data_dir: DataDir = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
    version: Version = False,
    **changes: Any,
) -> None:
    """Train recipes under the same budget, export each run, and measure the exported files.

    The result is a table, samples, and curves of FID over time. The budget per run is --seconds or --images. Finished
    runs are not repeated: the same command continues a comparison, and adds recipes and seeds that are new. The
    settings under Recipe apply to all recipes. --precision is fp32 unless it is given.
    """
    require("gan-compare")
    from gan_runtime.devices.processors import available_cpus
    from gan_runtime.errors import GanEdgeError
    from gan_trainer.compare.cells import Place, known_results
    from gan_trainer.compare.command import check_request, compare_all, features_for, planned, report
    from gan_trainer.compare.plan import Cell, Settings
    from gan_trainer.training.config import choose_device, choose_precision

    given = {name: value for name, value in changes.items() if value is not None}
    chosen, _ = choose_device(device)
    precision = choose_precision(given.pop("precision", "fp32"), chosen)
    images, features = given.pop("images", None), features_for(data, n)
    settings = Settings(data, images, seconds, n, threads, given, chosen, precision, features)
    names = check_request(settings, recipes)
    folder = output or Path("comparisons") / data
    where = ("--data-dir", str(data_dir.resolve())) if data_dir else ()
    place = Place(folder, (*where, *(("--offline",) if offline else ())), chosen)
    plan = planned(place, settings, names, data_dir, offline=offline, quiet=quiet, mixed=mixed_versions)
    cells = [Cell(recipe, seed) for seed in range(first_seed, first_seed + seeds) for recipe in names]
    failures = compare_all(place, plan, cells, jobs or max(1, available_cpus() // threads), quiet=quiet)
    if failures and not known_results(place, plan):
        raise failures[0]
    text, document = report(place, plan)
    if not quiet:
        note(f"written: {folder}/comparison.html, comparison.md, comparison.json and samples.png")
    if failures:
        others = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise GanEdgeError(f"{failures[0]}{others}; the table has what is finished, and the same command goes on")
    print_result(text, document if as_json else None)


def compare_main() -> None:
    """Entry point of gan-compare."""
    run(compare, "gan-compare")
