"""Settings of variational autoencoders: those of all systems with latents."""

from dataclasses import dataclass, field

from gan_runtime.errors import InputError
from gan_trainer.recipes.base import check_no_average
from gan_trainer.recipes.checks import flag
from gan_trainer.recipes.latents import LatentRecipe


@dataclass(frozen=True)
class VaeRecipe(LatentRecipe):
    """An encoder and a decoder, which is the generator."""

    system: str = field(default="vae", init=False)
    objective: str = field(default="elbo", init=False)

    only_images = "interprets values as probabilities of pixels"

    def check(self) -> None:
        """Raise InputError for latents that are not N(0, 1), or an average."""
        if self.latents != "normal":
            raise InputError(f"{flag('latents', self.latents)}: vae does not use it; leave it out")
        check_no_average(self)

    @property
    def summary(self) -> str:
        """The evidence lower bound."""
        return self.objective
