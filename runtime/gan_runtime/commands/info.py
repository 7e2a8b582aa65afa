"""gan-info: print the metadata of a model file, or check the installation. Heavy modules are imported when it runs."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.flags import Device, Json, Threads, Version
from gan_runtime.terminal.foreign_flags import with_assumptions

if TYPE_CHECKING:
    from gan_runtime.foreign import Assumptions


@with_assumptions
def info(
    model: Annotated[
        str | None, typer.Argument(help="A .onnx file, or the name of a shipped model.", show_default=False)
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare images made here with those of the exporting host.")
    ] = False,
    doctor: Annotated[bool, typer.Option("--doctor", help="Check this installation instead of a file.")] = False,
    device: Device = "auto",
    threads: Threads = None,
    as_json: Json = False,
    version: Version = False,
    *,
    assumptions: "Assumptions | None",
) -> None:
    """Print the metadata of a model file, or check this installation."""
    from gan_runtime.errors import InputError

    if doctor:
        if model is not None or check or assumptions:
            raise InputError("--doctor: checks the installation; leave out the model and its flags")
        return _doctor(as_json)
    if model is None:
        raise InputError("name a model file, or --doctor")
    if not check and (device != "auto" or threads is not None):
        raise InputError("--device and --threads: have an effect only with --check; add --check or leave them out")
    from gan_runtime.commands.info_report import describe_model, for_people, lines
    from gan_runtime.models import find_model

    report = describe_model(find_model(model), assumptions)
    passed = True
    if check:
        passed, report["check"] = _check(model, device, threads)
    print_result(lines(for_people(report)), report if as_json else None)
    if not passed:
        raise typer.Exit(1)
    return None


def info_main() -> None:
    """Entry point of gan-info."""
    run(info, "gan-info")


def _check(path: str, device: str, threads: int | None) -> tuple[bool, dict[str, Any]]:
    from gan_runtime.commands.open_model import open_with_fingerprint
    from gan_runtime.errors import ModelError
    from gan_runtime.evaluation.fingerprint import check_fingerprint

    opened = open_with_fingerprint(path, device, threads)
    fingerprint = opened.manifest.fingerprint if opened.manifest else None
    difference = check_fingerprint(opened)
    if fingerprint is None or difference is None:
        raise ModelError(f"{path}: has no fingerprint to compare with; export it with gan-export")
    passed = difference <= fingerprint.tolerance
    return passed, {
        "device": opened.session.device,
        "largest_difference": difference,
        "tolerance": fingerprint.tolerance,
        "verdict": "the pictures of the exporting host"
        if passed
        else "OTHER PICTURES: a damaged file, or a faulty device",
    }


def _doctor(as_json: bool) -> None:
    from gan_runtime.commands.doctor import examine
    from gan_runtime.commands.info_report import lines

    report, problems = examine()
    print_result(lines(report), report if as_json else None)
    if problems:
        raise typer.Exit(1)


if __name__ == "__main__":
    info_main()
