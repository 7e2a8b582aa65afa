"""Where the time of a run's steps goes: an observer that counts operations and runs the profiler of torch."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from gan_runtime.files import atomic_write
from gan_trainer.training.config import Config
from gan_trainer.training.observer import Observer
from gan_trainer.training.state import TrainState

TABLE, TRACE = "profile.txt", "profile-trace.json.gz"
LEAST, MOST = 8, 64  # steps that are profiled
ROWS = 30
PEAK_SIDE, PEAK_SECONDS = 1024, 0.3  # of the matrix product that the peak is measured with


class Operations(TorchDispatchMode):
    """Counts the floating-point operations of convolutions and matrix products, as `total`, with torch's formulas.

    torch's own `FlopCounterMode` also counts them by module, with hooks that fail in `torch.autograd.grad`, which
    gradient penalties call.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch for each operator."""
        found = func(*args, **(kwargs or {}))
        if count := flop_registry.get(func.overloadpacket):
            self.total += count(*args, **(kwargs or {}), out_val=found)
        return found


class Profiler(Observer):
    """Write profile.txt and a trace of some steps to the run's folder.

    The first steps warm up. Of as many steps as the period of the recipe's cost has, at least 8 and at most 64, the
    operations are counted first, then their time is measured without a profiler, and then each operator is timed. Each
    of these parts begins again if an evaluation, a checkpoint or a picture was made within it.
    """

    def __init__(self, folder: Path, config: Config, say: Callable[[str], None]) -> None:
        self._folder, self._config, self._say = folder, config, say
        self._steps = min(max(config.recipe.cycle, LEAST), MOST)
        self._seen, self._flops, self._seconds, self._cpu_seconds, self._began = 0, 0, 0.0, 0.0, 0.0
        self._counter, self._profile = Operations(), _profile(config.device)
        self._running: Any = None
        self._interrupted = self._done = False

    def stepped(self, state: TrainState) -> None:
        """Go on to the next part when enough steps have been made."""
        self._seen += 1
        again = self._interrupted and self._steps < self._seen <= 4 * self._steps
        self._interrupted = False
        if again:
            self._stop()
            self._seen = (self._seen - 1) // self._steps * self._steps
        begins = {1: self._count, 2: self._measure, 3: self._time}
        ends = {2: self._counted, 3: self._measured, 4: self._write}
        part, rest = divmod(self._seen, self._steps)
        if not rest and not again and part in ends:
            ends[part](state)
        if not rest and part in begins:
            begins[part](state)

    def logged(self, state: TrainState, entry: dict[str, Any]) -> None:
        """An evaluation interrupts."""
        self._interrupted |= "n" in entry

    def saved(self, state: TrainState, path: Path) -> None:
        """A checkpoint interrupts."""
        self._interrupted = True

    def previewed(self, state: TrainState, picture: NDArray[np.uint8], path: Path) -> None:
        """A picture interrupts."""
        self._interrupted = True

    def close(self) -> None:
        """End what is running, if the run ends before the profile is complete."""
        self._stop()
        if not self._done:
            between = f"each {self._steps} in a row without an evaluation, a checkpoint or a picture"
            self._say(f"no profile: the run ended before {4 * self._steps} steps, {between}")

    def _stop(self) -> None:
        if self._running is not None:
            self._running.__exit__(None, None, None)
            self._running = None

    def _count(self, state: TrainState) -> None:
        self._running = self._counter = Operations()
        self._counter.__enter__()  # type: ignore[no-untyped-call]

    def _counted(self, state: TrainState) -> None:
        self._stop()
        self._flops = self._counter.total

    def _measure(self, state: TrainState) -> None:
        self._began, self._cpu_seconds = _now(self._config.device), -state.cpu_seconds

    def _measured(self, state: TrainState) -> None:
        self._seconds = _now(self._config.device) - self._began
        self._cpu_seconds += state.cpu_seconds

    def _time(self, state: TrainState) -> None:
        self._running = self._profile = _profile(self._config.device)
        self._profile.__enter__()  # type: ignore[no-untyped-call]

    def _write(self, state: TrainState) -> None:
        self._stop()
        incomplete = self._folder / f".{TRACE}"
        self._profile.export_chrome_trace(str(incomplete))
        incomplete.replace(self._folder / TRACE)
        with atomic_write(self._folder / TABLE) as file:
            file.write(self._text().encode())
        self._done = True
        self._say(f"profile: {self._folder / TABLE}; the trace {TRACE} is for chrome://tracing or ui.perfetto.dev")

    def _text(self) -> str:
        config, steps = self._config, self._steps
        step, rate = self._seconds / steps, self._flops / self._seconds
        peak = matrix_product_peak(config.device, bf16=config.recipe.bf16)
        kind = "CUDA" if config.device == "cuda" else "CPU"
        table = self._profile.key_averages().table(f"self_{kind.lower()}_time_total", row_limit=ROWS)
        return (
            f"{config.recipe_name} on {config.data.name}: {steps} steps of {config.recipe.batch_size} images, "
            f"{config.device}, {config.threads} threads, {config.recipe.precision}, torch {torch.__version__}\n\n"
            f"time per step          {1e3 * step:.2f} ms, {config.recipe.batch_size / step:,.0f} images/s\n"
            f"processor time         {1e3 * self._cpu_seconds / steps:.2f} ms per step, of all threads\n"
            f"operations per step    {self._flops / steps / 1e9:.3f} GFLOP in convolutions and matrix products\n"
            f"operations per second  {rate / 1e9:,.1f} GFLOP/s\n"
            f"largest matrix product {peak / 1e9:,.1f} GFLOP/s, {PEAK_SIDE} x {PEAK_SIDE}, measured here\n"
            f"share of that          {100 * rate / peak:.0f} %\n\n"
            f"Time of the operators in {steps} other steps; the profiler itself takes time, too.\n\n{table}\n"
        )


def matrix_product_peak(device: str, *, bf16: bool = False) -> float:
    """FLOP per second of a square matrix product, the best of as many as fit into a third of a second."""
    a, b = (torch.randn(PEAK_SIDE, PEAK_SIDE, device=device) for _ in range(2))
    if bf16:
        a, b = a.bfloat16(), b.bfloat16()
    best, end = float("inf"), time.perf_counter() + PEAK_SECONDS
    while time.perf_counter() < end:
        began = _now(device)
        torch.mm(a, b)
        best = min(best, _now(device) - began)
    return 2 * PEAK_SIDE**3 / best


def _profile(device: str) -> profile:
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]
    return profile(activities=activities)


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
