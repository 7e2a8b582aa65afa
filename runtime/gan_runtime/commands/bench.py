"""gan-bench: measure what this host does with a model. Heavy modules are imported when the command runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.flags import AUTO, Device, Json, Quiet, Version, auto_or, option
from gan_runtime.terminal.foreign_flags import with_assumptions

if TYPE_CHECKING:
    from gan_runtime.foreign import Assumptions
    from gan_runtime.onnx_model import OnnxModel

LEAST, MOST = 0.01, 3600  # seconds that a setting is measured


def _numbers(least: int, most: int) -> Any:
    """A parser of numbers with commas between them; None for each "auto"."""
    number = auto_or(least, most, "")

    def parse(text: str) -> tuple[int | None, ...]:
        try:
            return tuple(number(word.strip()) for word in text.split(","))
        except typer.BadParameter:
            words = f"{text!r} must be numbers from {least} to {most}, or {AUTO}, with commas between them"
            raise typer.BadParameter(words) from None

    return parse


@with_assumptions
def bench(
    model: Annotated[
        str, typer.Argument(help="A .onnx file, or the name of a shipped model.", metavar="MODEL", show_default=False)
    ],
    batches: Annotated[
        Any,
        option(
            "Batch sizes.", "--batches", metavar="auto|N,N…",
            parser=_numbers(1, 65536), default="1, and those around auto",
        ),
    ] = None,
    threads: Annotated[
        Any,
        option(
            "Numbers of CPU threads.", "--threads", metavar="auto|N,N…", parser=_numbers(1, 1024),
            default="1, and half and all that are allowed",
        ),
    ] = None,
    tiles: Annotated[
        Any,
        option(
            "Networks for pictures of any size: sides of tiles.", "--tiles", metavar="auto|N,N…",
            parser=_numbers(1, 65536), default="those around auto",
        ),
    ] = None,
    picture: Annotated[
        tuple[int, int],
        option(
            "Networks for pictures of any size: the picture that auto chooses the tiles for.", "--size",
            metavar="WIDTH HEIGHT", min=1, max=65536, default="1920 1080",
        ),
    ] = (1920, 1080),
    seconds: Annotated[
        float, option("How long each setting is measured.", "--seconds", min=LEAST, max=MOST, default=True)
    ] = 1.0,
    chart: Annotated[
        Path | None, option("Write a .png: a bar chart of the results.", "--picture", metavar="FILE")
    ] = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
    version: Version = False,
    *,
    assumptions: "Assumptions | None",
) -> None:  # fmt: skip
    """Measure the speed and the memory of a model on this host, and recommend a batch size, threads and tiles.

    Batches, numbers of threads and sides of tiles are measured in turn, beside the limits of the host: the peak of
    matrix products in float32, and the bandwidth of the memory. The setting that the other commands take by themselves
    (auto) is one of them.
    """
    from gan_runtime.bench.measured import measure, steps
    from gan_runtime.bench.plan import settings_of
    from gan_runtime.bench.report import report_of, text_of
    from gan_runtime.bench.work import work_of
    from gan_runtime.errors import InputError
    from gan_runtime.files import check_writable
    from gan_runtime.terminal.progress import progress

    if not LEAST <= seconds <= MOST:  # nan is neither less nor more
        raise InputError(f"--seconds {seconds:g}: must be from {LEAST:g} to {MOST:g}")
    if chart is not None:
        if chart.suffix.lower() != ".png":
            raise InputError(f"{chart}: --picture writes PNG files; end the name in .png")
        check_writable(chart)
    opened = _open(model, device, quiet, assumptions)
    work = work_of(opened, picture)
    automatic = work.automatic()
    settings = settings_of(work, automatic, batches or (), threads or (), tiles or ())
    with progress("measuring", steps(settings), "measurements", quiet=quiet) as advance:
        report = report_of(work, measure(work, automatic, settings, seconds, picture, advance))
    if chart is not None:
        from gan_runtime.bench.chart import chart as drawn
        from gan_runtime.images.grids import save_png

        save_png(chart, drawn(report))
    print_result(text_of(report), report if as_json else None)


def bench_main() -> None:
    """Entry point of gan-bench."""
    run(bench, "gan-bench")


def _open(name: str, device: str, quiet: bool, assumptions: "Assumptions | None") -> "OnnxModel":
    """The model, of any task."""
    from gan_runtime.commands.open_model import open_generator
    from gan_runtime.manifest import read_manifest
    from gan_runtime.model_file import read_model_file
    from gan_runtime.models import find_model
    from gan_runtime.opening import open_model
    from gan_runtime.terminal.text import note

    model = read_model_file(find_model(name))
    if read_manifest(model) is None:
        return open_generator(name, device, None, quiet, assumptions)
    opened: OnnxModel = open_model(model, device)
    if device == "auto" and not quiet:
        note(f"device: {opened.session.device}, {opened.session.reason}")
    return opened


if __name__ == "__main__":
    bench_main()
