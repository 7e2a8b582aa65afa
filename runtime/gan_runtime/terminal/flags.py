"""Flags shared by several commands."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from gan_runtime.terminal.commandline import VERSION_OPTION
from gan_runtime.terminal.help import DATA, GENERAL, OUTPUT

AUTO = "auto"


def auto_or(least: int, most: int, what: str) -> Callable[[str], int | None]:
    """A parser of numbers in a range; None for "auto". `what` describes them in the message about others."""

    def parse(text: str) -> int | None:
        if text == AUTO:
            return None
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise typer.BadParameter(f"{text!r} is neither {AUTO} nor {what}")
        return int(text)

    return parse


def option(text: str, *names: str, default: str | bool = False, group: str | None = None, **settings: Any) -> Any:
    """An option with the help `text`, in a `group` of the help that shows `default`."""
    return typer.Option(*names, help=text, show_default=default, rich_help_panel=group, **settings)


Device = Annotated[
    str,
    typer.Option(
        "--device",
        "--providers",
        help="auto, cpu, cuda, or cuda:1 for the second GPU; or execution providers of ONNX Runtime, the preferred one "
        "first, with options: tensorrt:trt_fp16_enable=1,cuda.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        help="Number of CPU threads, 1 to 1024: auto takes all processors that affinity and container allow.",
        show_default=AUTO,
        parser=auto_or(1, 1024, "a number from 1 to 1024"),
        metavar="auto|N",
    ),
]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder with the files of the data set.", show_default=False, rich_help_panel=DATA)
]
Offline = Annotated[bool, typer.Option("--offline", help="Do not download data sets.", rich_help_panel=DATA)]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print no progress and no warnings on stderr.", rich_help_panel=GENERAL)
]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON on stdout.", rich_help_panel=GENERAL)]
Shard = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="k/N",
        help="Folder or shards: write part k of N, 1/N to N/N. Other processes, on any host, may write "
        "the others into the same output at the same time.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="[HOST:PORT]",
        help="Folder or shards: hand the parts to a Ray cluster: the one at this address, else that of RAY_ADDRESS or "
        "of this host. --threads and --device are those of a part: 1, and the CPU unless cuda is given.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
Version = Annotated[bool, VERSION_OPTION]
