"""The steps of gan-compare after `prepare`: plan, run all cells, and report."""

import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from gan_runtime.data import Dataset
from gan_runtime.errors import GanEdgeError, InputError
from gan_runtime.evaluation.table import METRICS
from gan_runtime.files import atomic_write
from gan_runtime.outputs.cluster import Cluster
from gan_runtime.outputs.share import Share
from gan_runtime.terminal.text import note
from gan_trainer.compare import table
from gan_trainer.compare.cells import DIVERGED, Place, finish, known_result, known_results
from gan_trainer.compare.cluster import run_part
from gan_trainer.compare.page import write_comparison
from gan_trainer.compare.pictures import save_samples
from gan_trainer.compare.plan import Cell, Plan, Settings, make_plan
from gan_trainer.compare.processes import Processes
from gan_trainer.compare.speed import images_within, step_seconds
from gan_trainer.runs.settings import check_settings
from gan_trainer.tasks.task import Comparison, Metric, Task
from gan_trainer.training.config import Config

UNTITLED = Metric("", "", "")


def planned(
    place: Place,
    settings: Settings,
    dataset: Dataset,
    configs: Mapping[str, Config],
    *,
    quiet: bool,
    mixed: bool = False,
) -> Plan:
    """The plan of a comparison. With a budget in CPU seconds, the speed of new recipes is measured first.

    Raises:
        InputError, GanEdgeError: as `make_plan`, or the budget is too short for a recipe.
    """

    def length(recipe: str) -> int:
        if settings.images is not None:
            return settings.images
        assert settings.cpu_seconds is not None
        config = configs[recipe]
        images = images_within(config.recipe, settings.cpu_seconds, *step_seconds(config, dataset))
        try:
            check_settings(settings.data, recipe, settings.fields | {"images": images}, None, config.data.pairs)
        except InputError as error:
            raise InputError(f"--seconds {settings.cpu_seconds:g}: is too short for {recipe}: {error}") from None
        if not quiet:
            note(f"{recipe}: {settings.budget} are {images:,} images")
        return images

    with place.locked():  # of several processes, the first one measures the speed
        return make_plan(place.folder, settings, list(configs), length, begun=place.begun, mixed=mixed)


def cells_of(recipes: Sequence[str], seeds: range, share: Share) -> list[Cell]:
    """The runs of a comparison, or the part of them that `share` names: as far as possible all recipes of a seed."""
    cells = [Cell(recipe, seed) for seed in seeds for recipe in recipes]
    return [cells[number] for number in share.part(len(cells))]


def compare_all(
    place: Place, plan: Plan, cells: Sequence[Cell], columns: Sequence[str], jobs: int | Cluster, *, quiet: bool
) -> list[GanEdgeError]:
    """Run all cells that are not finished. If one fails, the others continue.

    Args:
        place, plan: of the comparison.
        cells: the runs.
        columns: metrics, the leading one first.
        jobs: how many run at the same time on this host; or the cluster that they run on.
        quiet: no messages on stderr.

    Returns:
        The errors of the runs that failed. A diverged run has not failed.

    Raises:
        GanEdgeError: the first of these errors, if no run of the comparison is finished.
    """
    missing = [cell for cell in cells if known_result(place, plan, cell) is None]
    if len(missing) < len(cells) and not quiet:
        note(f"{len(cells) - len(missing)} of {len(cells)} runs are finished already")
    failures: list[GanEdgeError] = []
    run = _on_cluster(place, plan, missing, jobs) if isinstance(jobs, Cluster) else _run(place, plan, missing, jobs)
    for done, (cell, result) in enumerate(run, len(cells) - len(missing) + 1):
        if isinstance(result, GanEdgeError):
            failures.append(result)
        if not quiet:
            said = f"failed: {result}" if isinstance(result, GanEdgeError) else f"{cell.name}: {_said(result, columns)}"
            note(f"{said} ({done} of {len(cells)})")
    if failures and not known_results(place, plan):
        raise failures[0]
    return failures


def raise_first(failures: Sequence[GanEdgeError]) -> None:
    """Raise the first of the errors of runs that failed, if there is one, with what to do about all of them."""
    if failures:
        others = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise GanEdgeError(
            f"{failures[0]}{others}; the table has the finished runs; the same command tries the others again"
        )


def report(
    place: Place, plan: Plan, task: Task, comparison: Comparison, dataset: Dataset, config: Config
) -> tuple[str, dict[str, Any]]:
    """Write table, samples, page and JSON of all finished runs into the folder.

    Of several processes, each writes them when its runs are finished: the last one has those of all.
    The samples are those of `dataset` if the task needs inputs; `config` is that of one of the recipes.

    Returns:
        The table as text, and the content of the JSON file.

    Raises:
        OutputError: they cannot be written.
    """
    with place.locked():
        return _report(place, plan, task, comparison, dataset, config)


def _report(
    place: Place, plan: Plan, task: Task, comparison: Comparison, dataset: Dataset, config: Config
) -> tuple[str, dict[str, Any]]:
    results, columns = known_results(place, plan), comparison.columns
    rows = table.summarise(results, columns)
    cells = table.lines(rows, results, columns)
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
    beside = comparison.beside(dataset, config)
    save_samples(samples, models, lambda file: comparison.samples(file, dataset, config), beside)
    metric = next((metric for metric in task.metrics if metric.key == columns[0]), UNTITLED)
    write_comparison(place.folder / "comparison.html", cells, plan, results, samples, metric)
    (place.folder / "curves.png").unlink(missing_ok=True)  # of an earlier version, with other runs
    return table.text(cells), document


def _run(
    place: Place, plan: Plan, cells: Sequence[Cell], jobs: int
) -> Iterator[tuple[Cell, dict[str, Any] | GanEdgeError]]:
    """Run `cells`, several at once, and give each result or error as it comes."""
    processes = Processes()
    work = partial(_finish, place, plan, processes)
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


def _on_cluster(
    place: Place, plan: Plan, cells: Sequence[Cell], cluster: Cluster
) -> Iterator[tuple[Cell, dict[str, Any] | GanEdgeError]]:
    """As `_run`, each cell as a part of its own."""
    place = place.absolute()
    work = partial(run_part, place.folder, pickle.dumps((place, plan)))
    for (name,), result in cluster.map(work, [(cell.recipe, cell.seed) for cell in cells]):
        yield Cell(*name), result


def _finish(place: Place, plan: Plan, processes: Processes, cell: Cell) -> dict[str, Any] | GanEdgeError:
    try:
        return finish(place, plan, cell, processes.run)
    except GanEdgeError as error:
        return error


def _said(result: dict[str, Any], columns: Sequence[str]) -> str:
    if result["outcome"] == DIVERGED:
        return f"diverged after {result['images']:,} images"
    scores, first = table.scores_of(result), columns[0]
    measured = [] if scores is None else [f"{METRICS[first].title} {table.plain_value(first, scores.get(first))}"]
    return ", ".join([result["outcome"], *measured, f"{result['cpu_seconds']:.0f} CPU seconds"])
