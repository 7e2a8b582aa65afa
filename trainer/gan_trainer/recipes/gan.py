"""Settings of GANs: penalties on the discriminator, augmentation, shared passes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gan_runtime.errors import InputError
from gan_trainer.recipes.adversarial import AdversarialRecipe
from gan_trainer.recipes.augmented import AugmentedRecipe, names
from gan_trainer.recipes.base import setting
from gan_trainer.recipes.checks import accepts, check_choice, flag, one_of

PENALTIES = ("gp", "gp0", "dragan", "r1", "r2")


@dataclass(frozen=True)
class GanRecipe(AugmentedRecipe, AdversarialRecipe):
    """A generator against a discriminator of images."""

    system: str = field(default="gan", init=False)
    penalty: str = setting("none", "Gradient penalties: gp, gp0, dragan, r1, r2, separated by commas, or none.")
    penalty_weight: float = setting(0.0, "Weight of each penalty. For r1 and r2 it is gamma / 2.", min=0.0, max=1e6)
    penalty_every: int = setting(
        1, "Discriminator steps between penalties. The weight is multiplied by this number.", min=1, max=1000
    )
    share_passes: bool = setting(
        False, "Use the generated images of the discriminator step in the generator step as well."
    )

    def check(self) -> None:
        """Raise InputError if penalties, shared passes or other settings contradict each other."""
        self._check_penalties()
        super().check()
        if self.share_passes and max(self.critic_steps, self.warm_critic) > 1:
            raise InputError("--share-passes: it needs one discriminator step per generator step; --no-share-passes")

    def _check_penalties(self) -> None:
        for name in self.penalties:
            check_choice(self, "penalty", name, PENALTIES)
        if len(set(self.penalties)) < len(self.penalties):
            raise InputError(
                f"{flag('penalty', self.penalty)}: the same penalty is given twice; give a larger --penalty-weight"
            )
        if self.penalties and not self.penalty_weight:
            raise InputError(f"{flag('penalty', self.penalty)}: has no weight; give --penalty-weight")
        if self.penalty_weight and not self.penalties:
            raise InputError(f"{flag('penalty_weight', self.penalty_weight)}: there is no penalty; give --penalty")
        if self.penalties and self.d_norm == "batch":
            norms = [norm for norm in ("none", "layer", "spectral") if accepts(self, d_norm=norm)] or ["none"]
            raise InputError(
                f"{flag('penalty', self.penalty)}: is computed per image, and batch norm in the discriminator mixes "
                f"images; choose --d-norm {one_of(norms)}"
            )

    def idle(self) -> dict[str, str]:
        """`penalty_every` has no effect without a penalty."""
        every = {} if self.penalties else {"penalty_every": "there is no penalty; give --penalty"}
        return super().idle() | every

    @classmethod
    def implied(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Without a penalty, its weight is 0."""
        return {"penalty_weight": 0.0} if given.get("penalty") == "none" else {}

    @property
    def bounded(self) -> bool:
        """Whether the critic has a Lipschitz constraint: a penalty, weight clipping or spectral norm."""
        return super().bounded or bool(self.penalties)

    @property
    def cycle(self) -> int:
        """The period of the cost of a step, in steps."""
        return self.critic_steps * self.penalty_every

    @property
    def differentiates_twice(self) -> bool:
        """Whether there is a penalty."""
        return bool(self.penalties)

    def bounds(self) -> list[str]:
        """The regularisation of the discriminator, as text."""
        penalty = [f"+ {self.penalty_weight:g} {self.penalty}"] if self.penalties else []
        return penalty + super().bounds()

    @property
    def penalties(self) -> tuple[str, ...]:
        """Names of the penalties, which all have the same weight."""
        return names(self.penalty)
