"""A short command imports what it needs and nothing else: imports are most of its time."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from translators import translator
from upscalers import upscaler

NEVER = {"tarfile", "csv", "rich", "gan_runtime.foreign", "gan_runtime.outputs.cluster", "ray"}
NEVER |= {"zlib_ng", "gan_runtime.images.deflate", "gan_runtime.outputs.processes"}
LARGE = {"concurrent.futures", "gan_runtime.outputs.folder", "gan_runtime.transform.folder"}
OF_FOLDERS = {"gan_runtime.data.decoded", "gan_runtime.data.cache", "gan_runtime.data.pictures"}


def imported_by(command: str, *arguments: object) -> set[str]:
    """The modules that a command has imported at its end."""
    code = (
        "import sys, gan_runtime.terminal.commandline as line; "
        "line.leave = lambda code: print(*sys.modules, file=sys.stderr);"
        f"from gan_runtime.commands.{command} import {command}_main; {command}_main()"
    )
    words = [sys.executable, "-c", code, *map(str, arguments), "--quiet"]
    return set(subprocess.run(words, capture_output=True, text=True, check=True).stderr.split())


def test_a_grid(conditional_model: Path) -> None:
    imported = imported_by("sample", "out.png", "--model", conditional_model)
    assert "gan_runtime.outputs.picture" in imported
    assert imported & (NEVER | OF_FOLDERS) == set()
    assert (
        imported & {"zipfile", "PIL", "numpy.random", "gan_runtime.outputs.walk", "gan_runtime.outputs.resume"} == set()
    )


@pytest.mark.parametrize("command", ["translate", "upscale"])
def test_a_picture(command: str) -> None:
    model = translator("model.onnx") if command == "translate" else upscaler("model.onnx")
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save("a.png")
    imported = imported_by(command, "a.png", "out.png", "--model", model)
    assert {"PIL.PngImagePlugin", "gan_runtime.transform.single"} <= imported
    assert imported & (NEVER | LARGE | OF_FOLDERS) == set()
    assert imported & {"PIL.TiffImagePlugin", "PIL.JpegImagePlugin", "PIL.WebPImagePlugin"} == set()
    assert imported & {"gan_runtime.generator", "numpy.random", "tempfile", "secrets"} == set()


def test_an_array() -> None:
    import torch

    from gan_runtime.manifest import ImageSize, Latents
    from gan_trainer.export.encoder import encoder_file
    from gan_trainer.recipes.recipe import RECIPES
    from gan_trainer.systems import new_networks
    from gan_trainer.training.system import Shapes

    torch.manual_seed(0)
    size, path = ImageSize(28, 28, 1), Path("vae.onnx")
    network = new_networks(RECIPES["vae"], Shapes(size))["encoder"]
    assert network is not None
    path.write_bytes(
        encoder_file(network.eval(), path, size=size, latents=Latents(RECIPES["vae"].latent_dim, "normal")).content
    )
    np.save("images.npy", np.zeros((4, 28, 28, 1), np.uint8))
    imported = imported_by("encode", "images.npy", "out.npz", "--model", path)
    assert "gan_runtime.images.array_files" in imported
    assert imported & (NEVER | LARGE | OF_FOLDERS) == set()
    assert imported & {"PIL", "logging", "gan_runtime.generator", "gan_runtime.parts", "numpy.random"} == set()
