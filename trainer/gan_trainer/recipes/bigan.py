"""Settings of BiGANs: those of all adversarial systems."""

from dataclasses import dataclass, field

from gan_runtime.errors import InputError
from gan_trainer.recipes.adversarial import AdversarialRecipe
from gan_trainer.recipes.base import check_no_average


@dataclass(frozen=True)
class BiganRecipe(AdversarialRecipe):
    """A generator and an encoder against a discriminator of pairs."""

    system: str = field(default="bigan", init=False)

    def check(self) -> None:
        """Raise InputError for an objective that cannot be used with swapped labels, or an average."""
        if self.objective == "lsgan":
            raise InputError(
                "--objective lsgan: its targets 0 and 1 do not allow swapped labels; choose another objective"
            )
        check_no_average(self)
        super().check()
