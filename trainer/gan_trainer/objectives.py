"""Adversarial losses as pairs of functions on logits.

Every function takes the discriminator's logits of real and of generated images, both float [n], and returns a scalar,
the mean over the batch. Both losses see both logits: relativistic objectives need them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor
from torch.nn.functional import softplus

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """What the discriminator minimises and what the generator minimises; `paired`: g_loss uses the real logits."""

    d_loss: Loss
    g_loss: Loss
    paired: bool = False


def logistic_d_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(G(z))) with D = sigmoid(logit): Goodfellow et al. 2014, equation 1. 2 log 2 at logits 0."""
    return softplus(-real).mean() + softplus(fake).mean()


def non_saturating_g_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-log D(G(z)): Goodfellow et al. 2014, section 3, "rather than training G to minimize log(1 - D(G(z)))"."""
    return softplus(-fake).mean()


def pairing_d_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-log sigmoid(D(x) - D(G(z))): Jolicoeur-Martineau 2018; RpGAN in Huang et al. 2024, equation 2."""
    return softplus(fake - real).mean()


def pairing_g_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-log sigmoid(D(G(z)) - D(x)), the mirror image of `pairing_d_loss`."""
    return softplus(real - fake).mean()


OBJECTIVES = {
    "non-saturating": Objective(logistic_d_loss, non_saturating_g_loss),
    "rpgan": Objective(pairing_d_loss, pairing_g_loss, paired=True),
}
