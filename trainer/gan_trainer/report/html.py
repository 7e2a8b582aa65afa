"""Self-contained HTML pages: styles, scripts and data are in one file, and nothing else is loaded."""

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from gan_runtime.files import atomic_write

SHARED = ("dom.js", "chart.js", "marks.js", "hover.js")  # scripts of every page


def write_page(path: Path, package: str, page: str, scripts: tuple[str, ...], document: dict[str, Any]) -> None:
    """Write an HTML page that shows `document`.

    Args:
        path: the file.
        package: the package with the page and its scripts as data.
        page: an HTML file with the placeholders `$style`, `$data`, `$uplot` and `$script`.
        scripts: JavaScript files that run after those of `SHARED`.
        document: what the page shows, as plain values.

    Raises:
        OutputError: the file cannot be written; an existing one is left unchanged.
    """
    before, after = _around_data(package, page, scripts)
    with atomic_write(path) as file:
        for text in (before, _embeddable(document), after):
            file.write(text.encode())


def _embeddable(document: dict[str, Any]) -> str:
    """JSON for a <script> element: names of classes and folders are escaped so that none can close the element."""
    return json.dumps(document, allow_nan=False).replace("<", "\\u003c")


@cache
def _around_data(package: str, page: str, scripts: tuple[str, ...]) -> tuple[str, str]:
    """The page before and after its data."""
    own, shared = files(package), files(__package__)
    texts = [*(shared.joinpath(name) for name in SHARED), *(own.joinpath(name) for name in scripts)]
    parts = {
        "style": "\n".join(shared.joinpath(name).read_text("utf-8") for name in ("uplot/uPlot.min.css", "report.css")),
        "uplot": shared.joinpath("uplot/uPlot.iife.min.js").read_text("utf-8").rstrip(),
        "script": "\n".join(text.read_text("utf-8") for text in texts),
    }
    before, after = (Template(half).substitute(parts) for half in own.joinpath(page).read_text("utf-8").split("$data"))
    return before, after
