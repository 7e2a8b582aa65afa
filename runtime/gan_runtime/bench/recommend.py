"""Which setting is best: that of `auto`, unless another one is measurably faster."""

from statistics import median

from gan_runtime.bench.measured import Measured, Row

GAIN = 1.05  # how many times as fast another setting must be, by medians
SPREAD, OTHERS = 0.3, 0.2  # of a host that counts as busy, at least: `spread`, and the processors of other programs


def row_of_auto(measured: Measured) -> Row:
    """The row with the setting of `auto`."""
    return next(row for row in measured.rows if row.setting == measured.automatic)


def recommended(measured: Measured) -> Row:
    """The fastest of the rows that are measurably faster than that of `auto`, which it is if there are none.

    A row is measurably faster if its slowest round is faster than the fastest round of `auto`, and its median by a
    factor of `GAIN`. On a busy host, nothing is: which setting is best there depends on the other programs.
    """
    auto = row_of_auto(measured)
    better = [row for row in measured.rows if row.slowest > auto.fastest and row.rate >= GAIN * auto.rate]
    return auto if is_busy(measured) else max(better, key=lambda row: row.rate, default=auto)


def spread(measured: Measured) -> float:
    """How far the longest round of a row is from the shortest one, as a share of its median; the median of all rows."""
    return median(row.times.spread for row in measured.rows)


def is_busy(measured: Measured) -> bool:
    """Whether other programs used the host so much that the results say little."""
    return spread(measured) >= SPREAD or (measured.others or 0.0) >= OTHERS
