"""gan-train: train a generator, or resume a run. torch is imported when the command runs."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from click.core import ParameterSource

from gan_runtime.errors import InputError
from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.exit_codes import COLLAPSED, FAILURE
from gan_runtime.terminal.flags import AUTO, DataDir, Json, Offline, Quiet, Version, option
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
from gan_trainer.commands.flags import (
    OUTPUT,
    RUN,
    RUNS_DIR,
    RUNS_HELP,
    USUAL,
    AutoInteger,
    Direction,
    Features,
    HoldOut,
    Input,
    InputMode,
    RecipeCommand,
    shown,
    with_recipe_flags,
)
from gan_trainer.commands.list_recipes import print_recipes
from gan_trainer.commands.requirements import require
from gan_trainer.recipes.checks import RUN_BOUNDS
from gan_trainer.training.distributed.launch import follows

if TYPE_CHECKING:
    from gan_trainer.api.start import Ended
    from gan_trainer.training.distributed.processes import Processes
    from gan_trainer.training.loop import Outcome

CHANGED_BY_RESUME = ("images", "device", "threads", "compile")
ALLOWED_WITH_RESUME = {
    "resume",
    "runs_dir",
    "data_dir",
    "offline",
    "tensorboard",
    "profile",
    "quiet",
    "as_json",
    "version",
}


def _option(group: str, text: str, *names: str, **settings: Any) -> Any:
    return option(text, *names, group=group, **settings)


def _shown(name: str) -> Any:
    return shown(float if name == "epochs" else int, RUN_BOUNDS[name])


def _use_settings(context: typer.Context, path: Path | None) -> Path | None:
    """Let the settings in a file be the defaults of the flags."""
    if path is not None:
        require("gan-train")
        from gan_trainer.api.settings_file import read_settings

        context.default_map = {**(context.default_map or {}), **read_settings(path)}
    return path


@with_recipe_flags
def train(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Argument(help="A data set that gan-data lists, or a folder or .zip of images.", show_default=False),
    ] = None,
    recipe: Annotated[str, _option(RUN, "Recipe to train; --list-recipes prints all of them.", default=True)] = USUAL,
    epochs: Annotated[
        float | None,
        _option(RUN, "Length of the run in passes over the data, in place of --images.", click_type=_shown("epochs")),
    ] = None,
    seed: Annotated[
        int,
        _option(RUN, "The same seed gives the same run on the same machine.", default=True, click_type=_shown("seed")),
    ] = 0,
    device: Annotated[str, _option(RUN, "auto, cpu or cuda.", default=True)] = "auto",
    threads: Annotated[
        int | None,
        _option(
            RUN,
            "Number of CPU threads per operator: auto takes all idle ones when a run starts, and keeps their number.",
            default=AUTO,
            metavar="auto|N",
            click_type=AutoInteger(RUN_BOUNDS["threads"]["min"], RUN_BOUNDS["threads"]["max"]),
        ),
    ] = None,
    name: Annotated[str | None, _option(RUN, "Name of the run.", default="<data>-<recipe>, numbered")] = None,
    runs_dir: Annotated[Path, _option(RUN, RUNS_HELP, default=True)] = RUNS_DIR,
    resume: Annotated[
        Path | None, _option(RUN, "Continue this run from its last checkpoint. A larger --images makes it longer.")
    ] = None,
    init_from: Annotated[
        Path | None, _option(RUN, "Start with the weights of this run or checkpoint file, and nothing else of it.")
    ] = None,
    config: Annotated[
        Path | None,
        _option(
            RUN,
            "Take settings from this .toml or .json file, or from the config.json of a run. Flags override them.",
            callback=_use_settings,
            is_eager=True,
        ),
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
    hold_out: HoldOut = None,
    input: Input = None,
    direction: Direction = None,
    input_mode: InputMode = None,
    features: Features = None,
    keep_checkpoints: Annotated[
        int,
        _option(
            OUTPUT,
            "Number of checkpoints to keep, beside the best.",
            default=True,
            click_type=_shown("keep_checkpoints"),
        ),
    ] = 3,
    tensorboard: Annotated[
        bool, _option(OUTPUT, "Also write TensorBoard files to runs/<name>/tensorboard.", "--tensorboard")
    ] = False,
    compile: Annotated[
        bool | None,
        _option(
            RUN,
            "Compile the networks with torch.compile: slow to start, perhaps faster later.",
            "--compile/--no-compile",
            default="no, or as before",
        ),
    ] = None,
    profile: Annotated[
        bool,
        _option(
            OUTPUT,
            "Write where the time of a step goes to runs/<name>/profile.txt, and a trace beside it.",
            "--profile",
        ),
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
        print_recipes(as_json)
        return
    require("gan-train", tensorboard)
    from gan_trainer.api.start import EVERYTHING, NOTHING, WARNINGS, Call, resume_run, start_run
    from gan_trainer.training.distributed.joining import joined
    from gan_trainer.training.distributed.processes import EndedElsewhere
    from gan_trainer.training.stop import StopRequest

    if follows():
        sys.stderr = sys.__stderr__  # from here on, errors may be those of one process
    pictures = {
        "size": size, "mode": mode, "background": background, "levels": levels, "max_pixels": max_pixels,
        "labels": labels, "skip_bad": skip_bad, "follow_links": follow_links,
    }  # fmt: skip
    try:
        with joined() as processes:
            printed = NOTHING if not processes.first else WARNINGS if quiet else EVERYTHING
            stop = StopRequest()
            call = Call(data_dir, offline, tensorboard, profile, printed, (), stop, processes)
            if resume is not None:
                ended = resume_run(resume, runs_dir, call, **_changes(context, processes))
            elif data is None:
                raise InputError("name a data set to train on (mnist), or a run to go on with: --resume runs/<name>")
            else:
                ended = start_run(
                    data, recipe, changes, pictures, call, epochs=epochs, seed=seed, device=device, threads=threads,
                    name=name, runs_dir=runs_dir, init_from=init_from, keep_checkpoints=keep_checkpoints,
                    hold_out=hold_out, features=features,
                    pairs={"input": input, "direction": direction, "input_mode": input_mode},
                    compile=bool(compile),
                )  # fmt: skip
    except EndedElsewhere:
        raise typer.Exit(FAILURE) from None
    if processes.first:
        _report(ended, quiet, as_json)
    else:
        _exit_as(ended.outcome)


def train_main() -> None:
    """Entry point of gan-train."""
    if follows():  # results and errors of usage are the same in all processes: the first one prints them
        sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  (for the life of the process)
    run(train, "gan-train", RecipeCommand)


def _report(ended: "Ended", quiet: bool, as_json: bool) -> None:
    """Remarks on stderr, the result on stdout, and the exit code that the outcome has."""
    from gan_trainer.report import REPORT

    run, outcome, counters = ended.run, ended.outcome, ended.counters
    if ended.trained:
        _remark(ended, quiet)
    report = {
        "run": str(run.folder),
        "images": counters["images_seen"],
        "seconds": round(counters["seconds"], 1),
        "cpu_seconds": round(counters.get("cpu_seconds", 0.0), 1),
        "checkpoint": str(outcome.checkpoint),
        "picture": str(outcome.picture),
        "report": str(run.folder / REPORT),
        "finished": outcome.finished,
        "stopped": outcome.verdict,
        "best": run.best_images(),
    }
    print_result(str(run.folder), report if as_json else None)
    _exit_as(outcome)


def _exit_as(outcome: "Outcome") -> None:
    """Exit with the code of an outcome that is no success."""
    if outcome.signal is not None:
        raise typer.Exit(128 + outcome.signal)
    if outcome.verdict == "collapsed":
        raise typer.Exit(COLLAPSED)


def _remark(ended: "Ended", quiet: bool) -> None:
    from gan_trainer.report import REPORT

    run, outcome = ended.run, ended.outcome
    seen = f"{ended.counters['images_seen']:,} images"
    if outcome.signal is not None:
        note(f"stopped after {seen}; saved {outcome.checkpoint}; gan-train --resume {run.folder}")
    elif outcome.finished and outcome.verdict is not None:
        note(f"finished after {seen}, but {_verdict(ended)}: exit code {COLLAPSED}")
    elif outcome.verdict is not None:
        note(
            f"stopped after {seen}: {_verdict(ended)}; best after {run.best_images():,} images; to go on "
            f"until the next evaluation that says so: gan-train --resume {run.folder}"
        )
    elif not quiet:
        note(f"report: {run.folder / REPORT}")
        note(f"newest picture: {outcome.picture}")


def _verdict(ended: "Ended") -> str:
    """What the evaluations of a run said, for people."""
    from gan_trainer.tasks import task_of

    best = task_of(ended.run.config()).best
    return best.stalled if ended.outcome.verdict == "patience" and best else "the generator repeats itself"


def _changes(context: typer.Context, processes: "Processes") -> dict[str, Any]:
    """What --resume changes of a run; None where it stays as it is."""
    from gan_trainer.training.threads import choose_threads

    given = _given_with_resume(context)
    if "threads" in given and given["threads"] is None:  # as for a new run
        given["threads"] = choose_threads() if processes.alone else processes.threads
    return {name: given.get(name) for name in CHANGED_BY_RESUME}


def _given_with_resume(context: typer.Context) -> dict[str, Any]:
    """What was given on the command line. Raises InputError for what a run that goes on cannot change."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name: context.params[name] for name, source in sources.items() if source == ParameterSource.COMMANDLINE}
    for parameter in given:
        if parameter not in ALLOWED_WITH_RESUME.union(CHANGED_BY_RESUME):
            option = "DATA" if parameter == "data" else f"--{parameter.replace('_', '-')}"
            raise InputError(
                f"{option}: a resumed run goes on with its own settings but for --images, --device, --threads and "
                "--compile; leave it out, or start a new run"
            )
    return given


if __name__ == "__main__":
    train_main()
