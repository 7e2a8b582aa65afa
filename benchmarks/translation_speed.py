"""Milliseconds per picture of exported translators, compared with torch eager in fp32 with the same weights.

Both take uint8 [1, h, w, c] and return uint8 [1, h, w, c']; torch runs in inference_mode. The networks are those of the
recipes, with random weights. Target: the file is not slower.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from interleave import Row, Times, interleave, machine, new_parser, publish

RECIPES = ("pix2pix", "pix2pix-quick", "cyclegan", "cyclegan-quick")
CHANNELS = 3


def main() -> None:
    """Compare, and print the table."""
    options = _parse()
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # idle threads of torch spin while ONNX Runtime is measured
    host = machine()
    del host["threads"]
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            compare(recipe, threads, options, Path(folder))
            for recipe in options.recipes
            for threads in sorted({1, host["cores"]})
        ]
    missed = [f"{row['recipe']}, {row['threads']} threads" for row in rows if float(row["x torch"]) < 1]
    publish(host, rows, missed, options)


def compare(recipe: str, threads: int, options: argparse.Namespace, folder: Path) -> Row:
    """The network of a recipe in both forms with this number of threads, in the same rounds."""
    import torch

    torch.set_num_threads(threads)
    file, eager = both_forms(recipe, options.side, threads, folder / f"{recipe}-{threads}.onnx")
    times = interleave({"file": file, "torch": eager}, options.rounds)
    return _row(recipe, threads, options.side, times)


def both_forms(name: str, side: int, threads: int, path: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """The generator of a recipe, as an exported file and as a module, each translating one random picture."""
    import torch

    from gan_runtime.evaluation.fingerprint import source_images
    from gan_runtime.image_to_image.translator import Translator
    from gan_runtime.manifest import ImageAxes, ImageSize
    from gan_trainer.export.image_to_image import Deployed
    from gan_trainer.export.translator import KIND, translator_file
    from gan_trainer.recipes.recipe import RECIPES as TABLE
    from gan_trainer.systems import new_networks
    from gan_trainer.training.system import Shapes

    size = ImageSize(side, side, CHANNELS)
    module = new_networks(TABLE[name], Shapes(size, source=size))["generator"].eval()
    translator = Translator.open(translator_file(module, path, source=size, images=size), "cpu", threads)
    picture = source_images(ImageAxes(side, side, CHANNELS), 1)
    deployed = Deployed(module, KIND)

    @torch.inference_mode()
    def eager() -> object:
        return deployed(torch.from_numpy(picture)).contiguous().numpy()

    return lambda: translator(picture), eager


def _row(recipe: str, threads: int, side: int, times: dict[str, Times]) -> Row:
    file, torch = times["file"], times["torch"]
    return {
        "recipe": recipe,
        "pixels": f"{side}x{side}",
        "threads": threads,
        "file ms": f"{file.median * 1e3:.0f}",
        "shortest-longest": file.span(digits=0),
        "torch ms": f"{torch.median * 1e3:.0f}",
        "torch shortest-longest": torch.span(digits=0),
        "x torch": f"{torch.median / file.median:.2f}",
    }


def _parse() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="number of measurements per variant")
    parser.add_argument("--side", type=int, default=256, help="of the picture, in pixels")
    parser.add_argument("--recipes", nargs="+", default=RECIPES, choices=RECIPES)
    return parser.parse_args()


if __name__ == "__main__":
    main()
