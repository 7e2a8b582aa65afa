"""Measure a model at many settings, beside the limits of the host."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gan_runtime.bench.limits import METERS, best, meters_of
from gan_runtime.bench.memory import peak_of
from gan_runtime.bench.meter import Meter
from gan_runtime.bench.rounds import Times, interleave, repeated
from gan_runtime.bench.setting import Setting
from gan_runtime.bench.work import Call, Work
from gan_runtime.devices.processors import Others

ROUNDS, FEW_ROUNDS = 5, 3
MOST = 3.0  # times the seconds of a setting that a single call may take
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Row:
    """What was measured at one setting.

    Attributes:
        setting: how the model was run.
        times: of a call.
        amount: what a call gives, in the unit of the work.
        operations: floating-point operations of a call; 0 if they are not known.
        read: bytes of weights that the runs of a call read.
        memory: the most bytes of a process that does this alone; None if they are not known.
    """

    setting: Setting
    times: Times
    amount: float
    operations: float = 0.0
    read: float = 0.0
    memory: int | None = None

    @property
    def rate(self) -> float:
        """Median amount per second."""
        return self.amount / self.times.median

    @property
    def slowest(self) -> float:
        """The amount per second of the longest round."""
        return self.amount / max(self.times.seconds)

    @property
    def fastest(self) -> float:
        """The amount per second of the shortest round."""
        return self.amount / min(self.times.seconds)


@dataclass(frozen=True)
class Limit:
    """The limits of the host with so many threads: operations per second and what reached them, bytes per second."""

    operations: float
    by: str
    bandwidth: float


@dataclass(frozen=True)
class Measured:
    """What `measure` found.

    Attributes:
        rows: in the order of their settings.
        automatic: the setting of `auto`.
        limits: of the device, by threads; empty for devices whose limits are not measured.
        left_out: settings whose calls take too long.
        others: the share of the processors that other programs had meanwhile; None if that is not known.
    """

    rows: tuple[Row, ...]
    automatic: Setting
    limits: Mapping[int, Limit]
    left_out: tuple[Setting, ...] = ()
    others: float | None = None


def measure(
    work: Work,
    automatic: Setting,
    settings: Sequence[Setting],
    seconds: float,
    picture: tuple[int, int],
    advance: Advance = lambda count: None,
) -> Measured:
    """Measure `work` at `settings` and the limits of the host, in turn.

    Settings of which a call takes more than `MOST` times `seconds` are left out, but for the smallest one and
    `automatic`.

    Args:
        work: what is measured.
        automatic: the setting of `auto`, one of `settings`.
        settings: how it is run.
        seconds: of all rounds of a setting together, if a round is not longer than its share.
        picture: as for `work_of`.
        advance: called with the number of steps that are done, of `steps(settings)` at most.

    Raises:
        DeviceError, InputError, ModelError: as the methods of the model.
    """
    calls, took = _warmed(work, automatic, settings, seconds, advance)
    memory = {}
    for setting in calls:
        memory[setting] = peak_of(work.model, setting, picture)
        advance(1)
    rounds = FEW_ROUNDS if max(took.values()) > seconds / ROUNDS else ROUNDS
    repeats = {setting: max(1, round(seconds / rounds / took[setting])) for setting in calls}
    meters = meters_of(work.model.session.device, sorted({setting.threads for setting in calls}))
    sides: dict[object, Callable[[], object]] = {
        (threads, meter.name): meter.measure for threads, found in meters.items() for meter in found
    }
    sides |= {setting: repeated(call, repeats[setting]) for setting, call in calls.items()}
    others = Others()
    times = interleave(sides, rounds, warm_up=0, pause=0, done=advance)
    rows = [
        Row(
            setting,
            times[setting].per(repeats[setting]),
            amount=work.amount(setting),
            operations=work.rows(setting) * work.flops,
            read=work.runs(setting) * work.model.model.size,
            memory=memory[setting],
        )
        for setting in sorted(calls)
    ]
    limits = {threads: _limit(found) for threads, found in meters.items()}
    return Measured(tuple(rows), automatic, limits, tuple(sorted({*settings} - calls.keys())), others.share())


def steps(settings: Sequence[Setting]) -> int:
    """How many steps `measure` reports at most."""
    return len(settings) * (2 + ROUNDS) + len({setting.threads for setting in settings}) * METERS * ROUNDS


def _warmed(
    work: Work, automatic: Setting, settings: Sequence[Setting], seconds: float, advance: Advance
) -> tuple[dict[Setting, Call], dict[Setting, float]]:
    """The calls of settings, after two of each, and their seconds. Small ones say how long the next ones will take."""
    calls, took, rate = dict[Setting, Call](), dict[Setting, float](), 0.0
    for setting in sorted(settings, key=lambda one: (work.amount(one), one)):
        if rate and setting != automatic and work.amount(setting) / rate > MOST * seconds:
            continue
        calls[setting] = work.prepare(setting)
        took[setting] = min(_seconds(calls[setting]) for _ in range(2))
        rate = max(rate, work.amount(setting) / took[setting])
        advance(1)
    return calls, took


def _limit(meters: list[Meter]) -> Limit:
    *products, copy = meters
    peak = best(products)
    return Limit(peak.rate, peak.name, copy.rate)


def _seconds(call: Call) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
