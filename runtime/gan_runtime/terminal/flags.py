"""Flags that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from gan_runtime.terminal.commandline import VERSION_OPTION

Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[
    int | None, typer.Option(min=1, max=1024, help="Threads.  [default: all allowed]", show_default=False)
]
DataDir = Annotated[Path | None, typer.Option(help="Folder with the data set's files.", show_default=False)]
Offline = Annotated[bool, typer.Option("--offline", help="Never download a data set.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks on stderr.")]
Json = Annotated[bool, typer.Option("--json", help="Report as JSON on stdout.")]
Version = Annotated[bool, VERSION_OPTION]
