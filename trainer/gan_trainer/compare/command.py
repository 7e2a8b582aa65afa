"""The steps of gan-compare: check the settings, plan, run all cells, and report."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gan_runtime.data import Dataset, load_dataset
from gan_runtime.errors import GanEdgeError, InputError
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.files import atomic_write
from gan_runtime.models import shipped_features
from gan_runtime.terminal.text import note
from gan_trainer.compare import table
from gan_trainer.compare.cells import DIVERGED, Place, finish, known_result, known_results, make_folders
from gan_trainer.compare.page import write_comparison
from gan_trainer.compare.pictures import save_samples
from gan_trainer.compare.plan import Cell, Plan, Settings, make_plan
from gan_trainer.compare.processes import Processes
from gan_trainer.compare.speed import images_within, step_seconds
from gan_trainer.data.source import DataSource
from gan_trainer.recipes.recipe import RECIPES, find_recipe
from gan_trainer.runs.settings import check_settings, make_config


def check_request(settings: Settings, recipes: str | None) -> list[str]:
    """The names of the recipes, once it is clear that all of them can be compared.

    Raises:
        InputError: naming the flag.
    """
    if (settings.images is None) == (settings.cpu_seconds is None):
        raise InputError("--seconds, --images: give one of them, the budget of each run")
    if settings.cpu_seconds is not None and settings.device != "cpu":
        raise InputError(
            f"--seconds {settings.cpu_seconds:g}: are seconds of the processor, which say nothing of the work of "
            f"{settings.device}; give --images, or --device cpu"
        )
    names = list(dict.fromkeys(recipes.split(","))) if recipes is not None else list(RECIPES)
    for name in names:
        find_recipe(name)
        try:
            check_settings(settings.data, name, settings.fields | {"images": settings.images}, None)
        except InputError as error:
            raise InputError(f"{error} (recipe {name}; leave it out with --recipes)") from None
    return names


def features_for(data: str, n: int) -> str:
    """SHA-256 of the feature network in which `n` images can be compared. Raises InputError where there is none."""
    path = shipped_features(data)
    if path is None:
        raise InputError(f"{data}: no feature network ships for it, so nothing can be compared")
    network = FeatureNetwork.load(path, "cpu", 1)
    if n <= network.dim:  # for their covariance
        raise InputError(f"--n {n}: FID needs at least {network.dim + 1} images; ask for more")
    return network.model.sha256


def planned(
    place: Place,
    settings: Settings,
    recipes: list[str],
    data_dir: Path | None,
    *,
    offline: bool,
    quiet: bool,
    mixed: bool = False,
) -> Plan:
    """The plan of a comparison; with a budget in CPU seconds the speed of recipes that are new is measured first.

    Raises:
        InputError, GanEdgeError: as `make_plan`, or the budget is too short for a recipe.
    """
    make_folders(place.folder)
    loaded: list[Dataset] = []  # only where a speed is to be measured

    def length(recipe: str) -> int:
        if settings.images is not None:
            return settings.images
        assert settings.cpu_seconds is not None
        if not loaded:
            loaded.append(load_dataset(settings.data, "train", data_dir, offline=offline, quiet=quiet))
        source = DataSource.of(loaded[0], settings.data, data_dir, None)
        config = make_config(source, recipe, settings.fields, 0, settings.device, settings.threads, 1)
        images = images_within(config.recipe, settings.cpu_seconds, *step_seconds(config, loaded[0]))
        try:
            check_settings(settings.data, recipe, settings.fields | {"images": images}, None)
        except InputError as error:
            raise InputError(f"--seconds {settings.cpu_seconds:g}: is too short for {recipe}: {error}") from None
        if not quiet:
            note(f"{recipe}: {settings.budget} are {images:,} images")
        return images

    return make_plan(place.folder, settings, recipes, length, begun=place.begun, mixed=mixed)


def compare_all(place: Place, plan: Plan, cells: Sequence[Cell], jobs: int, *, quiet: bool) -> list[GanEdgeError]:
    """Finish all cells; those that are finished are not run again. One that fails does not hold up the others.

    Returns:
        Why runs failed that did, other than by diverging.
    """
    missing = [cell for cell in cells if known_result(place, plan, cell) is None]
    if len(missing) < len(cells) and not quiet:
        note(f"{len(cells) - len(missing)} of {len(cells)} runs are finished already")
    failures: list[GanEdgeError] = []
    for done, (cell, result) in enumerate(_run(place, plan, missing, jobs), len(cells) - len(missing) + 1):
        if isinstance(result, GanEdgeError):
            failures.append(result)
        if not quiet:
            said = f"failed: {result}" if isinstance(result, GanEdgeError) else f"{cell.name}: {_said(result)}"
            note(f"{said} ({done} of {len(cells)})")
    return failures


def report(place: Place, plan: Plan) -> tuple[str, dict[str, Any]]:
    """Write table, samples, page and JSON of all finished runs into the folder; returns table and document.

    Raises:
        OutputError: they cannot be written.
    """
    results = known_results(place, plan)
    rows = table.summarise(results)
    cells = table.lines(rows, results)
    document = {"plan": asdict(plan), "processor": table.processor(), "recipes": rows, "runs": results}
    with atomic_write(place.folder / "comparison.md") as file:
        file.write(table.markdown(cells, plan, results).encode())
    with atomic_write(place.folder / "comparison.json") as file:
        file.write(json.dumps(document, indent=2).encode() + b"\n")
    models: dict[str, Path | None] = {row["recipe"]: None for row in rows}
    for result in reversed(results):
        if result["outcome"] != DIVERGED:
            models[result["recipe"]] = place.model(Cell(result["recipe"], result["seed"]))
    samples = place.folder / "samples.png"
    save_samples(samples, models)
    write_comparison(place.folder / "comparison.html", cells, plan, results, samples)
    (place.folder / "curves.png").unlink(missing_ok=True)  # of an earlier version: it would show other runs
    return table.text(cells), document


def _run(
    place: Place, plan: Plan, cells: Sequence[Cell], jobs: int
) -> Iterator[tuple[Cell, dict[str, Any] | GanEdgeError]]:
    """Run `cells`, several at once, and give each result, or why there is none, as it comes."""
    processes = Processes()

    def work(cell: Cell) -> dict[str, Any] | GanEdgeError:
        try:
            return finish(place, plan, cell, processes.run)
        except GanEdgeError as error:
            return error

    if jobs == 1:
        try:
            yield from ((cell, work(cell)) for cell in cells)
        finally:
            processes.stop()
        return
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(work, cell): cell for cell in cells}
        try:
            for future in as_completed(running):
                yield running[future], future.result()
        finally:
            processes.stop()
            pool.shutdown(cancel_futures=True)


def _said(result: dict[str, Any]) -> str:
    scores = table.scores_of(result)
    if scores is None:
        return f"diverged after {result['images']:,} images"
    return f"{result['outcome']}, FID {scores['fid']:.3f}, {result['cpu_seconds']:.0f} CPU seconds"
