"""Where the outputs go: their names, and which outputs are refused."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gan_runtime.errors import InputError, OutputError
from gan_runtime.files import check_writable
from gan_runtime.images.writing import SUFFIXES
from gan_runtime.outputs import check_stdout
from gan_runtime.outputs.options import FOLDER, STDOUT
from gan_runtime.records import record
from gan_runtime.transform.inputs import STDIN, Input, are_many


@record(frozen=True)
class Place:
    """The output: its kind, a suffix, `FOLDER` or `STDOUT`, and the suffix of the files that are written."""

    output: str
    kind: str
    suffix: str

    @property
    def is_folder(self) -> bool:
        """Whether the outputs are files of a folder."""
        return self.kind == FOLDER

    @property
    def is_stdout(self) -> bool:
        """Whether the output goes to stdout."""
        return self.kind == STDOUT


def place_of(output: str, sources: Sequence[str], chosen: str | None, suffixes: Sequence[str] = SUFFIXES) -> Place:
    """The place that `output` names, for pictures of `sources`.

    Args:
        output: a file with one of `suffixes`, a folder, or "-". A folder exists, ends in a slash, or has no suffix and
            is for several pictures.
        sources: files, folders, archives or "-".
        chosen: the format of files in a folder or on stdout, a suffix without its dot; None for PNG.
        suffixes: of the formats that there are.

    Raises:
        OutputError: the kind is unknown, or holds one picture and there are more.
        InputError: there are no sources, or the format is unknown or not to be chosen.
    """
    if not sources:
        raise InputError(f"{output}: name the pictures and then the output, as in photo.jpg out.png")
    if chosen is not None and f".{chosen}" not in suffixes:
        raise InputError(f"--format {chosen}: choose one of {', '.join(suffix[1:] for suffix in suffixes)}")
    many = are_many(sources)
    is_folder = output.endswith(("/", os.sep)) or Path(output).is_dir() or (many and _plain_name(output))
    if is_folder and STDIN in sources:
        raise InputError(f"{output}: a picture from stdin has no name; name the output file, or - for stdout")
    if many and not is_folder:
        raise OutputError(f"{output}: several pictures need a folder; end its name in a slash: out/")
    if is_folder or output == STDOUT:
        return Place(output, FOLDER if is_folder else STDOUT, f".{chosen or 'png'}")
    suffix = Path(output).suffix.lower()
    if suffix not in suffixes:
        raise OutputError(
            f"{output}: unknown kind of output; end it in {', '.join(suffixes)}, or in a slash for a folder, or use - "
            "for stdout"
        )
    if chosen is not None:
        raise InputError(f"--format: the name of {output} says its format; leave it out")
    return Place(output, suffix, suffix)


def _plain_name(output: str) -> bool:
    """Whether it is neither stdout nor a file with a suffix."""
    return output != STDOUT and not Path(output).suffix


def check_apart(output: str, sources: Sequence[str]) -> None:
    """Raise OutputError if the output is, or is within, one of `sources`, or a source is within the output."""
    if output == STDOUT:
        return
    target = Path(output).resolve()
    for source in sources:
        origin = Path(source)
        if source == STDIN or not origin.exists():
            continue
        if target == origin.resolve() or (target.exists() and target.samefile(origin)):
            raise OutputError(f"{output}: is also the input; name another output")
        if origin.is_dir() and target.is_relative_to(origin.resolve()):
            raise OutputError(
                f"{output}: is inside the input folder {source}, whose pictures it would join; choose a place outside"
            )
        if origin.resolve().is_relative_to(target):
            raise OutputError(f"{output}: contains the input {source}; choose another output folder")


def check_free(place: Place, *, force: bool) -> None:
    """Check that the output can be written, and is no file that would be lost. A folder is checked by its job.

    Raises:
        OutputError: the place cannot be written, or has a file and `force` is not set.
        InputError: `force` is set for another kind of output.
    """
    if force and (place.is_folder or place.is_stdout):
        raise InputError("--force: overwrites one file, and has no effect on a folder or stdout; leave it out")
    if place.is_folder:
        from gan_runtime.outputs.folder import check_folder  # noqa: PLC0415  (a file does without)

        check_folder(place.output)
    elif place.is_stdout:
        check_stdout()
    else:
        path = Path(place.output)
        check_writable(path)
        if path.exists() and not force:
            raise OutputError(f"{place.output}: exists already; name another file, or add --force to overwrite it")


def output_names(files: Sequence[Input], suffix: str) -> list[str]:
    """The name of each file's output within the folder, with "/" between sub-folders.

    a.jpg becomes a.png. If there is also a.gif, they become a.jpg.png and a.gif.png.

    Raises:
        OutputError: two files would still have the same output.
    """
    stems = Counter(os.path.normcase(file.stem) for file in files)
    names = [f"{file.stem if stems[os.path.normcase(file.stem)] == 1 else file.name}{suffix}" for file in files]
    by_name: dict[str, Input] = {}
    for file, name in zip(files, names, strict=True):
        other = by_name.setdefault(os.path.normcase(name), file)
        if other is not file:
            raise OutputError(
                f"{other.shown} and {file.shown}: would both become {name}; rename one, or write them to two folders"
            )
    return names
