"""Settings of StyleGAN2: the widths of its networks, and its two lazy regularisers."""

import math
from dataclasses import dataclass, field

from gan_runtime.errors import InputError
from gan_trainer.recipes.adversarial import STD_GROUP
from gan_trainer.recipes.augmented import AugmentedRecipe
from gan_trainer.recipes.base import setting
from gan_trainer.recipes.checks import flag
from gan_trainer.recipes.latents import GenerateRecipe


@dataclass(frozen=True)
class Stylegan2Recipe(AugmentedRecipe, GenerateRecipe):
    """A mapping and a synthesis network against a residual discriminator."""

    system: str = field(default="stylegan2", init=False)
    objective: str = field(default="non-saturating", init=False)
    latents: str = field(default="normal", init=False)
    width: int = setting(
        128, "Channels at half the side of the canvas. Finer grids have half as many, coarser ones twice as many.",
        min=2, max=4096,
    )  # fmt: skip
    max_width: int = setting(512, "The most channels that a grid has.", min=1, max=4096)
    latent_dim: int = setting(512, "Dimension of the latents.", min=1, max=4096)
    style_dim: int = setting(512, "Dimension of the styles, and units of the mapping layers.", min=1, max=4096)
    mapping_layers: int = setting(8, "Layers of the mapping network.", min=1, max=64)
    mapping_rate: float = setting(
        0.01, "Learning rate of the mapping network, as a fraction of --lr.", above=0.0, max=1.0
    )
    noise: bool = setting(
        True, "Add noise with a learned strength to each convolution, for detail that is different in each image."
    )
    mixing: float = setting(0.9, "Share of the images that are drawn with two styles.", min=0.0, max=1.0)
    gamma: float = setting(1.0, "R1 counts gamma / 2 times; 0: none.", min=0.0, max=1e6)
    r1_every: int = setting(
        16, "Batches between steps on R1. Its weight is multiplied by this number.", min=1, max=1000
    )
    path_weight: float = setting(2.0, "Weight of the path length regularisation; 0: none.", min=0.0, max=1e6)
    path_every: int = setting(
        4, "Batches between steps on path lengths. Their weight is multiplied by this number.", min=1, max=1000
    )
    share_passes: bool = setting(
        False, "Use the generated images of the discriminator step in the generator step as well."
    )
    batch_size: int = setting(32, "Images per batch.", min=4, max=65536)

    only_images = "draws grids of pixels"

    def check(self) -> None:
        """Raise InputError if the batch cannot be divided into the groups of the minibatch deviation."""
        super().check()
        if self.batch_size % STD_GROUP:
            words = "the discriminator compares groups of four images; give 4, 8, …"
            raise InputError(f"{flag('batch_size', self.batch_size)}: {words}")

    def idle(self) -> dict[str, str]:
        """Intervals of regularisers that are off."""
        r1 = {} if self.gamma else {"r1_every": "there is no R1; give --gamma"}
        path = {} if self.path_weight else {"path_every": "there is no path length; give --path-weight"}
        return super().idle() | r1 | path

    def lazy_share(self, optimizer: str) -> float:
        """c = k / (k + 1): an optimizer makes k + 1 steps in k batches (Karras et al. 2020, section 3.1 and B)."""
        every = self.r1_every * bool(self.gamma) if optimizer == "d" else self.path_every * bool(self.path_weight)
        return every / (every + 1) if every else 1.0

    def share_of_rate(self, optimizer: str) -> float:
        """The learning rate becomes c times itself."""
        return self.lazy_share(optimizer)

    def betas_of(self, optimizer: str) -> tuple[float, float]:
        """The decay rates become their powers of c."""
        first, second = self.betas
        return first ** self.lazy_share(optimizer), second ** self.lazy_share(optimizer)

    @property
    def batch_step(self) -> int:
        """Batch sizes must be multiples of it."""
        return STD_GROUP

    @property
    def cycle(self) -> int:
        """The period of the cost of a step, in steps."""
        return math.lcm(self.r1_every if self.gamma else 1, self.path_every if self.path_weight else 1)

    @property
    def differentiates_twice(self) -> bool:
        """Whether there is R1. The synthesis network, of which path lengths are derivatives, is never compiled."""
        return bool(self.gamma)

    @property
    def summary(self) -> str:
        """The objective, and the regularisers with their weights."""
        r1 = [f"R1 {self.gamma:g}"] if self.gamma else []
        path = [f"path length {self.path_weight:g}"] if self.path_weight else []
        return " + ".join([self.objective, *r1, *path])
