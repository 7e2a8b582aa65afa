"""Where a run tells what happens: metrics.jsonl, the terminal, and TensorBoard where it is asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import GanEdgeError
from gan_runtime.images.grids import save_png
from gan_trainer.report import write_report
from gan_trainer.runs.board import Board
from gan_trainer.runs.console import Reporter
from gan_trainer.runs.folder import Run
from gan_trainer.training.state import TrainState


@dataclass(frozen=True)
class Logbook:
    """The run's folder, what people see, and TensorBoard's files."""

    run: Run
    reporter: Reporter
    board: Board | None = None

    def write(self, state: TrainState, values: dict[str, Any]) -> None:
        """Add an entry to metrics.jsonl: `values` at this point of the run."""
        times = {"seconds": round(state.seconds, 3), "cpu_seconds": round(state.cpu_seconds, 3)}
        entry = {"images": state.images_seen, "step": state.step} | times | values
        self.run.log(entry)
        if self.board is not None:
            self.board.scalars(entry)

    def losses(self, state: TrainState, speed: float) -> None:
        """Write the mean losses since the last time, and show them."""
        state.meter.check(state.step)
        means = state.meter.mean()
        state.meter.reset()
        self.reporter.logged(state.images_seen, means, speed)
        rate = next(iter(state.optimizers.values())).param_groups[0]["lr"]
        counters = {name: state.counters[name] for name in state.system.logged}
        self.write(state, means | {"lr": rate} | counters | {"images_per_second": round(speed, 1)})

    def warn(self, state: TrainState, message: str) -> None:
        """Say what goes wrong, at once and in the log."""
        self.reporter.warn(f"{self.run.folder}: {message}")
        self.write(state, {"warning": message})
        self.report()

    def report(self) -> None:
        """Renew report.html. Whatever is wrong with it, the training goes on."""
        try:
            write_report(self.run)
        except GanEdgeError as error:
            self.reporter.say(f"no report: {error}")

    def picture(self, state: TrainState, picture: NDArray[np.uint8]) -> Path:
        """Save a grid of samples, uint8 [h, w, c]."""
        path = self.run.samples / f"{state.images_seen:012d}.png"
        save_png(path, picture)
        if self.board is not None:
            self.board.picture(state.images_seen, picture)
        return path
