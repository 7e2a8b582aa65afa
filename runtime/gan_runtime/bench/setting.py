"""How a model is run: the numbers that an operator may choose."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Setting:
    """Rows per call, threads, and the side of tiles in pixels; None for a model that takes no tiles."""

    batch: int
    threads: int
    tile: int | None = None
