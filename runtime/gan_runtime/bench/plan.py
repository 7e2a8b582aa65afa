"""Which settings are measured."""

from collections.abc import Sequence
from dataclasses import replace

from gan_runtime.bench.setting import Setting
from gan_runtime.bench.work import Work
from gan_runtime.errors import InputError


def settings_of(
    work: Work,
    automatic: Setting,
    batches: Sequence[int | None] = (),
    threads: Sequence[int | None] = (),
    tiles: Sequence[int | None] = (),
) -> list[Setting]:
    """The settings to measure, in order; `automatic` is one of them.

    Numbers of threads that leave some of them without work are left out, unless they are asked for.

    Args:
        work: what is measured.
        automatic: the setting of `auto`.
        batches, threads, tiles: what is asked for, None for that of `automatic`; empty for those around it.

    Raises:
        InputError: batches are asked for of a model that takes tiles, or the other way round.
    """
    if batches and work.tiled:
        raise InputError("--batches: this model takes pictures of any size, in tiles; choose --tiles and --threads")
    if tiles and not work.tiled:
        raise InputError("--tiles: this model takes no tiles; choose --batches and --threads")
    if threads and not work.model.on_cpu:
        raise InputError(
            f"--threads: {work.model.session.device} has none to choose; leave it out, or add --device cpu"
        )
    sizes = [replace(automatic, batch=each or automatic.batch) for each in batches]
    sizes += [replace(automatic, tile=each or automatic.tile) for each in tiles]
    numbers = [each or automatic.threads for each in threads]
    numbers = numbers or sorted({1, max(1, automatic.threads // 2), automatic.threads})
    found = {automatic}
    for size in sizes or work.near(automatic):
        busy = set[int]()
        for number in numbers:
            setting = replace(size, threads=number)
            used = min(number, work.runs(setting))
            if threads or used not in busy:
                found.add(setting)
            busy.add(used)
    return sorted(found)
