"""Measure variants on a host with other load: interleaved rounds (A B A B …) and their medians.

Other load affects all variants alike, and the median ignores the few rounds that it affects most.
"""

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Times:
    """Seconds per round of one variant."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median of the rounds, in seconds."""
        return median(self.seconds)

    @property
    def spread(self) -> float:
        """How far the longest round is from the shortest one, as a share of the median."""
        return (max(self.seconds) - min(self.seconds)) / self.median

    def span(self, scale: float = 1e3, digits: int = 1) -> str:
        """Shortest to longest, in milliseconds unless scaled otherwise."""
        return f"{min(self.seconds) * scale:.{digits}f}-{max(self.seconds) * scale:.{digits}f}"

    def per(self, repeats: int) -> "Times":
        """The times of one of so many equal calls that each round consists of."""
        return Times(tuple(seconds / repeats for seconds in self.seconds))


PAUSE_SECONDS = 0.05  # OpenMP threads of the previous variant spin for a while, on processors that the next one needs


def interleave(
    sides: Mapping[K, Callable[[], object]],
    rounds: int,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    pause: float = PAUSE_SECONDS,
    done: Callable[[int], None] = lambda count: None,
) -> dict[K, Times]:
    """Time each variant once per round, in turn; the first `warm_up` rounds are discarded.

    Args:
        sides: the variants by name.
        rounds: that are counted.
        warm_up: rounds before those.
        clock: gives seconds: of the wall, or of the processor (`time.process_time`) where other load would keep it.
        pause: seconds before each measurement.
        done: called with 1 after each measurement.
    """
    seconds: dict[K, list[float]] = {name: [] for name in sides}
    for number in range(warm_up + rounds):
        for name, side in sides.items():
            time.sleep(pause)
            began = clock()
            side()
            elapsed = clock() - began
            if number >= warm_up:
                seconds[name].append(elapsed)
            done(1)
    return {name: Times(tuple(values)) for name, values in seconds.items()}


def repeated(side: Callable[[], object], repeats: int) -> Callable[[], None]:
    """A function that calls `side` so many times: short measurements depend on the clock and on warm caches."""

    def measured() -> None:
        for _ in range(repeats):
            side()

    return measured
