"""Settings of systems whose discriminator sees augmented images."""

from dataclasses import dataclass

from gan_trainer.recipes.base import Recipe, setting
from gan_trainer.recipes.checks import check_augmentation, check_resolved


@dataclass(frozen=True)
class AugmentedRecipe(Recipe):
    """The augmentation of real and generated images before the discriminator."""

    augment: str = setting(
        "none",
        "Augmentation: colour, translation, cutout, separated by commas; none; or auto: all for small data sets.",
    )

    def check(self) -> None:
        """Raise InputError if an augmentation is unknown."""
        check_augmentation(self.augment)
        super().check()

    @property
    def augmentations(self) -> tuple[str, ...]:
        """Names of the augmentations, in order. Raises InputError for "auto"."""
        check_resolved("augment", self.augment)
        return names(self.augment)


def names(value: str) -> tuple[str, ...]:
    """Names that are separated by commas; none for "none"."""
    return () if value == "none" else tuple(value.split(","))
