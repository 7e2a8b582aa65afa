"""runs/<name>/report.html: one file that shows a run in a browser and needs nothing else, the network least of all."""

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template

from gan_runtime.files import atomic_write
from gan_trainer.report.plots import plots
from gan_trainer.report.records import Entry, Records, read_records
from gan_trainer.report.samples import samples
from gan_trainer.report.settings import settings
from gan_trainer.report.summary import summary
from gan_trainer.runs.folder import Run

__all__ = ["REPORT", "write_report"]

REPORT = "report.html"
PARTS = {"style": "report.css", "page": "page.js", "plots": "plots.js"}


def write_report(run: Run) -> Path:
    """Make the report of a run from what is in its folder by now, and return its path.

    Raises:
        GanEdgeError: config.json is missing, damaged or of another version.
        OutputError: the report cannot be written; an older one is left as it was.
    """
    before, after = _page()
    data = _embeddable(content(read_records(run)))
    path = run.folder / REPORT
    with atomic_write(path) as file:
        for piece in (before, data, after):
            file.write(piece)
    return path


def content(records: Records) -> Entry:
    """All that the page shows, as plain values; its scripts turn them into text and plots."""
    return summary(records) | settings(records) | {"samples": samples(records), "plots": plots(records)}


def _embeddable(document: Entry) -> bytes:
    """JSON that can stand in a <script>: nothing in it ends one, whatever a class or folder is called."""
    return json.dumps(document, allow_nan=False).replace("<", "\\u003c").encode()


@cache
def _page() -> tuple[bytes, bytes]:
    """The page before and after its data."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415  (0.15 s, for those who need it)

    parts = {name: _text(file) for name, file in PARTS.items()} | {"plotly": get_plotlyjs()}
    before, after = _text("report.html").split("$data")
    return Template(before).substitute(parts).encode(), Template(after).substitute(parts).encode()


def _text(file: str) -> str:
    return files(__name__).joinpath(file).read_text("utf-8")
