"""Settings of BiGANs, which have no other settings than all systems with a discriminator."""

from dataclasses import dataclass, field

from gan_runtime.errors import InputError
from gan_trainer.recipes.adversarial import AdversarialRecipe
from gan_trainer.recipes.base import check_no_average


@dataclass(frozen=True)
class BiganRecipe(AdversarialRecipe):
    """A generator and an encoder against a discriminator of pairs."""

    system: str = field(default="bigan", init=False)

    def check(self) -> None:
        """Raise InputError for an objective without mirror image, or an average."""
        if self.objective == "lsgan":
            raise InputError("--objective lsgan: its targets 0 and 1 have no mirror image; bigan takes any other")
        check_no_average(self)
        super().check()
