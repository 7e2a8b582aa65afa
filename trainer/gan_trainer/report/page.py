"""An observer that writes report.html again after every preview and warning."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import GanEdgeError
from gan_trainer.report import write_report
from gan_trainer.runs.folder import Run
from gan_trainer.training.observer import Observer
from gan_trainer.training.state import TrainState


class Page(Observer):
    """Rewrites the report of a run. If that fails, training continues."""

    def __init__(self, run: Run, say: Callable[[str], None]) -> None:
        self._run, self._say = run, say

    def previewed(self, state: TrainState, picture: NDArray[np.uint8], path: Path) -> None:
        """Update the report with the new grid."""
        self.renew()

    def logged(self, state: TrainState, entry: dict[str, Any]) -> None:
        """Update the report if the entry is a warning."""
        if "warning" in entry:
            self.renew()

    def renew(self) -> None:
        """Write report.html."""
        try:
            write_report(self._run)
        except GanEdgeError as error:
            self._say(f"no report: {error}")
