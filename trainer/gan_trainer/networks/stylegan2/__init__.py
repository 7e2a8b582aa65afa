"""The networks of StyleGAN2 (Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN").

They are plain operators that the exporter knows. Weights are stored as the authors' code stores them, N(0, 1), and
scaled when they are used.
"""

from gan_runtime.manifest import ImageSize
from gan_trainer.networks.stylegan2.canvas import canvas_side, grids
from gan_trainer.networks.stylegan2.discriminator import StyleDiscriminator
from gan_trainer.networks.stylegan2.generator import StyleGenerator
from gan_trainer.networks.stylegan2.mapping import Mapping
from gan_trainer.networks.stylegan2.synthesis import Synthesis

__all__ = ["Mapping", "StyleDiscriminator", "StyleGenerator", "Synthesis", "grid_channels"]


def grid_channels(size: ImageSize, width: int, most: int) -> dict[int, int]:
    """The channels of each grid, by its side: `width` at half the canvas's side, twice as many at half of that, up to
    `most`.
    """
    side = canvas_side(size)
    return {grid: max(1, min(width * side // (2 * grid), most)) for grid in grids(side)}
