"""Memory and time of a generator on one host by images at once: what `gan_runtime.drawing` estimates memory by.

    python benchmarks/generator_memory.py x.onnx 1 1     # images per run, threads

Prints the growth of the process per image at once, and the estimate.
"""

import sys
import time

from gan_runtime import Generator
from gan_runtime.devices.memory import resident_memory

path, piece, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
generator = Generator.load(path, "cpu", threads)
opened, began = resident_memory() or 0, time.perf_counter()
request = generator.request(2 * piece * threads, latents=[[0.0] * generator.latent_dim] * (2 * piece * threads))
generator.workers.map(
    lambda first: generator.run(["images"], request.feeds(first, piece), piece), range(0, request.n, piece)
)
grown = (resident_memory() or 0) - opened  # ONNX Runtime keeps what it has once used
each, seconds = grown / (piece * threads), time.perf_counter() - began
print(
    f"{path}: {piece} per run, {threads} threads: {each / 1e6:.0f} MB per image, estimated "
    f"{generator.image_bytes / 1e6:.0f} MB; {seconds / request.n:.2f} s per image"
)
