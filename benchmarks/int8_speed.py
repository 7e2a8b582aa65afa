"""Files in int8 beside the same in fp32 and beside torch eager: size, difference in grey levels, and speed.

One thread, interleaved rounds, seconds of the processor, so that other load on the machine matters little. The weights
are random, those of generators after a few batches. Targets, on processors with VNNI: int8 at least 3 times as fast as
torch in fp32 for the generators of gan (an MLP) and quick at batch 64, and for upscalers.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from interleave import Row, interleave, machine, new_parser, publish

TARGET = 3.0
GENERATORS = ("gan", "quick", "r3gan")
UPSCALERS: dict[str, dict[str, Any]] = {
    "compact 64x8": {"network": "compact", "width": 64, "blocks": 8},
    "edsr 64x8": {"network": "edsr", "width": 64, "blocks": 8},
}
NETWORKS = (*GENERATORS, *UPSCALERS)
AIMED = ("gan", "quick", *UPSCALERS)
BATCH, SIDE, SCALE = 64, 128, 4
TYPICAL = 256


@dataclass(frozen=True)
class Network:
    """A network as a module and as a file in fp32, typical inputs of it, and those that are timed."""

    module: Any
    file: Any
    typical: list[dict[str, Any]]
    timed: dict[str, Any]


def main() -> None:
    """Compare, and print the table."""
    options = _parse()
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for name in options.networks for row in compare(name, Path(folder), options.rounds)]
    publish(machine(1), rows, _missed(rows), options)


def compare(name: str, folder: Path, rounds: int) -> list[Row]:
    """A network in all forms, in the same rounds."""
    from gan_trainer.export.precision import FP16, INT8, reduced_file

    network = generator(name, folder) if name in GENERATORS else upscaler(name, folder)
    files = {"fp32": network.file} | {kind: reduced_file(network.file, kind, network.typical) for kind in (INT8, FP16)}
    forms = {"torch": _eager(network)} | {kind: _runs(file, network.timed) for kind, file in files.items()}
    times = interleave(forms, rounds, clock=time.process_time)
    expected = forms["fp32"]().astype(int)
    return [
        {
            "network": name,
            "form": form,
            "bytes": f"{len(files[form].content):,}" if form in files else "",
            "of fp32": f"{len(files[form].content) / len(network.file.content):.0%}" if form in files else "",
            "mean difference": f"{np.abs(run() - expected).mean():.3f}",
            "CPU ms": f"{times[form].median * 1e3:.2f}",
            "shortest-longest": times[form].span(digits=2),
            "x torch": f"{times['torch'].median / times[form].median:.2f}",
        }
        for form, run in forms.items()
    ]


def generator(name: str, folder: Path) -> Network:
    """The generator of a recipe for digits, with the statistics of a few batches in its norms."""
    import torch

    from gan_runtime.latents import default_labels, draw_latents
    from gan_runtime.manifest import ImageSize
    from gan_trainer.export.generator import Deployed, generator_file
    from gan_trainer.recipes.recipe import RECIPES
    from gan_trainer.systems import new_networks
    from gan_trainer.training.system import Shapes

    recipe, size = RECIPES[name], ImageSize(28, 28, 1)
    classes = 10 if recipe.on_classes else 0
    torch.manual_seed(0)
    module = new_networks(recipe, Shapes(size, classes))["generator"]

    def inputs(seed: int, n: int) -> dict[str, Any]:
        latents = {"latents": draw_latents(seed, 0, n, recipe.latent_dim, recipe.latents)}
        return latents | ({"labels": default_labels(0, n, classes)} if classes else {})

    with torch.no_grad():
        for seed in range(3):
            module(*map(torch.from_numpy, inputs(seed + 2, BATCH).values()))
    module.eval()
    file = generator_file(
        module, folder / f"{name}.onnx", latent_dim=recipe.latent_dim, classes=classes, range=(-1.0, 1.0)
    )
    return Network(Deployed(module), file, [inputs(1, TYPICAL)], inputs(0, BATCH))


def upscaler(name: str, folder: Path) -> Network:
    """A network that enlarges pictures four times."""
    import torch

    from gan_runtime.evaluation.fingerprint import source_images
    from gan_runtime.manifest import ImageAxes
    from gan_trainer.export.image_to_image import Deployed
    from gan_trainer.export.upscaler import KIND, upscaler_file
    from gan_trainer.networks.upscaling import new_upscaler

    torch.manual_seed(0)
    module = new_upscaler(**UPSCALERS[name], channels=3, scale=SCALE).eval()
    file = upscaler_file(module, folder / f"{name}.onnx", channels=3, scale=SCALE)
    typical, timed = (source_images(ImageAxes(side, side, 3), n, seed) for side, n, seed in ((64, 5, 1), (SIDE, 1, 0)))
    return Network(Deployed(module, KIND), file, [{"source": typical}], {"source": timed})


def _eager(network: Network) -> Callable[[], Any]:
    import torch

    @torch.inference_mode()
    def run() -> Any:
        return network.module(*map(torch.from_numpy, network.timed.values())).contiguous().numpy()

    return run


def _runs(file: Any, feeds: dict[str, Any]) -> Callable[[], Any]:
    from gan_runtime.session import open_session

    session = open_session(file, "cpu", 1).onnx
    return lambda: session.run(["images"], feeds)[0]


def _missed(rows: list[Row]) -> list[str]:
    slow = [row for row in rows if row["form"] == "int8" and row["network"] in AIMED and float(row["x torch"]) < TARGET]
    return [f"{row['network']}: int8 is {row['x torch']} times as fast as torch" for row in slow]


def _parse() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="number of measurements per variant")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS, help="networks to compare")
    return parser.parse_args()


if __name__ == "__main__":
    main()
