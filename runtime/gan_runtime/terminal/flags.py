"""Flags shared by several commands."""

from pathlib import Path
from typing import Annotated

import typer

from gan_runtime.terminal.commandline import VERSION_OPTION
from gan_runtime.terminal.help import DATA, GENERAL, OUTPUT

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
    int | None, typer.Option(min=1, max=1024, help="Number of CPU threads.", show_default="all allowed")
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
Version = Annotated[bool, VERSION_OPTION]
