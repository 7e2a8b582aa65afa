"""Adversarial losses as pairs of functions on logits.

Every function takes the discriminator's logits of real and of generated images, both float [n], and returns a scalar,
the mean over the batch. Both losses take both logits, because relativistic objectives need them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor
from torch.nn.functional import relu, softplus

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """The losses of discriminator and generator.

    Args:
        d_loss, g_loss: as above.
        paired: whether g_loss uses the real logits.
        threshold: the logit above which the discriminator takes an image for real; None if the losses depend on
            differences of logits alone.
    """

    d_loss: Loss
    g_loss: Loss
    paired: bool = False
    threshold: float | None = 0.0

    def margins(self, real: Tensor, fake: Tensor) -> Tensor:
        """How far the real logits are above the threshold, float [n].

        Where the losses leave the threshold open, it is half way between the mean real and the mean generated logit.
        """
        return real - ((real.mean() + fake.mean()) / 2 if self.threshold is None else self.threshold)


def logistic_d_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(G(z))) with D = sigmoid(logit): Goodfellow et al. 2014, equation 1. 2 log 2 at logits 0."""
    return softplus(-real).mean() + softplus(fake).mean()


def minimax_g_loss(real: Tensor, fake: Tensor) -> Tensor:
    """log(1 - D(G(z))): Goodfellow et al. 2014, equation 1. Its gradient vanishes if D is confident."""
    return -softplus(fake).mean()


def non_saturating_g_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-log D(G(z)): Goodfellow et al. 2014, section 3, "rather than training G to minimize log(1 - D(G(z)))"."""
    return softplus(-fake).mean()


def least_squares_d_loss(real: Tensor, fake: Tensor) -> Tensor:
    """((D(x) - 1)^2 + D(G(z))^2) / 2, D linear: Mao et al. 2017, equation 9 (a = 0, b = c = 1). 0 at logits 1 and 0."""
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def least_squares_g_loss(real: Tensor, fake: Tensor) -> Tensor:
    """(D(G(z)) - 1)^2 / 2: Mao et al. 2017, equation 9."""
    return (fake - 1).square().mean() / 2


def wasserstein_d_loss(real: Tensor, fake: Tensor) -> Tensor:
    """D(G(z)) - D(x), minus the estimated distance: Arjovsky et al. 2017, equation 2. The critic must be Lipschitz."""
    return fake.mean() - real.mean()


def wasserstein_g_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-D(G(z)): Arjovsky et al. 2017, algorithm 1, line 10; the second half of the hinge loss, too."""
    return -fake.mean()


def hinge_d_loss(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))): Lim and Ye 2017; Miyato et al. 2018, equation 16."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def pairing_d_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-log sigmoid(D(x) - D(G(z))): Jolicoeur-Martineau 2018; RpGAN in Huang et al. 2024, equation 2."""
    return softplus(fake - real).mean()


def pairing_g_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-log sigmoid(D(G(z)) - D(x)): Jolicoeur-Martineau 2018; RpGAN in Huang et al. 2024, equation 2."""
    return pairing_d_loss(fake, real)


def average_d_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-log sigmoid(D(x) - E D(G(z))) - log(1 - sigmoid(D(G(z)) - E D(x))): Jolicoeur-Martineau 2018, section 4.3."""
    return softplus(fake.mean() - real).mean() + softplus(fake - real.mean()).mean()


def average_g_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-log sigmoid(D(G(z)) - E D(x)) - log(1 - sigmoid(D(x) - E D(G(z)))): Jolicoeur-Martineau 2018, section 4.3."""
    return average_d_loss(fake, real)


OBJECTIVES = {
    "minimax": Objective(logistic_d_loss, minimax_g_loss),
    "non-saturating": Objective(logistic_d_loss, non_saturating_g_loss),
    "lsgan": Objective(least_squares_d_loss, least_squares_g_loss, threshold=0.5),
    "wgan": Objective(wasserstein_d_loss, wasserstein_g_loss, threshold=None),
    "hinge": Objective(hinge_d_loss, wasserstein_g_loss),
    "rpgan": Objective(pairing_d_loss, pairing_g_loss, paired=True, threshold=None),
    "ragan": Objective(average_d_loss, average_g_loss, paired=True, threshold=None),
}
