"""Settings of systems whose discriminator sees augmented images."""

from dataclasses import dataclass

from gan_trainer.recipes.base import Recipe, many, setting
from gan_trainer.recipes.checks import ADA, ADA_GROUPS, check_augmentation, check_names, check_resolved


@dataclass(frozen=True)
class AugmentedRecipe(Recipe):
    """The augmentation of real and generated images before the discriminator: `training.augmentation` applies it."""

    augment: str = setting(
        "none",
        "Augmentation: ada, which adapts to overfitting; colour, translation, cutout, separated by commas; none; or "
        "auto: the latter three for small data sets.",
    )
    ada_target: float = setting(
        0.6, "Mean sign of the logits of real images, above which ada's probability rises and below which it falls.",
        min=-1.0, max=1.0,
    )  # fmt: skip
    ada_speed: int = many(500_000, "Images in which ada's probability rises from 0 to 1.")
    ada_groups: str = setting(",".join(ADA_GROUPS), "Operations of ada: blit, geometry, colour, separated by commas.")

    def check(self) -> None:
        """Raise InputError for an unknown augmentation."""
        check_augmentation(self.augment)
        check_names("--ada-groups", self.ada_groups, ADA_GROUPS)
        super().check()

    def idle(self) -> dict[str, str]:
        """The settings of ada have no effect on other augmentations."""
        ada = ("ada_target", "ada_speed", "ada_groups") if self.augment != ADA else ()
        return super().idle() | dict.fromkeys(ada, "there is no adaptive augmentation; give --augment ada")

    @property
    def adaptive(self) -> bool:
        """Whether the augmentation is ada. Raises InputError for "auto"."""
        check_resolved("augment", self.augment)
        return self.augment == ADA

    @property
    def augmentations(self) -> tuple[str, ...]:
        """Names of the augmentations that do not adapt, in order. Raises InputError for "auto"."""
        return () if self.adaptive else names(self.augment)


def names(value: str) -> tuple[str, ...]:
    """Names that are separated by commas; none for "none"."""
    return () if value == "none" else tuple(value.split(","))
