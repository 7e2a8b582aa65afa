"""runs/<name>/report.html: one file that shows a run in a browser, offline."""

from pathlib import Path

from gan_trainer.report.html import write_page
from gan_trainer.report.plots import plots
from gan_trainer.report.records import Records, read_records
from gan_trainer.report.samples import samples
from gan_trainer.report.settings import settings
from gan_trainer.report.summary import summary
from gan_trainer.runs.folder import Run
from gan_trainer.tasks.task import Entry

__all__ = ["REPORT", "write_report"]

REPORT = "report.html"


def write_report(run: Run) -> Path:
    """Write the report of a run from the current contents of its folder, and return its path.

    Raises:
        GanEdgeError: config.json is missing, damaged or of another version.
        OutputError: the report cannot be written; an existing one is left unchanged.
    """
    path = run.folder / REPORT
    write_page(path, __name__, "report.html", ("page.js", "plots.js"), content(read_records(run)))
    return path


def content(records: Records) -> Entry:
    """The contents of the page as plain values; its scripts turn them into text and plots."""
    return summary(records) | settings(records) | {"samples": samples(records), "plots": plots(records)}
