"""Pictures into a folder: a job that can be stopped, killed and repeated."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from gan_runtime.data.entries import Bad
from gan_runtime.data.entries import in_order as by_name
from gan_runtime.errors import DataError, DeviceError, InputError
from gan_runtime.files import atomic_write, remove_leftovers, remove_leftovers_of
from gan_runtime.images.remarks import summarise
from gan_runtime.outputs import resume
from gan_runtime.outputs.folder import RECORD, made_folder, make_folder, others
from gan_runtime.outputs.share import WHOLE, Share, of_all_shares
from gan_runtime.terminal.progress import progress
from gan_runtime.terminal.text import note
from gan_runtime.transform.inputs import Input, Inputs, read_file
from gan_runtime.transform.parallel import in_order
from gan_runtime.transform.places import Place, output_names
from gan_runtime.transform.report import Report
from gan_runtime.transform.running import Made
from gan_runtime.transform.table import Row, Table, digest, digest_of
from gan_runtime.transform.transform import Transform

TABLE = "files.jsonl"
REQUEST_VERSION = 1
Notices = list[tuple[str, float]]


@dataclass(frozen=True)
class Task:
    """An input, its truth if there is one, and the name of its output within the folder."""

    file: Input
    truth: Input | None
    name: str

    def read(self) -> tuple[bytes, bytes | None]:
        """The contents of both. Raises DataError if one cannot be read."""
        return read_file(self.file), read_file(self.truth) if self.truth else None


@dataclass(frozen=True)
class _Result:
    """What became of a task: a file, or the reason why there is none."""

    task: Task
    made: Made | None
    reason: str
    notices: Notices


def transform_folder(
    place: Place,
    inputs: Inputs,
    truths: Sequence[Input | None],
    transform: Transform,
    share: Share = WHOLE,
    *,
    quiet: bool,
) -> Report:
    """Write the outputs of `inputs` into a folder, with the names of the inputs.

    What an earlier call has finished is kept if its content and that of its input are as they were then. A picture that
    cannot be used is named, and the others are written.

    Args:
        place: the folder.
        inputs: the pictures.
        truths: of each picture, the one that its output should be, or None.
        transform: what is done with each picture.
        share: the part of the pictures that is written; other processes write the others.
        quiet: no progress and no messages on stderr.

    Raises:
        OutputError: the folder has files of another request, another process writes it, or the disk is full.
        DeviceError: the device fails.
    """
    folder = Path(place.output)
    names = output_names(inputs.files, place.suffix)  # of all pictures, because no two outputs may have one name
    whole = [Task(file, truth, name) for file, truth, name in zip(inputs.files, truths, names, strict=True)]
    tasks = [whole[number] for number in share.part(len(whole))]
    bad = [inputs.bad[number] for number in share.part(len(inputs.bad))]
    wanted = {"request_version": REQUEST_VERSION, "task": transform.model.task, "model": transform.model.sha256}
    wanted |= {**transform.settings.identity(), "truth": any(truths)}
    made = partial(_files_in, folder) if share == WHOLE else partial(_files_of, folder, tasks)
    with made_folder(place.output), resume.claimed(place.output, folder / RECORD, wanted, made, share):
        _remove_leftovers(folder, tasks, share)
        for entry in () if quiet else bad:
            note(f"{entry.name}: {entry.reason}")
        resume.say_empty(place.output, share, tasks, quiet)
        table, missing = _missing(place.output, tasks, share, transform.workers, quiet)
        results = _run(folder, table, tasks, missing, transform, quiet)
    return _report(place, len(tasks), bad, len(tasks) - len(missing), results)


def _remove_leftovers(folder: Path, tasks: list[Task], share: Share) -> None:
    """Remove what a killed process left; of a share only what is its own, because others may be writing theirs."""
    paths = [folder / task.name for task in tasks]
    for part in {folder, *(path.parent for path in paths)}:
        if share == WHOLE:
            remove_leftovers(part)
        else:
            table = share.beside(folder / TABLE).name
            remove_leftovers_of(part, [table, *(path.name for path in paths if path.parent == part)])


def _missing(output: str, tasks: list[Task], share: Share, threads: int, quiet: bool) -> tuple[Table, list[Task]]:
    """The table of the files that are complete, and the tasks that have none. All files with a row are read."""
    folder = Path(output)
    table = Table.read(share.beside(folder / TABLE), of_all_shares(folder / TABLE))
    if share != WHOLE:
        own = {task.name for task in tasks}
        table.rows = {name: row for name, row in table.rows.items() if name in own}
    known = [task for task in tasks if task.name in table.rows]
    states: dict[str, str] = {}
    with progress("checking", len(known), "images", quiet=quiet) as advance:
        check = partial(_state, folder, table)
        for task, state in zip(known, in_order(check, known, threads), strict=True):
            states[task.name] = state
            advance(1)
    table.rows = {name: row for name, row in table.rows.items() if states.get(name, "") == ""}
    table.rewrite()
    resume.say_damaged(output, [name for name, state in states.items() if state == "damaged"], quiet)
    changed = sum(state == "changed" for state in states.values())
    if changed and not quiet:
        what = "1 input has" if changed == 1 else f"{changed:,} inputs have"
        note(f"{output}: {what} changed since, and will be run again")
    resume.say_without_input(output, sorted(table.rows.keys() - {task.name for task in tasks}), quiet)
    missing = [task for task in tasks if states.get(task.name) != ""]
    resume.say_kept(output, len(tasks) - len(missing), len(tasks), quiet)
    return table, missing


def _state(folder: Path, table: Table, task: Task) -> str:
    """Whether the file of a task is "missing" or "damaged", or its input has "changed"; "" if it is as it should be."""
    row, path = table.rows[task.name], folder / task.name
    if not path.exists():
        return "missing"
    if not resume.is_made(path) or digest_of(path) != row.output:
        return "damaged"
    try:
        return "" if digest(*task.read()) == row.source else "changed"
    except DataError:
        return "changed"


def _run(
    folder: Path, table: Table, tasks: list[Task], missing: list[Task], transform: Transform, quiet: bool
) -> list[_Result]:
    results = []
    kept, work = len(tasks) - len(missing), partial(_finish, folder, table, transform)
    with progress(transform.model.doing, len(tasks), "images", kept, quiet) as advance:
        for result in in_order(work, missing, transform.workers, transform.stop):
            results.append(result)
            if not result.made and not quiet:
                note(f"{result.task.file.shown}: {result.reason}")
            advance(1)
    return results


def _finish(folder: Path, table: Table, transform: Transform, task: Task) -> _Result:
    """Write the file of a task, and its row in the table."""
    notices: Notices = []
    try:
        content, truth = task.read()
        made = transform(content, partial(_written, folder, task), truth, notice=lambda *notice: notices.append(notice))
    except (DataError, InputError) as error:
        return _Result(task, None, str(error), [])
    except DeviceError as error:  # which would fail again
        raise DeviceError(f"{task.file.shown}: {error}") from None
    table.add(Row(task.name, digest(content, truth), digest_of(folder / task.name)))
    return _Result(task, made, "", notices)


@contextmanager
def _written(folder: Path, task: Task) -> Iterator[BinaryIO]:
    path = folder / task.name
    if path.parent != folder:
        make_folder(path.parent)
    with atomic_write(path) as file:
        yield file


def _files_in(folder: Path) -> Iterator[Path]:
    """All files but the record."""
    return (path for name in others(folder) for path in _files(folder / name))


def _files_of(folder: Path, tasks: list[Task]) -> Iterator[Path]:
    """The existing files of these tasks."""
    return (path for task in tasks if (path := folder / task.name).is_file())


def _files(path: Path) -> Iterator[Path]:
    return (below for below in path.rglob("*") if below.is_file()) if path.is_dir() else iter([path])


def _report(place: Place, n: int, bad: list[Bad], kept: int, results: list[_Result]) -> Report:
    failed = [Bad(result.task.file.shown, result.reason) for result in results if not result.made]
    return Report.of(
        place.output,
        n + len(bad),
        [result.made for result in results if result.made],
        kept=kept,
        bad=by_name([*bad, *failed]),
        remarks=summarise([result.task.file.shown for result in results], [result.notices for result in results]),
    )
