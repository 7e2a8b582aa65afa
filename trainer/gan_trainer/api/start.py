"""A run from its settings to its end: what gan-train and `gan_trainer.train` have in common.

Errors name settings as gan-train's flags do; `gan_trainer.api` gives them the names of Python's arguments.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from gan_runtime.data import Dataset, PictureOptions
from gan_runtime.data.domains import PairOptions
from gan_runtime.data.photos import photos_of
from gan_runtime.data.picture_options import picture_options
from gan_runtime.data.split import SHARE
from gan_runtime.errors import DeviceError, GanEdgeError, InputError
from gan_runtime.evaluation.networks import ANY
from gan_runtime.terminal.text import note
from gan_trainer.api.own_networks import check_networks
from gan_trainer.api.together import settings_of_first
from gan_trainer.data.arrays import two_domains
from gan_trainer.data.source import IN_MEMORY, DataSource, has_test_images, held_out_words, load_source
from gan_trainer.evaluation.run import RunEvaluator
from gan_trainer.recipes.checks import check_run
from gan_trainer.recipes.recipe import find_recipe
from gan_trainer.report.page import Page
from gan_trainer.runs.board import Board
from gan_trainer.runs.console import open_console
from gan_trainer.runs.continuing import Origin, describe_changes, find_origin, renamed_classes, resumed_config
from gan_trainer.runs.folder import Run, check_name, create_run, make_runs_dir, open_run
from gan_trainer.runs.history import has_collapsed
from gan_trainer.runs.profiler import Profiler
from gan_trainer.runs.settings import check_reading, check_settings, make_config, pair_options
from gan_trainer.systems import start_state, with_networks
from gan_trainer.tasks import task_of
from gan_trainer.training.checkpoint import CONTENT_ERRORS, damaged, save_checkpoint
from gan_trainer.training.compiling import NO_SECOND_DERIVATIVE, TWICE, check_compiled, compiled
from gan_trainer.training.config import Config, choose_device
from gan_trainer.training.distributed.processes import ALONE, EndedElsewhere, LostProcess, Processes
from gan_trainer.training.logbook import Logbook
from gan_trainer.training.loop import Evaluator, Outcome, run_loop
from gan_trainer.training.meter import Diverged
from gan_trainer.training.observer import Observer
from gan_trainer.training.state import TrainState
from gan_trainer.training.stop import StopRequest
from gan_trainer.training.threads import fewer_threads

Data = str | Dataset | Mapping[str, Dataset]
NOTHING, WARNINGS, EVERYTHING = range(3)  # what is shown on stderr


@dataclass(frozen=True)
class Call:
    """What belongs to one call and not to the run, so that it may differ when the run is resumed."""

    data_dir: Path | None = None
    offline: bool = False
    tensorboard: bool = False
    profile: bool = False
    shown: int = NOTHING
    callbacks: Sequence[Observer] = ()
    stop: StopRequest | None = None
    processes: Processes = ALONE

    @property
    def quiet(self) -> bool:
        """Whether remarks and progress are left out."""
        return self.shown < EVERYTHING

    def say(self, *remarks: str) -> None:
        """Remarks for people on stderr."""
        for remark in () if self.quiet else remarks:
            note(remark)

    def warn(self, message: str) -> None:
        """A problem that does not end the run: on stderr even where remarks are left out, and for the callbacks."""
        if self.shown:
            note(message)
        for one in self.callbacks:
            one.warned(message)


@dataclass(frozen=True)
class Ended:
    """A run after a call: how it ended, its counters, and whether it was trained or had its full length before."""

    run: Run
    outcome: Outcome
    counters: Mapping[str, Any]
    trained: bool = True


def start_run(
    data: Data,
    recipe: str,
    changes: dict[str, Any],
    pictures: Mapping[str, Any],
    call: Call,
    *,
    epochs: float | None,
    seed: int,
    device: str,
    threads: int | None,
    name: str | None,
    runs_dir: Path,
    init_from: Path | None,
    keep_checkpoints: int,
    networks: Mapping[str, nn.Module] | None = None,
    hold_out: float | None = None,
    features: str | None = None,
    pairs: Mapping[str, Any] | None = None,
    compile: bool = False,
) -> Ended:
    """Train a new run.

    Args:
        data: a known name, the path of a folder or archive, or images in memory, perhaps of the domains "A" and "B".
        recipe, changes, seed, threads, keep_checkpoints: as `make_config` takes them.
        pictures: options of folders and archives by the names of `PictureOptions`; None or False where not given.
        call: what does not belong to the run.
        epochs: length in passes over the data, in place of `changes["images"]`.
        device: auto, cpu or cuda.
        name, runs_dir: as `create_run` takes them.
        init_from: as `find_origin` takes it.
        networks: in place of the recipe's, by name.
        hold_out: share of the images of a folder or array that is not trained on; `SHARE` if None.
        features: as `Config` takes it.
        pairs: options of data with two domains by the names of `PairOptions`; None where not given.
        compile: as `Config` takes it.
    """
    check_run(epochs=epochs, seed=seed, threads=threads, keep_checkpoints=keep_checkpoints)
    if changes.get("images") is not None and epochs is not None:
        raise InputError("--images and --epochs: both give the length; choose one")
    source, processes = data if isinstance(data, str) else IN_MEMORY, call.processes
    learns_from = find_recipe(recipe).learns_from
    options = _options(source, pictures, learns_from)
    domains = pair_options(recipe, source, **(pairs or {}))
    chosen, reason = choose_device(device)
    asked = check_settings(source, recipe, changes, None if networks else options, domains)
    if compile:
        check_compiled(asked, chosen)
    processes.of_first(lambda: check_name(runs_dir, name))
    origin = None if init_from is None else processes.of_first(lambda: find_origin(init_from, runs_dir))
    dataset = processes.in_turn(lambda: _load(data, options, domains, call, learns_from))
    if hold_out is not None and has_test_images(dataset, source):
        raise InputError(f"--hold-out: {source} has test images of its own; leave it out")
    share = SHARE if hold_out is None else hold_out
    described = DataSource.of(dataset, source, call.data_dir, options, share, domains)
    if epochs is not None:
        changes = changes | {"images": max(1, round(epochs * described.images))}
    system = with_networks(find_recipe(recipe), networks or {})
    if threads is None and not processes.alone:
        threads = processes.threads
    config = make_config(described, recipe, changes, seed, chosen, threads, keep_checkpoints, system, processes.size)
    told = (
        f"device: {chosen}, {reason}" if device == "auto" else None,
        held_out_words(dataset, described.hold_out),
        fewer_threads(config.threads) if threads is None else None,
    )
    call.say(*filter(None, told))
    if features is not None:
        config = replace(config, features=str(Path(features).resolve()) if features != ANY else ANY)
    config = replace(config, compile=compile, own_networks=tuple(networks or ()))
    if networks:
        check_networks(system, config, dataset)
    if origin is not None:
        config = replace(config, init_from=origin.record)
        call.say(*renamed_classes(origin, config))
    config = settings_of_first(config, processes)
    state = _first_state(config, system, origin, processes)
    processes.of_first(lambda: make_runs_dir(runs_dir))  # before the judge measures, which may take long
    judge = _judge(config, dataset, call)
    run = processes.of_first(lambda: create_run(runs_dir, name, config))
    return _train(config, dataset, run, state, judge, call, keep=origin is not None)


def resume_run(
    path: Path,
    runs_dir: Path,
    call: Call,
    *,
    images: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    compile: bool | None = None,
    data: Dataset | Mapping[str, Dataset] | None = None,
    networks: Mapping[str, nn.Module] | None = None,
) -> Ended:
    """Train a run further from its last checkpoint: to its end, or to a new one.

    Args:
        path, runs_dir: as `open_run` takes them.
        call: what does not belong to the run.
        images, device, threads, compile: new values; None keeps the old one.
        data: the images of a run whose images were in memory.
        networks: those that the run was given in place of the recipe's.
    """
    check_run(threads=threads)
    processes = call.processes
    run = processes.of_first(lambda: open_run(path, runs_dir))
    before, saved = processes.of_first(run.load)
    if saved is None and before.init_from is not None:
        raise GanEdgeError(f"{run.folder}: stopped before its first weights were saved; start it again")
    if device is not None:
        device, _ = choose_device(device)
    if threads is None and before.processes != processes.size:
        threads = processes.threads
    seen = saved["images_seen"] if saved else 0
    config = resumed_config(before, seen, images, device, threads, processes.size, compile)
    settings_of_first(config, processes)
    if saved is not None and saved["images_seen"] >= config.recipe.images:
        return _finished_before(run, before, saved, call)
    if set(config.own_networks) != set(networks or {}):
        own = ", ".join(config.own_networks) or "no networks"
        raise InputError(
            f"{run.folder}: {own} of its own: resume it in Python, gan_trainer.resume(run, networks=…), with just these"
        )
    if config.compile:
        check_compiled(config.recipe, config.device)
    call.say(*describe_changes(before, config))
    if data is None:
        dataset = processes.in_turn(lambda: config.data.load(call.data_dir, offline=call.offline, quiet=call.quiet))
    else:
        dataset = config.data.checked(_in_memory(data, config.data.pairs, config.recipe.learns_from))
    judge = _judge(config, dataset, call, run.floors())
    state = _state_of(config, run, saved, networks or {}, processes)
    return _train(config, dataset, run, state, judge, call, keep=config != before)


def _options(source: str, pictures: Mapping[str, Any], learns_from: str) -> PictureOptions | None:
    check_reading(learns_from, pictures)
    if source != IN_MEMORY:
        return picture_options(source, **pictures)
    for name, value in pictures.items():
        if value not in (None, False):
            raise InputError(f"--{name.replace('_', '-')}: an array is used as it is; leave it out")
    return None


def _load(data: Data, options: Any, pairs: PairOptions | None, call: Call, learns_from: str) -> Dataset:
    if not isinstance(data, str):
        return _in_memory(data, pairs, learns_from)
    photos = learns_from == "photos"
    return load_source(data, options, pairs, call.data_dir, photos=photos, offline=call.offline, quiet=call.quiet)


def _in_memory(data: Dataset | Mapping[str, Dataset], pairs: PairOptions | None, learns_from: str) -> Dataset:
    if pairs is not None:
        return two_domains(data, pairs)
    if not isinstance(data, Dataset):
        raise InputError(
            "data: the recipe learns from images of one domain; give one array, or a recipe for two domains"
        )
    return photos_of(data) if learns_from == "photos" else data


def _judge(config: Config, dataset: Dataset, call: Call, before: Mapping[str, Any] | None = None) -> Any:
    if not call.processes.first:
        return None
    return task_of(config).open_judge(
        config, dataset, call.data_dir, offline=call.offline, quiet=call.quiet, warn=call.warn, before=before
    )


def _first_state(config: Config, system: Any, origin: Origin | None, processes: Processes) -> TrainState:
    state = start_state(config, system=system, processes=processes)
    if origin is not None:
        try:
            state.load_weights(origin.saved)
        except InputError as error:
            raise InputError(f"--init-from {origin.record['run']}: {error}") from None
    state.take_that_of_first()
    return state


def _state_of(
    config: Config, run: Run, saved: dict[str, Any] | None, networks: Mapping[str, nn.Module], processes: Processes
) -> TrainState:
    try:
        choose_device(config.device)  # a run that began with CUDA may go on where there is none
    except DeviceError as error:
        raise DeviceError(f"{error}; go on without it: --device cpu") from None
    system = with_networks(config.recipe, networks)
    try:
        return start_state(config, saved, system, processes)
    except CONTENT_ERRORS:
        newest = run.newest_checkpoint()
        if saved is None or newest is None:
            raise
        raise damaged(newest) from None


def _finished_before(run: Run, config: Config, saved: dict[str, Any], call: Call) -> Ended:
    call.say(
        f"{run.folder} is finished: {saved['images_seen']:,} of {config.recipe.images:,} images seen; "
        "to train it for longer, add --images"
    )
    collapsed = config.recipe.stop_when_collapsed and has_collapsed(run.entries())
    checkpoint, picture = run.newest_checkpoint(), max(run.samples.glob("*.png"), default="")
    outcome = Outcome(Path(checkpoint or ""), Path(picture), None, "collapsed" if collapsed else None, True)
    return Ended(run, outcome, saved, trained=False)


def _train(
    config: Config, dataset: Dataset, run: Run, state: TrainState, judge: Any, call: Call, *, keep: bool
) -> Ended:
    """The loop with its observers. `keep`: settings or weights are new and are saved before the first step."""
    if not call.processes.first:
        return Ended(run, _loop_or_explain(config, dataset, state, Logbook(run), None, call), vars(state))
    with run.locked(), _observers(config, run, state, call) as observers:
        run.forget_after(state.images_seen)
        if keep:
            save_checkpoint(run.checkpoints, state, config, run.best_images())
            run.write_config(config)
        evaluator = None if judge is None else RunEvaluator(config, run, judge)
        outcome = _loop_or_explain(config, dataset, state, Logbook(run, observers), evaluator, call)
    return Ended(run, outcome, vars(state))


@contextmanager
def _observers(config: Config, run: Run, state: TrainState, call: Call) -> Iterator[list[Observer]]:
    total, found = config.recipe.images, list(call.callbacks)
    with ExitStack() as stack:
        console = Observer()
        if call.shown:
            shown = open_console(str(run.folder), total, state.images_seen, config.data.images, call.quiet)
            console = stack.enter_context(shown)
        if call.tensorboard:
            found.append(stack.enter_context(closing(Board(run.folder, state.images_seen))))
        if call.profile:
            found.append(stack.enter_context(closing(Profiler(run.folder, config, console.said))))
        console.said(
            f"{run.folder}: {config.recipe_name} on {config.data.name}, from image {state.images_seen:,} of "
            f"{total:,}; {config.device}, {_computed_by(config)}, {config.recipe.precision}"
        )
        yield [console, *found, Page(run, console.said)]


def _computed_by(config: Config) -> str:
    threads = f"{config.threads} threads"
    return threads if config.processes == 1 else f"{config.processes} processes of {threads}"


def _loop_or_explain(
    config: Config,
    dataset: Dataset,
    state: TrainState,
    book: Logbook,
    evaluator: Evaluator | None,
    call: Call,
) -> Outcome:
    run: Any = book.run
    try:
        with call.stop or StopRequest() as request, compiled(state) if config.compile else nullcontext():
            return run_loop(config, dataset, state, book, task_of(config).preview, evaluator, request)
    except Diverged as error:
        if not state.processes.first:
            raise EndedElsewhere("the first process reports it") from None
        last = run.newest_checkpoint()
        kept = f"the last good checkpoint is {last}" if last else "there is no checkpoint yet"
        book.write(state, {"warning": str(error)})
        raise Diverged(f"{run.folder}: {error}; {kept}; try a lower --lr in a new run") from None
    except LostProcess as error:
        way = f"continue from the last checkpoint with --resume {run.folder}"
        raise LostProcess(f"{run.folder}: {error}; {way}") from None
    except RuntimeError as error:
        if config.compile and any(words in str(error) for words in NO_SECOND_DERIVATIVE):
            raise InputError(TWICE) from None
        if "out of memory" not in str(error) and "can't allocate memory" not in str(error):
            raise
        reason = f"not enough memory on {config.device} for --batch-size {config.recipe.batch_size}"
        raise GanEdgeError(f"{run.folder}: {reason}; choose a smaller one in a new run") from None
