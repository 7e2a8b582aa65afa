"""Small exported files of the tasks that no shipped file has, of networks with random weights. Needs torch."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WIDTH, SIDE, LATENTS, STYLES = 16, 64, 32, 32


def compared_files(named: list[str], folder: Path) -> list[Path]:
    """The files that are named; if there are none, those that ship, and fresh ones in `folder` if torch is here."""
    if named:
        return [Path(name).resolve() for name in named]
    exported = ROOT / "exported"
    shipped = [*sorted(exported.glob("*.onnx")), *sorted((exported / "features").glob("*.onnx"))]
    return [*shipped, *(write_fresh_models(folder) if find_spec("torch") else [])]


def shown(path: Path) -> str:
    """A file in a table."""
    return "/".join(path.parts[-2:])


def write_fresh_models(folder: Path) -> list[Path]:
    """Write an encoder, a translator, an upscaler, a generator with styles, and its parts to `folder`."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return [_encoder(folder), _translator(folder), _upscaler(folder), *_styled(folder)]


def _encoder(folder: Path) -> Path:
    from gan_runtime.manifest import ImageSize, Latents
    from gan_trainer.export.encoder import encoder_file

    size, path = ImageSize(SIDE, SIDE, 3), folder / "encode.onnx"
    network = _networks("vae", size, width=WIDTH, latent_dim=LATENTS)["encoder"].eval()
    path.write_bytes(encoder_file(network, path, size=size, latents=Latents(LATENTS, "normal")).content)
    return path


def _translator(folder: Path) -> Path:
    from gan_runtime.manifest import ImageSize
    from gan_trainer.export.translator import translator_file

    size, path = ImageSize(SIDE, SIDE, 3), folder / "translate.onnx"
    generator = _networks("cyclegan", size, source=size, width=WIDTH)["generator"].eval()
    path.write_bytes(translator_file(generator, path, source=size, images=size).content)
    return path


def _upscaler(folder: Path) -> Path:
    from gan_trainer.export.upscaler import upscaler_file
    from gan_trainer.networks.upscaling import new_upscaler

    path = folder / "upscale.onnx"
    network = new_upscaler("compact", 2, 3, WIDTH, 4).eval()
    path.write_bytes(upscaler_file(network, path, channels=3, scale=2).content)
    return path


def _styled(folder: Path) -> list[Path]:
    """A generator with styles, and its parts."""
    from gan_runtime.manifest import ImageSize
    from gan_trainer.export import export_styled

    network: Any = _networks("stylegan2-small", ImageSize(SIDE, SIDE, 3), width=WIDTH)["generator"].eval()
    return [file.path for file in export_styled(network, folder / "styles.onnx", parts=True).values()]


def _networks(recipe: str, size: Any, source: Any = None, **changes: Any) -> dict[str, Any]:
    from gan_trainer.recipes.recipe import RECIPES
    from gan_trainer.systems import new_networks
    from gan_trainer.training.system import Shapes

    return new_networks(replace(RECIPES[recipe], **changes), Shapes(size, source=source))
