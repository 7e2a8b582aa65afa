"""Which jobs of gan-sample are divided among processes of this host, in place of threads."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from gan_runtime.devices.memory import available_memory
from gan_runtime.outputs import Options
from gan_runtime.outputs.sampled import SampledImages

# Threads that encode small images wait for Python's lock, which each call of deflate gives up and takes again: 200,000
# digits of an MLP take two threads 5.6 s, two processes 4.6 s (benchmarks/throughput.py). Where the network computes
# longer, or images are larger, threads take about as long, and less memory: 5 % more time for a generator of digits by
# convolutions, none for 64x64 in colour. Folders gain nothing: the file system takes most of their time.
LEAST = 30_000  # images: what the processes save is more than their start takes
MOST_VALUES = 32 * 32 * 3  # of an image
MOST_FLOPS = 20_000_000  # for an image, as far as the file says how many they are
PROCESS = 2**27  # bytes that a process needs beside two copies of the model
MEMORY = 0.5  # of what is free, which all processes may need
EVEN = 0.85  # of the time of all processes, in which they have shards to write


@contextmanager
def divided(source: SampledImages, kind: str, options: Options) -> Iterator[tuple[SampledImages, Options]]:
    """What to write and how, for the length of the block: in other processes, too, where that takes less time."""
    if not pays(source, kind, options):
        yield source, options
        return
    from gan_runtime.outputs.processes import started

    with started(source.threads, options.quiet) as processes:
        if processes:
            source = replace(source, generator=source.generator.with_threads(1))
            options = replace(options, cluster=processes)
        yield source, options


def pays(source: SampledImages, kind: str, options: Options) -> bool:
    """Whether processes take less time than threads."""
    generator, threads = source.generator, source.threads
    if kind != ".tar" or options.cluster or threads == 1 or generator.arguments["providers"] or not generator.on_cpu:
        return False
    if source.is_given:  # each process would have its own copy of the latents, which may be most of the memory
        return False
    shards = len(options.share.part(-(-source.n // options.shard_size)))
    return (
        shards >= EVEN * threads * -(-shards // threads) > 0
        and min(source.n, shards * options.shard_size) >= LEAST
        and math.prod(generator.image_shape) <= MOST_VALUES
        and (generator.manifest is None or generator.manifest.flops <= MOST_FLOPS)
        and source.path.is_file()  # which the other processes open
        and threads * (PROCESS + 2 * source.path.stat().st_size) <= MEMORY * (available_memory() or math.inf)
    )
