"""gan-export: write a run's generator as one verified ONNX file. torch is imported when the command runs."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.flags import DataDir, Json, Offline, Version
from gan_runtime.terminal.text import note
from gan_trainer.commands.flags import RUNS_DIR, RunsDir
from gan_trainer.commands.requirements import require

if TYPE_CHECKING:
    from gan_runtime.manifest import Precision
    from gan_trainer.tasks.precision import Asked

FP32 = "fp32"
AMOUNT = 0.5  # of the weights of --blend, unless another is given


def export(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN or WEIGHTS]",
            help="Name or folder of a run; or published weights: a .pth, .pt, .pkl or .safetensors file.",
            show_default="the newest run",
        ),
    ] = None,
    checkpoint: Annotated[
        str, typer.Option(help="Checkpoint to export: best of the run's evaluations, last, or a number of images.")
    ] = "best",
    opset: Annotated[int, typer.Option(help="Version of the ONNX operator set, 13 to 20.")] = 17,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write.", show_default="exported/<name>.onnx")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the model in its manifest.", show_default="the name of the run or file")
    ] = None,
    blend: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Another run of sr or esrgan with the same network: interpolate its best weights with those of RUN.",
            show_default=False,
        ),
    ] = None,
    amount: Annotated[
        float | None,
        typer.Option(help="Share of the weights of --blend, 0 to 1.", show_default=f"{AMOUNT}"),
    ] = None,
    truncation: Annotated[
        float | None,
        typer.Option(
            help="Of a generator with styles: how far these are from their mean where nothing else is asked for, -1 to "
            "2. Less than 1 gives more typical and less varied images.",
            show_default="1",
        ),
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option(
            help="Of a generator with styles: constant, or input for a file that takes other noise for each image.",
            show_default="constant",
        ),
    ] = None,
    parts: Annotated[
        bool,
        typer.Option(
            "--parts",
            help="Of a generator with styles: write its two parts, too, <name>-mapping.onnx and <name>-synthesis.onnx, "
            "which mixing styles needs.",
        ),
    ] = False,
    precision: Annotated[
        str,
        typer.Option(
            help="Of the file: fp32; int8, a quarter of the size and faster on processors; or fp16, half the size and "
            "for GPUs. The last two are measured on the data of the run, and refused if they cost too much."
        ),
    ] = FP32,
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="What int8 or fp16 may cost, 0 to 10: dB of PSNR, or a part of FID or KID and of that of real images.",
            show_default="0.1",
        ),
    ] = None,
    data_dir: DataDir = None,
    offline: Offline = False,
    runs_dir: RunsDir = RUNS_DIR,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """Export the generator of a run as one ONNX file, whose outputs are compared with those of torch.

    Published weights are recognised by their names and shapes: RRDBNet (ESRGAN, Real-ESRGAN) and SRVGGNetCompact, the
    generators of CycleGAN and pix2pix, StyleGAN2, and DCGAN of PyTorch's tutorial. No code in such a file is run.
    """
    require("gan-export")
    from gan_runtime.errors import InputError
    from gan_trainer.convert.export import is_checkpoint

    if amount is not None and blend is None:
        raise InputError(f"--amount {amount:g}: has an effect only with --blend; name a run, or leave it out")
    asked = {"truncation": truncation, "noise": noise, "parts": parts or None}
    styles = {key: value for key, value in asked.items() if value is not None}
    reduced = _asked(precision, tolerance, data_dir, offline)
    if source is not None and is_checkpoint(source):
        if reduced is not None:
            raise InputError(f"--precision {precision}: needs the data of a run, and {source} is none; leave it out")
        if blend is not None:
            raise InputError(f"--blend {blend}: interpolates two runs, and {source} is none")
        _export_weights(source, checkpoint, opset, output, name, styles, as_json)
    else:
        mixed = None if blend is None else (blend, AMOUNT if amount is None else amount)
        _export_run(source, checkpoint, opset, output, name, runs_dir, mixed, styles, reduced, as_json)


def _asked(precision: str, tolerance: float | None, data_dir: Path | None, offline: bool) -> "Asked | None":
    """What was asked for besides fp32, if anything."""
    from gan_runtime.errors import InputError
    from gan_trainer.tasks.precision import TOLERANCE, Asked

    if precision != FP32:
        return Asked(precision, TOLERANCE if tolerance is None else tolerance, data_dir, offline)
    given = {f"--tolerance {tolerance}": tolerance, f"--data-dir {data_dir}": data_dir, "--offline": offline or None}
    for flag, value in given.items():
        if value is not None:
            raise InputError(f"{flag}: has an effect only with --precision int8 or fp16; leave it out")
    return None


def _export_run(
    source: Path | None,
    checkpoint: str,
    opset: int,
    output: Path | None,
    name: str | None,
    runs_dir: Path,
    mixed: tuple[Path, float] | None,
    styles: dict[str, Any],
    reduced: "Asked | None",
    as_json: bool,
) -> None:
    from gan_trainer.runs.export import best_of, choose_checkpoint, export_run
    from gan_trainer.runs.folder import newest_run, open_run

    found = open_run(source, runs_dir) if source is not None else newest_run(runs_dir)
    if source is None:
        note(f"run: {found.folder}, the newest in {runs_dir}")
    chosen, why = choose_checkpoint(found, checkpoint)
    note(f"checkpoint: {chosen}, {why}")
    blend = best_of(open_run(mixed[0], runs_dir), mixed[1]) if mixed else None
    if blend:
        note(f"blend: {blend.amount:g} of the weights of {blend.checkpoint}")
    files = export_run(found, chosen, opset, output, name, blend=blend, styles=styles, precision=reduced)
    report = _report(files) | {"run": str(found.folder), "checkpoint": str(chosen)}
    if blend:
        report["blend"] = {"run": str(blend.run.folder), "checkpoint": str(blend.checkpoint), "amount": blend.amount}
    print_result(_names(files), report if as_json else None)


def _note_old_parts(files: Mapping[str, Any]) -> None:
    """Say which files beside a new generator are parts of another one: they stay as they are."""
    from gan_runtime.models import mapping_path, synthesis_path

    new, *others = files.values()
    for path in (mapping_path(new.path), synthesis_path(new.path)):
        if path.exists() and path not in [other.path for other in others] and not _is_part(path, new):
            note(f"{path}: is no part of the new {new.path.name}; delete it, or write a new one with --parts")


def _is_part(path: Path, generator: Any) -> bool:
    """Whether the file was exported together with an equal generator."""
    from gan_runtime.errors import ModelError
    from gan_runtime.manifest import read_manifest
    from gan_runtime.model_file import read_model_file
    from gan_runtime.parts import check_origin

    try:
        model = read_model_file(path)
        manifest = read_manifest(model)
        if manifest is not None:
            check_origin(model, manifest, generator, "")
    except ModelError:
        return False
    return manifest is not None


def _export_weights(
    source: Path,
    checkpoint: str,
    opset: int,
    output: Path | None,
    name: str | None,
    styles: dict[str, Any],
    as_json: bool,
) -> None:
    from gan_runtime.errors import InputError
    from gan_trainer.convert.export import export_checkpoint

    if checkpoint != "best":
        raise InputError(f"--checkpoint {checkpoint}: belongs to runs; {source} has one set of weights")
    done = export_checkpoint(source, opset, output, name, styles)
    described, origin = done.recognised.described, done.recognised.origin
    part = f"{origin['part']}: " if "part" in origin else ""
    note(f"{source}: {part}{described.description}, task {described.task}")
    for remark in described.remarks:
        note(remark)
    report = _report(done.files) | {"task": described.task, "checkpoint": str(source)} | origin
    print_result(_names(done.files), report if as_json else None)


def _names(files: Mapping[str, Any]) -> str:
    return "\n".join(str(file.path) for file in files.values())


def _report(files: Mapping[str, Any]) -> dict[str, Any]:
    """What the command says about the files, the main one first."""
    file, *others = files.values()
    note(f"opset {file.opset}, IR version {file.ir_version}, {_said(file)}")
    report = _described(file) | {"opset": file.opset, "ir_version": file.ir_version}
    for kind, other in zip(list(files)[1:], others, strict=True):
        report[kind] = _described(other)
        note(f"its {kind}: {_said(other)}")
    _note_old_parts(files)
    return report


def _said(file: Any) -> str:
    """The size of a file, and how it differs from the network."""
    from gan_runtime.commands.info_report import describe_precision

    size, precision = f"{len(file.content):,} bytes", _precision(file)
    if precision is None:
        return f"{size}, equal to torch"
    facts = describe_precision(precision, len(file.content))
    return f"{size} in {facts['computes_in']}, which saves {facts['saves']}; {facts['costs']}"


def _precision(file: Any) -> "Precision | None":
    from gan_runtime.manifest import read_manifest

    manifest = read_manifest(file)
    return manifest.precision if manifest else None


def _described(file: Any) -> dict[str, Any]:
    facts = {"output": str(file.path), "bytes": len(file.content), "sha256": file.sha256}
    precision = _precision(file)
    return facts if precision is None else facts | {"precision": asdict(precision)}


def export_main() -> None:
    """Entry point of gan-export."""
    run(export, "gan-export")


if __name__ == "__main__":
    export_main()
