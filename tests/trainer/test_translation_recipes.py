"""Every recipe that translates, from pictures to a file that runs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import Result
from PIL import Image

from gan_runtime import Translator
from gan_trainer.recipes.recipe import RECIPES
from gan_trainer.recipes.translation import TranslationRecipe

TRANSLATORS = [name for name, recipe in RECIPES.items() if isinstance(recipe, TranslationRecipe)]


@pytest.fixture
def pairs() -> str:
    """A folder with 24 pictures of 64x64 and their negatives."""
    rng = np.random.default_rng(0)
    for domain in "AB":
        Path("pairs", domain).mkdir(parents=True)
    for i in range(24):
        picture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        for domain, pixels in zip("AB", (picture, 255 - picture), strict=True):
            Image.fromarray(pixels).save(Path("pairs", domain, f"{i}.png"))
    return "pairs"


@pytest.mark.parametrize(("name", "opset"), list(zip(TRANSLATORS, (13, 15, 17, 20, 18), strict=True)))
def test_every_recipe_is_trained_exported_and_run(
    call: Callable[..., Result], pairs: str, name: str, opset: int
) -> None:
    blocks = ("--blocks", 1) if RECIPES[name].system == "unpaired" else ()
    narrow = (*blocks, "--width", 4, *(("--d-width", 4) if name != "pix2pix-l1" else ()))
    done = call("gan-train", pairs, "--recipe", name, "--images", 16, "--threads", 1, "--quiet", *narrow)
    assert done.code == 0, done.err
    assert call("gan-export", f"runs/pairs-{name}", "--output", "x.onnx", "--opset", opset).code == 0
    files = ("x.onnx", "x-inverse.onnx") if RECIPES[name].system == "unpaired" else ("x.onnx",)
    for file in files:
        translator = Translator.load(file, "cpu")
        assert translator.manifest.network.norm == RECIPES[name].norm
        for height, width in ((1, 1), (65, 67)):
            assert translator(np.zeros((2, height, width, 3), np.uint8)).shape == (2, height, width, 3)
