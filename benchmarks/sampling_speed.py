"""Images per second of `Generator(latents)`, compared with torch eager with the same weights, on the CPU.

Both take the same numpy latents and return the same uint8 [n, h, w, c]; torch runs in inference_mode. The
networks are those of the recipes gan (an MLP) and quick (convolutions), with random weights. Drawing latents is not
included; its time has a column of its own. The operations of the matrix products and convolutions, as the file counts
them, are also compared with the peak: the fastest of many float32 matrix products of three sizes in NumPy, ONNX Runtime
and torch, in the same rounds and with the same number of threads, as gan-bench measures it. Targets: the MLP at 90 % of
the peak for batch sizes from 256, and quick twice as fast as torch at 64 and 1,024. That is beyond the processor where
torch is above half of the peak.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interleave import Row, Times, interleave, machine, new_parser, publish

from gan_runtime.bench.limits import best, product_meters
from gan_runtime.bench.meter import Meter

OF_PEAK, OF_TORCH = 0.90, 2.0
RECIPES = ("gan", "quick")
BATCHES = (1, 64, 256, 1024)
SIDES = (256, 512, 1024)  # of square matrices
SECONDS_A_MEASUREMENT = 0.2


@dataclass(frozen=True)
class Network:
    """One generator in both forms; `operations` per image."""

    recipe: str
    module: Any
    file: Path
    latent_dim: int
    classes: int
    operations: int


def main() -> None:
    """Compare, and print the table."""
    parser = new_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="number of measurements per variant")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, help="images per batch")
    options = parser.parse_args()
    os.environ.setdefault(
        "GOMP_SPINCOUNT", "1000"
    )  # otherwise idle threads of torch still spin while ONNX Runtime is measured
    host = machine()
    del host["threads"]
    with tempfile.TemporaryDirectory() as folder:
        networks = [build_network(recipe, Path(folder)) for recipe in RECIPES]
        rows = [row for threads in sorted({1, host["cores"]}) for row in compare(networks, threads, options)]
    publish(host, rows, _missed(rows), options)


def compare(networks: list[Network], threads: int, options: Any) -> list[Row]:
    """All networks and batch sizes with this number of threads, and the peak of the processor in the same rounds."""
    import torch

    torch.set_num_threads(threads)
    meters = matrix_products(threads)
    sides: dict[str, Callable[[], object]] = {}
    for network in networks:
        for batch in options.batches:
            sides |= network_sides(network, batch, threads)
    repeats = {name: _repeats(side) for name, side in sides.items()}
    measured = {name: _repeated(side, repeats[name]) for name, side in sides.items()}
    times = interleave({**measured, **{meter.name: meter.measure for meter in meters}}, options.rounds)
    times = {name: Times(tuple(s / repeats[name] for s in times[name].seconds)) for name in sides}
    peak = best(meters).rate
    return [_row(network, threads, batch, times, peak) for network in networks for batch in options.batches]


def matrix_products(threads: int) -> list[Meter]:
    """Float32 matrix products in this number of threads: each has its own in NumPy and ONNX Runtime, in torch all share
    one."""
    import torch

    squares = [torch.rand(side, side) for side in SIDES]
    shared = [Meter(f"torch, {len(x)} x {len(x)}", 2 * len(x) ** 3, lambda x=x: x @ x) for x in squares]
    return [*product_meters(threads), *shared]


def network_sides(network: Network, batch: int, threads: int) -> dict[str, Callable[[], object]]:
    """The generator file, torch, and the latents by themselves."""
    import torch

    from gan_runtime.generator import Generator
    from gan_runtime.latents import default_labels, draw_latents
    from gan_trainer.export.generator import Deployed

    generator: Generator = Generator.load(network.file, "cpu", threads)
    deployed = Deployed(network.module).eval()
    latents = draw_latents(0, 0, batch, network.latent_dim)
    labels = (default_labels(0, batch, network.classes),) if network.classes else ()

    @torch.inference_mode()
    def eager() -> object:
        return deployed(*(torch.from_numpy(x) for x in (latents, *labels))).contiguous().numpy()

    name = f"{network.recipe} {batch}"
    return {
        f"{name} file": lambda: generator(latents, *labels),
        f"{name} torch": eager,
        f"{name} latents": lambda: draw_latents(0, 0, batch, network.latent_dim),
    }


def build_network(name: str, folder: Path) -> Network:
    """The generator of a recipe, with random weights, as a module and as an exported file."""
    from gan_runtime.manifest import ImageSize, read_manifest
    from gan_runtime.model_file import read_model_file
    from gan_trainer.export import export
    from gan_trainer.recipes.recipe import RECIPES as TABLE
    from gan_trainer.systems import new_networks
    from gan_trainer.training.system import Shapes

    recipe = TABLE[name]
    classes = 10 if recipe.conditional else 0
    module = new_networks(recipe, Shapes(ImageSize(28, 28, 1), classes))["generator"]
    module.eval()
    file = folder / f"{name}.onnx"
    export(module, file, latent_dim=recipe.latent_dim, classes=classes)
    manifest = read_manifest(read_model_file(file))
    assert manifest
    return Network(name, module, file, recipe.latent_dim, classes, manifest.flops)


def _row(network: Network, threads: int, batch: int, times: dict[str, Times], peak: float) -> Row:
    file, torch, latents = (times[f"{network.recipe} {batch} {side}"] for side in ("file", "torch", "latents"))
    speed = network.operations * batch / file.median
    return {
        "recipe": network.recipe,
        "threads": threads,
        "batch": batch,
        "Generator ms": f"{file.median * 1e3:.2f}",
        "shortest-longest": file.span(digits=2),
        "images/s": f"{batch / file.median:,.0f}",
        "torch ms": f"{torch.median * 1e3:.2f}",
        "x torch": f"{torch.median / file.median:.2f}",
        "Gflop/s": f"{speed / 1e9:.0f} of {peak / 1e9:.0f}",
        "of the peak": f"{speed / peak:.0%}",
        "torch": f"{speed / peak * file.median / torch.median:.0%}",
        "latents ms (not counted)": f"{latents.median * 1e3:.2f}",
    }


def _missed(rows: list[Row]) -> list[str]:
    found = []
    for row in rows:
        what, share = f"{row['recipe']}, {row['threads']} threads, batch {row['batch']}", row["of the peak"]
        if row["recipe"] == "gan" and row["batch"] >= 256 and int(share.rstrip("%")) < OF_PEAK * 100:
            found.append(f"{what}: {share} of the peak, wanted {OF_PEAK:.0%}")
        if row["recipe"] == "quick" and row["batch"] in (64, 1024) and float(row["x torch"]) < OF_TORCH:
            found.append(f"{what}: {row['x torch']} x torch, wanted {OF_TORCH}; torch is at {row['torch']} of the peak")
    return found


def _repeats(side: Callable[[], object]) -> int:
    """Number of calls per measurement: short measurements depend on the clock and on warm caches."""
    once = min(*interleave({"": side}, rounds=3)[""].seconds, SECONDS_A_MEASUREMENT)
    return round(SECONDS_A_MEASUREMENT / once)


def _repeated(side: Callable[[], object], repeats: int) -> Callable[[], None]:
    def measured() -> None:
        for _ in range(repeats):
            side()

    return measured


if __name__ == "__main__":
    main()
