"""Pictures into a folder: a job that can be stopped, killed and repeated."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from gan_runtime.data.entries import Bad
from gan_runtime.data.entries import in_order as by_name
from gan_runtime.errors import DataError, DeviceError, InputError
from gan_runtime.files import atomic_write, remove_leftovers, remove_leftovers_of
from gan_runtime.images.remarks import summarise
from gan_runtime.outputs import resume
from gan_runtime.outputs.folder import RECORD, made_folder, make_folder, others
from gan_runtime.outputs.share import WHOLE, Share, of_all_shares
from gan_runtime.records import record
from gan_runtime.terminal.progress import progress
from gan_runtime.terminal.text import note
from gan_runtime.transform.inputs import Input, Inputs, read_file
from gan_runtime.transform.parallel import in_order
from gan_runtime.transform.places import Place, output_names
from gan_runtime.transform.report import Report
from gan_runtime.transform.running import Made
from gan_runtime.transform.table import Row, Table, digest, digest_of
from gan_runtime.transform.transform import Transform

if TYPE_CHECKING:
    from gan_runtime.outputs.cluster import Cluster

TABLE = "files.jsonl"
REQUEST_VERSION = 1
PART = 16  # pictures of a part on a cluster, at most
Notices = list[tuple[str, float]]


@record(frozen=True)
class Task:
    """An input, its truth if there is one, and the name of its output within the folder."""

    file: Input
    truth: Input | None
    name: str

    def read(self) -> tuple[bytes, bytes | None]:
        """The contents of both. Raises DataError if one cannot be read."""
        return read_file(self.file), read_file(self.truth) if self.truth else None


@record(frozen=True)
class _Result:
    """What became of a task: a file and its row in the table, or the reason why there is none."""

    made: Made | None = None
    row: Row | None = None
    reason: str = ""
    notices: Notices = field(default_factory=list)


Results: TypeAlias = Iterator[tuple[Task, _Result]]


def transform_folder(
    place: Place,
    inputs: Inputs,
    truths: Sequence[Input | None],
    transform: Transform,
    share: Share = WHOLE,
    cluster: "Cluster | None" = None,
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
        cluster: where they are computed and written; in this process if None.
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
        work = (
            _on_cluster(folder, table, transform, missing, cluster)
            if cluster
            else _here(folder, table, transform, missing)
        )
        results = _run(work, transform.model.doing, tasks, missing, quiet)
    return _report(place, len(tasks), bad, len(tasks) - len(missing), results)


def _remove_leftovers(folder: Path, tasks: list[Task], share: Share) -> None:
    """Remove what a killed process left; of a share only what is its own, because others may be writing theirs."""
    if share == WHOLE:
        for part in {folder, *((folder / task.name).parent for task in tasks)}:
            remove_leftovers(part)
        return
    remove_leftovers_of(folder, [share.beside(folder / TABLE).name])
    _remove_leftovers_of(folder, tasks)


def _remove_leftovers_of(folder: Path, tasks: Sequence[Task]) -> None:
    names: dict[Path, list[str]] = {}
    for path in (folder / task.name for task in tasks):
        names.setdefault(path.parent, []).append(path.name)
    for part, own in names.items():
        remove_leftovers_of(part, own)


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


def _run(made: Results, doing: str, tasks: list[Task], missing: list[Task], quiet: bool) -> list[tuple[Task, _Result]]:
    """Follow the work on the `missing` tasks. What became of each, in their order."""
    results = {}
    with progress(doing, len(tasks), "images", len(tasks) - len(missing), quiet) as advance:
        for task, result in made:
            results[task.name] = result
            if not result.made and not quiet:
                note(f"{task.file.shown}: {result.reason}")
            advance(1)
    return [(task, results[task.name]) for task in missing]


def _here(folder: Path, table: Table, transform: Transform, missing: list[Task]) -> Results:
    """Write the files of tasks, several at a time."""

    def work(task: Task) -> _Result:
        result = _finish(folder, transform, task)
        if result.row:
            table.add(result.row)
        return result

    yield from zip(missing, in_order(work, missing, transform.workers, transform.stop), strict=True)


def _on_cluster(folder: Path, table: Table, transform: Transform, missing: list[Task], cluster: "Cluster") -> Results:
    """As `_here`, on a cluster: the rows are added as the parts end."""
    for part, results in cluster.map(partial(_part, folder.absolute(), transform), missing, PART):
        for task, result in zip(part, results, strict=True):
            if result.row:
                table.add(result.row)
            yield task, result


def _part(folder: Path, transform: Transform, tasks: Sequence[Task]) -> list[_Result]:
    """Write the files of these tasks, in a process of a cluster."""
    _remove_leftovers_of(folder, tasks)
    return list(in_order(partial(_finish, folder, transform), tasks, transform.workers))


def _finish(folder: Path, transform: Transform, task: Task) -> _Result:
    """Write the file of a task."""
    notices: Notices = []
    try:
        content, truth = task.read()
        made = transform(content, partial(_written, folder, task), truth, notice=lambda *notice: notices.append(notice))
    except (DataError, InputError) as error:
        return _Result(reason=str(error))
    except DeviceError as error:  # which would fail again
        raise DeviceError(f"{task.file.shown}: {error}") from None
    return _Result(made, Row(task.name, digest(content, truth), digest_of(folder / task.name)), "", notices)


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


def _report(place: Place, n: int, bad: list[Bad], kept: int, results: list[tuple[Task, _Result]]) -> Report:
    failed = [Bad(task.file.shown, result.reason) for task, result in results if not result.made]
    return Report.of(
        place.output,
        n + len(bad),
        [result.made for _, result in results if result.made],
        kept=kept,
        bad=by_name([*bad, *failed]),
        remarks=summarise([task.file.shown for task, _ in results], [result.notices for _, result in results]),
    )
