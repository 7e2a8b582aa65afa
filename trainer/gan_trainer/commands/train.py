"""gan-train: train a generator, or resume a run. torch is imported when the command runs."""

from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from click.core import ParameterSource

from gan_runtime.errors import DeviceError, GanEdgeError, InputError
from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.exit_codes import COLLAPSED
from gan_runtime.terminal.flags import DataDir, Json, Offline, Quiet, Version
from gan_runtime.terminal.help import GENERAL
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
from gan_trainer.commands.flags import OUTPUT, RUN, RUNS_DIR, RUNS_HELP, USUAL, RecipeCommand, with_recipe_flags
from gan_trainer.commands.list_recipes import print_recipes
from gan_trainer.commands.requirements import require

if TYPE_CHECKING:
    from gan_runtime.data import Dataset
    from gan_trainer.runs.continuing import Origin
    from gan_trainer.runs.folder import Run
    from gan_trainer.tasks.task import Judge
    from gan_trainer.training.config import Config
    from gan_trainer.training.logbook import Logbook
    from gan_trainer.training.loop import Outcome
    from gan_trainer.training.state import TrainState

CHANGED_BY_RESUME = ("images", "device", "threads")
ALLOWED_WITH_RESUME = {"resume", "runs_dir", "data_dir", "offline", "tensorboard", "quiet", "as_json", "version"}


@dataclass(frozen=True)
class Sitting:
    """What belongs to one call of gan-train and not to the run, so that it may differ when the run goes on."""

    data_dir: Path | None
    offline: bool
    tensorboard: bool
    quiet: bool
    as_json: bool


def _option(group: str, text: str, *names: str, default: str | bool = False, **settings: Any) -> Any:
    return typer.Option(*names, help=text, show_default=default, rich_help_panel=group, **settings)


@with_recipe_flags
def train(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Argument(help="A data set that gan-data lists, or a folder or .zip of images.", show_default=False),
    ] = None,
    recipe: Annotated[str, _option(RUN, "Recipe to train; --list-recipes prints all of them.", default=True)] = USUAL,
    epochs: Annotated[
        float | None, _option(RUN, "Length of the run in passes over the data, in place of --images.", max=10**6)
    ] = None,
    seed: Annotated[
        int,
        _option(RUN, "The same seed gives the same run on the same machine.", min=0, max=2**32 - 1, default=True),
    ] = 0,
    device: Annotated[str, _option(RUN, "auto, cpu or cuda.", default=True)] = "auto",
    threads: Annotated[
        int | None, _option(RUN, "Number of CPU threads per operator.", min=1, max=1024, default="all allowed")
    ] = None,
    name: Annotated[str | None, _option(RUN, "Name of the run.", default="<data>-<recipe>, numbered")] = None,
    runs_dir: Annotated[Path, _option(RUN, RUNS_HELP, default=True)] = RUNS_DIR,
    resume: Annotated[
        Path | None, _option(RUN, "Continue this run from its last checkpoint. A larger --images makes it longer.")
    ] = None,
    init_from: Annotated[
        Path | None, _option(RUN, "Start with the weights of this run or checkpoint file, and nothing else of it.")
    ] = None,
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
    keep_checkpoints: Annotated[
        int, _option(OUTPUT, "Number of checkpoints to keep, beside the best.", min=1, default=True)
    ] = 3,
    tensorboard: Annotated[
        bool, _option(OUTPUT, "Also write TensorBoard files to runs/<name>/tensorboard.", "--tensorboard")
    ] = False,
    quiet: Quiet = False,
    list_recipes: Annotated[bool, _option(GENERAL, "Print the table of recipes and exit.", "--list-recipes")] = False,
    as_json: Json = False,
    version: Version = False,
    **changes: Any,
) -> None:
    """Train a generator.

    The folder runs/<name> holds the checkpoints, the samples, the log and report.html. The help shows the settings of
    one recipe with its values as defaults: gan-train --recipe wgan-gp --help.
    """
    if list_recipes:
        return print_recipes(as_json)
    require("gan-train", tensorboard)
    sitting = Sitting(data_dir, offline, tensorboard, quiet, as_json)
    if resume is not None:
        given = _given_with_resume(context)
        return _resume(resume, runs_dir, sitting, {name: given.get(name) for name in CHANGED_BY_RESUME})
    if data is None:
        raise InputError("name a data set to train on (mnist), or a run to go on with: --resume runs/<name>")
    if epochs is not None and not epochs > 0:
        raise InputError(f"--epochs {epochs:g}: must be positive")
    if changes["images"] is not None and epochs is not None:
        raise InputError("--images and --epochs: both give the length; choose one")
    from gan_runtime.commands.picture_options import picture_options
    from gan_runtime.data import load_dataset
    from gan_trainer.data.source import DataSource
    from gan_trainer.runs.continuing import find_origin, renamed_classes
    from gan_trainer.runs.folder import check_name, create_run, make_runs_dir
    from gan_trainer.runs.settings import check_settings, make_config
    from gan_trainer.training.config import choose_device

    pictures = picture_options(
        data, size=size, mode=mode, background=background, levels=levels, max_pixels=max_pixels, labels=labels,
        skip_bad=skip_bad, follow_links=follow_links,
    )  # fmt: skip
    chosen, reason = choose_device(device)
    check_settings(data, recipe, changes, pictures)
    check_name(runs_dir, name)
    origin = None if init_from is None else find_origin(init_from, runs_dir)
    dataset = load_dataset(data, "train", data_dir, pictures, offline=offline, quiet=quiet)
    if epochs is not None:
        changes["images"] = max(1, round(epochs * len(dataset.images)))
    source = DataSource.of(dataset, data, data_dir, pictures)
    config = make_config(source, recipe, changes, seed, chosen, threads, keep_checkpoints)
    if device == "auto" and not quiet:
        note(f"device: {chosen}, {reason}")
    if origin is not None:
        config = replace(config, init_from=origin.record)
        for remark in () if quiet else renamed_classes(origin, config):
            note(remark)
    state = _begin(config, origin)
    make_runs_dir(runs_dir)  # before the judge measures, which may take long
    judge = _open_judge(config, sitting)
    where = create_run(runs_dir, name, config)
    return _train(config, dataset, where, state, sitting, judge, keep=origin is not None)


def train_main() -> None:
    """Entry point of gan-train."""
    run(train, "gan-train", RecipeCommand)


def _resume(path: Path, runs_dir: Path, sitting: Sitting, changes: dict[str, Any]) -> None:
    from gan_trainer.runs.continuing import explain, go_on
    from gan_trainer.runs.folder import open_run
    from gan_trainer.training.config import choose_device

    found = open_run(path, runs_dir)
    before, saved = found.load()
    if saved is None and before.init_from is not None:
        raise GanEdgeError(f"{found.folder}: stopped before its first weights were saved; start it again")
    if changes["device"] is not None:
        changes["device"], _ = choose_device(changes["device"])
    config = go_on(before, saved["images_seen"] if saved else 0, **changes)
    if saved is not None and saved["images_seen"] >= config.recipe.images:
        return _report_finished(found, before, saved, sitting)
    for remark in explain(before, config) if not sitting.quiet else ():
        note(remark)
    dataset = config.data.load(sitting.data_dir, offline=sitting.offline, quiet=sitting.quiet)
    judge, state = _open_judge(config, sitting), _go_on(config, found, saved)
    return _train(config, dataset, found, state, sitting, judge, keep=config != before)


def _report_finished(where: "Run", config: "Config", saved: dict[str, Any], sitting: Sitting) -> None:
    from gan_trainer.runs.history import has_collapsed
    from gan_trainer.training.loop import Outcome

    if not sitting.quiet:
        note(
            f"{where.folder} is finished: {saved['images_seen']:,} of {config.recipe.images:,} images seen; "
            "to train it for longer, add --images"
        )
    collapsed = config.recipe.stop_when_collapsed and has_collapsed(where.entries())
    checkpoint, picture = where.newest_checkpoint(), max(where.samples.glob("*.png"), default="")
    outcome = Outcome(Path(checkpoint or ""), Path(picture), None, "collapsed" if collapsed else None, True)
    _print_report(where, saved, outcome, sitting)


def _open_judge(config: "Config", sitting: Sitting) -> "Judge | None":
    from gan_trainer.tasks import task_of

    return task_of(config).open_judge(config, sitting.data_dir, offline=sitting.offline, quiet=sitting.quiet)


def _train(
    config: "Config",
    dataset: "Dataset",
    where: "Run",
    state: "TrainState",
    sitting: Sitting,
    judge: "Judge | None",
    *,
    keep: bool = False,
) -> None:
    """Train, and report. `keep`: settings or weights are new, and have to be there whatever becomes of this sitting."""
    from gan_trainer.report.page import Page
    from gan_trainer.runs.board import Board
    from gan_trainer.runs.console import open_console
    from gan_trainer.training.checkpoint import save_checkpoint
    from gan_trainer.training.logbook import Logbook

    total = config.recipe.images
    with (
        where.locked(),
        open_console(str(where.folder), total, state.images_seen, config.data.images, sitting.quiet) as console,
        closing(Board(where.folder, state.images_seen)) if sitting.tensorboard else nullcontext() as board,
    ):
        console.said(
            f"{where.folder}: {config.recipe_name} on {config.data.name}, from image {state.images_seen:,} of "
            f"{total:,}; {config.device}, {config.threads} threads, {config.recipe.precision}"
        )
        where.forget_after(state.images_seen)
        if keep:
            save_checkpoint(where.checkpoints, state, config, where.best_images())
            where.write_config(config)
        observers = [console, *([board] if board else []), Page(where, console.said)]
        outcome = _train_or_explain(config, dataset, state, where, Logbook(where, observers), judge)
    _report(where, state, outcome, sitting)


def _begin(config: "Config", origin: "Origin | None") -> "TrainState":
    from gan_trainer.systems import start_state

    state = start_state(config)
    if origin is not None:
        try:
            state.load_weights(origin.saved)
        except InputError as error:
            raise InputError(f"--init-from {origin.record['run']}: {error}") from None
    return state


def _go_on(config: "Config", where: "Run", saved: dict[str, Any] | None) -> "TrainState":
    from gan_trainer.systems import start_state
    from gan_trainer.training.checkpoint import CONTENT_ERRORS, damaged
    from gan_trainer.training.config import choose_device

    try:
        choose_device(config.device)  # a run that began with CUDA may go on where there is none
    except DeviceError as error:
        raise DeviceError(f"{error}; go on without it: --device cpu") from None
    try:
        return start_state(config, saved)
    except CONTENT_ERRORS:
        newest = where.newest_checkpoint()
        if saved is None or newest is None:
            raise
        raise damaged(newest) from None


def _train_or_explain(
    config: "Config",
    dataset: "Dataset",
    state: "TrainState",
    where: "Run",
    book: "Logbook",
    judge: "Judge | None",
) -> "Outcome":
    from gan_trainer.evaluation.run import RunEvaluator
    from gan_trainer.tasks import task_of
    from gan_trainer.training.loop import run_loop
    from gan_trainer.training.meter import Diverged
    from gan_trainer.training.stop import StopRequest

    evaluator = None if judge is None else RunEvaluator(config, where, judge)
    try:
        with StopRequest() as stop:
            return run_loop(config, dataset, state, book, task_of(config).preview, evaluator, stop)
    except Diverged as error:
        last = where.newest_checkpoint()
        kept = f"the last good checkpoint is {last}" if last else "there is no checkpoint yet"
        book.write(state, {"warning": str(error)})
        raise Diverged(f"{where.folder}: {error}; {kept}; try a lower --lr in a new run") from None
    except RuntimeError as error:
        if "out of memory" not in str(error) and "can't allocate memory" not in str(error):
            raise
        reason = f"not enough memory on {config.device} for --batch-size {config.recipe.batch_size}"
        raise GanEdgeError(f"{where.folder}: {reason}; choose a smaller one in a new run") from None


def _report(where: "Run", state: "TrainState", outcome: "Outcome", sitting: Sitting) -> None:
    from gan_trainer.report import REPORT

    seen = f"{state.images_seen:,} images"
    if outcome.signal is not None:
        note(f"stopped after {seen}; saved {outcome.checkpoint}; gan-train --resume {where.folder}")
    elif outcome.finished and outcome.verdict is not None:
        note(f"finished after {seen}, but {_verdict(where, outcome)}: exit code {COLLAPSED}")
    elif outcome.verdict is not None:
        note(
            f"stopped after {seen}: {_verdict(where, outcome)}; best after {where.best_images():,} images; to go on "
            f"until the next evaluation that says so: gan-train --resume {where.folder}"
        )
    elif not sitting.quiet:
        note(f"report: {where.folder / REPORT}")
        note(f"newest picture: {outcome.picture}")
    _print_report(where, vars(state), outcome, sitting)


def _verdict(where: "Run", outcome: "Outcome") -> str:
    """What the evaluations of a run said, for people."""
    from gan_trainer.tasks import task_of

    best = task_of(where.config()).best
    return best.stalled if outcome.verdict == "patience" and best else "the generator repeats itself"


def _print_report(where: "Run", counters: dict[str, Any], outcome: "Outcome", sitting: Sitting) -> None:
    """The result on stdout, and the exit code that `outcome` has."""
    from gan_trainer.report import REPORT

    report = {
        "run": str(where.folder),
        "images": counters["images_seen"],
        "seconds": round(counters["seconds"], 1),
        "cpu_seconds": round(counters.get("cpu_seconds", 0.0), 1),
        "checkpoint": str(outcome.checkpoint),
        "picture": str(outcome.picture),
        "report": str(where.folder / REPORT),
        "finished": outcome.finished,
        "stopped": outcome.verdict,
        "best": where.best_images(),
    }
    print_result(str(where.folder), report if sitting.as_json else None)
    if outcome.signal is not None:
        raise typer.Exit(128 + outcome.signal)
    if outcome.verdict == "collapsed":
        raise typer.Exit(COLLAPSED)


def _given_with_resume(context: typer.Context) -> dict[str, Any]:
    """What was given on the command line. Raises InputError for what a run that goes on cannot change."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name: context.params[name] for name, source in sources.items() if source == ParameterSource.COMMANDLINE}
    for parameter in given:
        if parameter not in ALLOWED_WITH_RESUME.union(CHANGED_BY_RESUME):
            option = "DATA" if parameter == "data" else f"--{parameter.replace('_', '-')}"
            raise InputError(
                f"{option}: a resumed run goes on with its own settings but for --images, --device and --threads; "
                "leave it out, or start a new run"
            )
    return given


if __name__ == "__main__":
    train_main()
