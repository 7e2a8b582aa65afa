"""Settings of all adversarial systems, which train a generator against a discriminator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gan_runtime.errors import InputError
from gan_trainer.recipes.base import setting
from gan_trainer.recipes.checks import accepts, check_choice, flag, one_of
from gan_trainer.recipes.latents import NORMS, LatentRecipe

OBJECTIVES = ("minimax", "non-saturating", "lsgan", "wgan", "hinge", "rpgan", "ragan")
STD_GROUP = 4  # images per group of the minibatch standard deviation
EARLY, LONG_INTERVAL = 25, 500  # generator steps between longer trainings of a Wasserstein critic


@dataclass(frozen=True)
class AdversarialRecipe(LatentRecipe):
    """The discriminator, the objective, and how many steps the discriminator makes."""

    d_norm: str = setting(
        "batch", "Normalisation of the discriminator: none, batch, layer, or spectral (of its weights).",
        (*NORMS, "spectral"),
    )  # fmt: skip
    dropout: float = setting(0.0, "Dropout rate after each layer of an mlp discriminator.", min=0.0, max=0.99)
    minibatch_std: bool = setting(
        False, "Standard deviation over groups of four images as a feature of a conv discriminator."
    )
    objective: str = setting(
        "non-saturating", "Adversarial loss: minimax, non-saturating, lsgan, wgan, hinge, rpgan or ragan."
    )
    clip: float = setting(
        0.0, "Clip the critic's weights to [-CLIP, CLIP] after each of its steps; 0: do not.", min=0.0, max=1e3
    )
    critic_steps: int = setting(1, "Discriminator steps per generator step.", min=1, max=1000)
    warm_critic: int = setting(
        0, "Discriminator steps per generator step in the first 25 and every 500th of those; 0: --critic-steps.",
        min=0, max=1000,
    )  # fmt: skip

    def check(self) -> None:
        """Raise InputError where the discriminator's settings contradict each other."""
        super().check()
        if self.objective == "elbo":
            raise InputError("--objective elbo: this is the objective of an autoencoder; choose --recipe vae")
        check_choice(self, "objective", self.objective, OBJECTIVES)
        if self.minibatch_std and self.batch_size % STD_GROUP:
            words = "--minibatch-std needs groups of four images; give 4, 8, …"
            raise InputError(f"{flag('batch_size', self.batch_size)}: {words}")
        if self.objective == "wgan" and not self.bounded:
            bounds: dict[str, dict[str, Any]] = {
                "--clip": {"clip": 0.01},
                "--penalty": {"penalty": "gp", "penalty_weight": 10.0},
                "--d-norm spectral": {"d_norm": "spectral"},
            }
            ways = [way for way, values in bounds.items() if accepts(self, **values)] or bounds
            raise InputError(f"--objective wgan: its critic needs a Lipschitz constraint; give {one_of(ways)}")
        if self.clip and self.d_norm == "spectral":
            raise InputError("--d-norm spectral: it cannot be combined with --clip; give --clip 0")
        if 0 < self.warm_critic < self.critic_steps:
            raise InputError(f"{flag('warm_critic', self.warm_critic)}: is less than --critic-steps; give more, or 0")
        steps = max(self.critic_steps, self.warm_critic)
        first = steps * self.batch_size
        if self.images < first:
            fewer = ", or fewer steps with --critic-steps and --warm-critic" if steps > 1 else ""
            raise InputError(
                f"--images {self.images}: the generator's first step comes after {first:,}; give more, or a smaller "
                f"--batch-size{fewer}"
            )

    @property
    def bounded(self) -> bool:
        """Whether the critic has a Lipschitz constraint: weight clipping or spectral norm."""
        return bool(self.clip) or self.d_norm == "spectral"

    def idle(self) -> dict[str, str]:
        """Fields of the discriminator that its network does not support, and why."""
        std = {"minibatch_std": "only a conv discriminator supports it"} if self.network != "conv" else {}
        dropout = {"dropout": f"the network {self.network} has none"} if self.network != "mlp" else {}
        return super().idle() | std | dropout

    def generator_is_due(self, counters: Mapping[str, int]) -> bool:
        """Whether the discriminator has made its steps (Arjovsky et al. 2017, algorithm 1, and its authors' code)."""
        warm = self.warm_critic and (counters["g_steps"] < EARLY or counters["g_steps"] % LONG_INTERVAL == 0)
        return counters["d_steps"] >= (self.warm_critic if warm else self.critic_steps)

    @property
    def batch_step(self) -> int:
        """Batch sizes must be multiples of it."""
        return STD_GROUP if self.minibatch_std else 1

    @property
    def cycle(self) -> int:
        """The period of the cost of a step, in steps."""
        return self.critic_steps

    @property
    def summary(self) -> str:
        """The objective, and the regularisation of the discriminator."""
        return " ".join([self.objective, *self.bounds()])

    def bounds(self) -> list[str]:
        """The regularisation of the discriminator, as text."""
        clip = [f"clip {self.clip:g}"] if self.clip else []
        return clip + (["spectral norm"] if self.d_norm == "spectral" else [])
