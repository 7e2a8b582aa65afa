"""One network of each task with random weights, as a module, as an exported file, and with inputs. Needs torch."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

RGB, SCALE = 3, 4


@dataclass(frozen=True)
class Workload:
    """A network in both forms.

    Attributes:
        name: of the recipe or network, and of the file.
        file: the exported file.
        module: the same network for torch, from and to uint8 as the file.
        inputs: arrays for both, in their order.
        run: calls the open file with `inputs`; the arguments are the open file.
    """

    task: str
    name: str
    file: Path
    module: Any
    inputs: tuple[Any, ...]
    run: Callable[[Any], object]

    @property
    def title(self) -> str:
        """Task, network and the shape of the first input."""
        return f"{self.task}: {self.name}, {'x'.join(map(str, self.inputs[0].shape))}"


def generator(recipe: str, batch: int, folder: Path) -> Workload:
    """The generator of a recipe for 28x28 grey images, and so many latents."""
    from sampling_speed import build_network

    from gan_runtime.latents import default_labels, draw_latents
    from gan_trainer.export.generator import Deployed

    network = build_network(recipe, folder)
    latents = draw_latents(0, 0, batch, network.latent_dim)
    inputs = (latents, *((default_labels(0, batch, network.classes),) if network.classes else ()))
    return Workload("generate", recipe, network.file, Deployed(network.module), inputs, lambda file: file(*inputs))


def encoder(batch: int, folder: Path) -> Workload:
    """The encoder of the recipe vae for 28x28 grey images, and so many images."""
    from gan_runtime.evaluation.fingerprint import source_images
    from gan_runtime.manifest import ImageAxes, ImageSize, Latents
    from gan_trainer.export.encoder import Deployed, encoder_file

    size, path = ImageSize(28, 28, 1), folder / "vae-encoder.onnx"
    recipe, network = _network("vae", size, part="encoder")
    path.write_bytes(encoder_file(network, path, size=size, latents=Latents(recipe.latent_dim, "normal")).content)
    images = source_images(ImageAxes(28, 28, 1), batch)
    return Workload("encode", "vae", path, Deployed(network, recipe.latent_dim), (images,), lambda file: file(images))


def translator(recipe: str, side: int, folder: Path) -> Workload:
    """The generator of a recipe of translation, and one picture."""
    from gan_runtime.evaluation.fingerprint import source_images
    from gan_runtime.manifest import ImageAxes, ImageSize
    from gan_trainer.export.image_to_image import Deployed
    from gan_trainer.export.translator import KIND, translator_file

    size, path = ImageSize(side, side, RGB), folder / f"{recipe}.onnx"
    _, network = _network(recipe, size, source=size)
    path.write_bytes(translator_file(network, path, source=size, images=size).content)
    picture = source_images(ImageAxes(side, side, RGB), 1)
    return Workload("translate", recipe, path, Deployed(network, KIND), (picture,), lambda file: file(picture))


def upscaler(side: int, folder: Path, width: int = 64, blocks: int = 8) -> Workload:
    """A compact upscaler, and one picture, which is not cut into tiles."""
    import torch

    from gan_runtime.evaluation.fingerprint import source_images
    from gan_runtime.manifest import ImageAxes
    from gan_trainer.export.image_to_image import Deployed
    from gan_trainer.export.upscaler import KIND, upscaler_file
    from gan_trainer.networks.upscaling import new_upscaler

    torch.manual_seed(0)
    name, path = f"compact {width}x{blocks}", folder / f"compact-{width}x{blocks}.onnx"
    network = new_upscaler("compact", SCALE, RGB, width, blocks).eval()
    path.write_bytes(upscaler_file(network, path, channels=RGB, scale=SCALE).content)
    picture = source_images(ImageAxes(side, side, RGB), 1)
    return Workload("upscale", name, path, Deployed(network, KIND), (picture,), lambda file: file(picture, 0))


def _network(recipe: str, size: Any, source: Any = None, part: str = "generator") -> tuple[Any, Any]:
    from gan_trainer.recipes.recipe import RECIPES
    from gan_trainer.systems import new_networks
    from gan_trainer.training.system import Shapes

    found = replace(RECIPES[recipe])
    return found, new_networks(found, Shapes(size, source=source))[part].eval()
