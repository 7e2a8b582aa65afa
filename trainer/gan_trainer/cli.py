"""gan-train and gan-export: arguments in, one call, a report out. torch is imported when a command runs."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from click.core import ParameterSource

from gan_runtime.commandline import VERSION_OPTION, note, print_result, run
from gan_runtime.errors import GanEdgeError, InputError

if TYPE_CHECKING:
    from gan_runtime.datasets import Dataset
    from gan_trainer.config import Config
    from gan_trainer.progress import Reporter
    from gan_trainer.runs import Run
    from gan_trainer.state import TrainState
    from gan_trainer.training import Outcome

RUNS_DIR = Path("runs")
MAX_IMAGES = 10**12
ALLOWED_WITH_RESUME = {"resume", "runs_dir", "data_dir", "quiet", "as_json", "version"}

RunsDir = Annotated[Path, typer.Option(help="Where run folders are.")]
Json = Annotated[bool, typer.Option("--json", help="Report as JSON on stdout.")]
Version = Annotated[bool, VERSION_OPTION]


def _given(text: str, **bounds: Any) -> Any:
    return typer.Option(help=text, show_default=False, **bounds)


def train(
    context: typer.Context,
    data: Annotated[str | None, typer.Argument(help="Data set: mnist.", show_default=False)] = None,
    recipe: Annotated[str, typer.Option(help="quick, or gan: the original GAN as an MLP.")] = "quick",
    images: Annotated[int | None, _given("Length: real images to show.", min=1, max=MAX_IMAGES)] = None,
    epochs: Annotated[float | None, _given("Length in passes over the data.", max=10**6)] = None,
    batch_size: Annotated[int | None, _given("Images per step.", min=2, max=65536)] = None,
    lr: Annotated[float | None, _given("Learning rate of both networks.", max=1.0)] = None,
    precision: Annotated[str | None, _given("fp32, bf16, or auto: bf16 where the device computes in it.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Same seed, same machine, same result.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, _given("Threads of one operator.  [default: all allowed]", min=1, max=1024)] = None,
    name: Annotated[str | None, _given("Name of the run.  [default: <data>-<recipe>, numbered]")] = None,
    runs_dir: RunsDir = RUNS_DIR,
    resume: Annotated[Path | None, _given("Go on with this run exactly as if it had never stopped.")] = None,
    data_dir: Annotated[Path | None, _given("Folder with the data set's files.")] = None,
    log_every: Annotated[int | None, _given("Images between two lines of the log.", min=1)] = None,
    preview_every: Annotated[int | None, _given("Images between two pictures of fixed samples.", min=1)] = None,
    checkpoint_every: Annotated[int | None, _given("Images between two checkpoints.", min=1)] = None,
    keep_checkpoints: Annotated[int, typer.Option(min=1, help="How many of the last checkpoints to keep.")] = 3,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, only results and errors.")] = False,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Train a generator; runs/<name> holds its checkpoints, its samples and its log."""
    _require("gan-train")
    if resume is not None:
        _refuse_with_resume(context)
        return _resume(resume, runs_dir, data_dir, quiet, as_json)
    if data is None:
        raise InputError("name a data set to train on (mnist), or a run to go on with: --resume runs/<name>")
    changes = {
        "images": images,
        "batch_size": batch_size,
        "lr": lr,
        "precision": precision,
        "log_every": log_every,
        "preview_every": preview_every,
        "checkpoint_every": checkpoint_every,
    }
    for option, value in {"--epochs": epochs, "--lr": lr}.items():
        if value is not None and not value > 0:
            raise InputError(f"{option} {value:g}: must be positive")
    if images is not None and epochs is not None:
        raise InputError("--images and --epochs: both give the length; choose one")
    from gan_runtime.datasets import load_dataset
    from gan_trainer.config import choose_device, make_config
    from gan_trainer.runs import create_run

    dataset = load_dataset(data, data_dir=data_dir)
    if epochs is not None:
        changes["images"] = max(1, round(epochs * len(dataset.images)))
    chosen, reason = choose_device(device)
    config = make_config(dataset, data_dir, recipe, changes, seed, chosen, threads, keep_checkpoints)
    if device == "auto" and not quiet:
        note(f"device: {chosen}, {reason}")
    return _train(config, dataset, create_run(runs_dir, name, config), None, quiet, as_json)


def export(
    source: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="Run folder.  [default: the newest]", show_default=False)
    ] = None,
    opset: Annotated[int, typer.Option(help="Version of the ONNX operator set, 13 to 20; exactly this one.")] = 17,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="[default: exported/<run>.onnx]", show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The model's own name.  [default: the run's]", show_default=False)
    ] = None,
    runs_dir: RunsDir = RUNS_DIR,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Export a run's generator to one ONNX file that is verified against torch."""
    _require("gan-export")
    from gan_trainer.export_run import export_run
    from gan_trainer.runs import newest_run, open_run

    found = open_run(source, runs_dir) if source is not None else newest_run(runs_dir)
    if source is None:
        note(f"run: {found.folder}, the newest in {runs_dir}")
    file = export_run(found, opset, output, name)
    report = {
        "output": str(file.path),
        "bytes": len(file.content),
        "sha256": file.sha256,
        "opset": file.opset,
        "ir_version": file.ir_version,
        "run": str(found.folder),
    }
    note(f"opset {file.opset}, IR version {file.ir_version}, {len(file.content):,} bytes, equal to torch")
    print_result(str(file.path), report if as_json else None)


def train_main() -> None:
    """Entry point of gan-train."""
    run(train, "gan-train")


def export_main() -> None:
    """Entry point of gan-export."""
    run(export, "gan-export")


def _resume(path: Path, runs_dir: Path, data_dir: Path | None, quiet: bool, as_json: bool) -> None:
    from gan_runtime.datasets import load_dataset
    from gan_trainer.runs import open_run

    found = open_run(path, runs_dir)
    config, saved = found.load()
    if saved is not None and saved["images_seen"] >= config.recipe.images:
        note(f"{found.folder} is finished: {saved['images_seen']:,} of {config.recipe.images:,} images seen")
        checkpoint = str(found.newest_checkpoint())
        report = {"run": str(found.folder), "images": saved["images_seen"], "checkpoint": checkpoint, "finished": True}
        return print_result(str(found.folder), report if as_json else None)
    dataset = load_dataset(config.data, data_dir=data_dir or config.data_dir)
    return _train(config, dataset, found, saved, quiet, as_json)


def _train(
    config: "Config", dataset: "Dataset", where: "Run", saved: dict[str, Any] | None, quiet: bool, as_json: bool
) -> None:
    from gan_trainer.progress import open_reporter

    state = _start(config, where, saved)
    with where.locked(), open_reporter(config.recipe.images, state.images_seen, len(dataset.images), quiet) as reporter:
        reporter.say(
            f"{where.folder}: {config.recipe_name} on {config.data}, from image {state.images_seen:,} of "
            f"{config.recipe.images:,}; {config.device}, {config.threads} threads, {config.recipe.precision}"
        )
        where.forget_after(state.images_seen)
        outcome = _train_or_explain(config, dataset, state, where, reporter)
    _report(where, state.images_seen, state.seconds, outcome, as_json)


def _start(config: "Config", where: "Run", saved: dict[str, Any] | None) -> "TrainState":
    from gan_trainer.checkpoint import CONTENT_ERRORS, damaged
    from gan_trainer.config import choose_device
    from gan_trainer.training import start_state

    choose_device(config.device)  # a run that began with CUDA may go on where there is none
    try:
        return start_state(config, saved)
    except CONTENT_ERRORS:
        newest = where.newest_checkpoint()
        if saved is None or newest is None:
            raise
        raise damaged(newest) from None


def _train_or_explain(
    config: "Config", dataset: "Dataset", state: "TrainState", where: "Run", reporter: "Reporter"
) -> "Outcome":
    from gan_trainer.meter import Diverged
    from gan_trainer.training import train

    try:
        return train(config, dataset, state, where, reporter)
    except Diverged as error:
        last = where.newest_checkpoint()
        kept = f"the last good checkpoint is {last}" if last else "there is no checkpoint yet"
        raise Diverged(f"{where.folder}: {error}; {kept}; try a lower --lr in a new run") from None
    except RuntimeError as error:
        if "out of memory" not in str(error) and "can't allocate memory" not in str(error):
            raise
        reason = f"not enough memory on {config.device} for --batch-size {config.recipe.batch_size}"
        raise GanEdgeError(f"{where.folder}: {reason}; choose a smaller one in a new run") from None


def _report(where: "Run", images_seen: int, seconds: float, outcome: "Outcome", as_json: bool) -> None:
    report = {
        "run": str(where.folder),
        "images": images_seen,
        "seconds": round(seconds, 1),
        "checkpoint": str(outcome.checkpoint),
        "picture": str(outcome.picture),
        "finished": outcome.signal is None,
    }
    if outcome.signal is not None:
        note(f"stopped after {images_seen:,} images; saved {outcome.checkpoint}; gan-train --resume {where.folder}")
    print_result(str(where.folder), report if as_json else None)
    if outcome.signal is not None:
        raise typer.Exit(128 + outcome.signal)


def _require(command: str) -> None:
    """Name the missing extra. Waiting threads spin only briefly: on a busy host the default costs most of the time."""
    missing = [name for name in ("torch", "onnx", "rich") if find_spec(name) is None]
    if missing:
        raise GanEdgeError(f"{command} needs {', '.join(missing)}: pip install 'gan-edge[train,cpu]'")
    if "torch" not in sys.modules:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def _refuse_with_resume(context: typer.Context) -> None:
    for parameter in context.params:
        given = context.get_parameter_source(parameter) == ParameterSource.COMMANDLINE
        if given and parameter not in ALLOWED_WITH_RESUME:
            option = "DATA" if parameter == "data" else f"--{parameter.replace('_', '-')}"
            raise InputError(f"{option}: a resumed run goes on with its own settings; leave it out, or start a new run")
