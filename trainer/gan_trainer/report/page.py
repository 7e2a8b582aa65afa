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
    """Renews the report of a run. A failure to write it does not end the training."""

    def __init__(self, run: Run, say: Callable[[str], None]) -> None:
        self._run, self._say = run, say

    def previewed(self, state: TrainState, picture: NDArray[np.uint8], path: Path) -> None:
        """There is a new picture to show."""
        self.renew()

    def logged(self, state: TrainState, entry: dict[str, Any]) -> None:
        """There may be a warning to show."""
        if "warning" in entry:
            self.renew()

    def renew(self) -> None:
        """Write report.html."""
        try:
            write_report(self._run)
        except GanEdgeError as error:
            self._say(f"no report: {error}")
