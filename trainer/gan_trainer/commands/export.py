"""gan-export: write a run's generator as one verified ONNX file. torch is imported when the command runs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.flags import Json, Version
from gan_runtime.terminal.text import note
from gan_trainer.commands.flags import RUNS_DIR, RUNS_HELP
from gan_trainer.commands.requirements import require


def export(
    source: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="Name or folder of the run.", show_default="the newest")
    ] = None,
    checkpoint: Annotated[
        str, typer.Option(help="Checkpoint to export: best (lowest FID), last, or a number of images.")
    ] = "best",
    opset: Annotated[int, typer.Option(help="Version of the ONNX operator set, 13 to 20.")] = 17,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write.", show_default="exported/<run>.onnx")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the model in its manifest.", show_default="the name of the run")
    ] = None,
    runs_dir: Annotated[Path, typer.Option(help=RUNS_HELP)] = RUNS_DIR,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Export the generator of a run as one ONNX file, whose outputs are compared with those of torch."""
    require("gan-export")
    from gan_trainer.runs.export import choose_checkpoint, export_run
    from gan_trainer.runs.folder import newest_run, open_run

    found = open_run(source, runs_dir) if source is not None else newest_run(runs_dir)
    if source is None:
        note(f"run: {found.folder}, the newest in {runs_dir}")
    chosen, why = choose_checkpoint(found, checkpoint)
    note(f"checkpoint: {chosen}, {why}")
    files = export_run(found, chosen, opset, output, name)
    file, *others = files.values()
    report: dict[str, Any] = {
        "output": str(file.path),
        "bytes": len(file.content),
        "sha256": file.sha256,
        "opset": file.opset,
        "ir_version": file.ir_version,
        "run": str(found.folder),
        "checkpoint": str(chosen),
    }
    note(f"opset {file.opset}, IR version {file.ir_version}, {len(file.content):,} bytes, equal to torch")
    text = str(file.path)
    for kind, other in zip(list(files)[1:], others, strict=True):
        report[kind] = {"output": str(other.path), "bytes": len(other.content), "sha256": other.sha256}
        note(f"its {kind}: {len(other.content):,} bytes, equal to torch")
        text += f"\n{other.path}"
    print_result(text, report if as_json else None)


def export_main() -> None:
    """Entry point of gan-export."""
    run(export, "gan-export")


if __name__ == "__main__":
    export_main()
