"""The table of recipes: everything about a training run that is not data, device or seed.

Every field of a recipe with a help text is a flag of gan-train, with the field's own bounds. A recipe that cannot work
cannot be made.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from gan_trainer.recipes.checks import AUTO, check_recipe, check_resolved

EPOCH = 60_000  # images


def _setting(default: Any, text: str, **bounds: Any) -> Any:
    """A field with its help text and its bounds: `min` and `max` belong to the range, `above` and `below` do not."""
    return field(default=default, metadata={"help": text, "bounds": bounds})


def _many(default: Any, text: str, least: int = 1) -> Any:
    return _setting(default, text, min=least, max=10**12)


@dataclass(frozen=True)
class Recipe:
    """Networks, objective, optimisers and lengths. Everything that is counted is counted in real images shown."""

    source: str
    system: str = "gan"  # a key of SYSTEMS
    network: str = _setting("dcgan", "mlp, conv, dcgan or resnet.")
    width: int = _setting(
        32, "Channels at half the image's side; the mlp's layers have 8 to 32 times as many.", min=2, max=4096
    )
    g_norm: str = _setting("batch", "What follows the generator's layers: none, batch or layer.")
    d_norm: str = _setting("batch", "What follows the discriminator's: none, batch, layer, or spectral on its weights.")
    dropout: float = _setting(0.0, "Of the mlp's discriminator, after each layer.", min=0.0, max=0.99)
    minibatch_std: bool = _setting(False, "Show a conv discriminator how much images, four at a time, differ.")
    conditional: bool = _setting(False, "Tell the networks classes.  [default: if recipe and data have them]")
    latent_dim: int = _setting(100, "Values per latent.", min=1, max=4096)
    latents: str = _setting("normal", "normal: N(0, 1), or uniform: U(-1, 1).")
    objective: str = _setting("non-saturating", "minimax, non-saturating, lsgan, wgan, hinge, rpgan or ragan.")
    penalty: str = _setting("none", "On the discriminator's gradient: gp, gp0, dragan, r1, r2, some of them, or none.")
    penalty_weight: float = _setting(0.0, "Factor of the penalty; of R1 and R2 it is half of gamma.", min=0.0, max=1e6)
    penalty_every: int = _setting(1, "Steps between two penalties; each counts so many times.", min=1, max=1000)
    clip: float = _setting(0.0, "Bound of the critic's weights after each of its steps; 0: none.", min=0.0, max=1e3)
    critic_steps: int = _setting(1, "Steps of the discriminator for one of the generator.", min=1, max=1000)
    warm_critic: int = _setting(0, "As many for the first 25 generator steps and every 500th.", min=0, max=1000)
    share_passes: bool = _setting(False, "The discriminator step's generated images serve the generator step, too.")
    optimizer: str = _setting("adam", "adam or rmsprop.")
    lr: float = _setting(2e-4, "Learning rate of all networks.", above=0.0, max=1.0)
    betas: tuple[float, float] = _setting((0.5, 0.999), "Of Adam.", min=0.0, below=1.0)
    weight_decay: float = _setting(0.0, "L2 penalty on all weights.", min=0.0, max=1.0)
    decay: str = _setting("linear", "How the learning rate falls: linear or cosine.")
    decay_from: float = _setting(1.0, "Share of the run after which it falls.", min=0.0, max=1.0)
    lr_end: float = _setting(0.0, "What is left of it at the end, as a share.", min=0.0, max=1.0)
    batch_size: int = _setting(64, "Images per step.", min=2, max=65536)
    images: int = _many(30 * EPOCH, "Length: real images to show.")
    ema_half_life: int = _many(0, "Images after which an old weight counts half in the average; 0: no average.", 0)
    augment: str = _setting(
        "none", "colour,translation,cutout or some of them, none, or auto: all for a small data set."
    )
    precision: str = _setting("fp32", "fp32, bf16, or auto: bf16 where the device computes in it.")
    eval_every: int = _many(2 * EPOCH, "Images between two evaluations; 0: none.  [default: where features ship]", 0)
    patience: int = _setting(0, "Stop after so many evaluations without a better FID; 0: never.", min=0, max=10**6)
    stop_when_collapsed: bool = _setting(False, "End with exit code 3 when the generator repeats itself.")
    log_every: int = _many(12_800, "Images between two lines of the log.")
    preview_every: int = _many(EPOCH, "Images between two pictures of fixed samples.")
    checkpoint_every: int = _many(EPOCH, "Images between two checkpoints.")

    def __post_init__(self) -> None:
        """Raise InputError, naming the field, where one is out of range or they contradict each other."""
        check_recipe(self)

    @property
    def unresolved(self) -> tuple[str, ...]:
        """Fields that are still "auto": device and data decide what they become (`config.make_config`)."""
        return tuple(name for name in ("precision", "augment") if getattr(self, name) == AUTO)

    @property
    def bf16(self) -> bool:
        """Whether matrix products and convolutions are computed in bf16. Raises InputError for "auto"."""
        check_resolved("precision", self.precision)
        return self.precision == "bf16"

    @property
    def augmentations(self) -> tuple[str, ...]:
        """Names of the augmentations, in order. Raises InputError for "auto"."""
        check_resolved("augment", self.augment)
        return _names(self.augment)

    @property
    def penalties(self) -> tuple[str, ...]:
        """Names of the penalties, which all have the same weight."""
        return _names(self.penalty)


def _names(value: str) -> tuple[str, ...]:
    return () if value == "none" else tuple(value.split(","))


GAN = Recipe(
    source="the original GAN (Goodfellow et al. 2014) as an MLP on MNIST, with the non-saturating generator loss",
    network="mlp",
    g_norm="none",
    d_norm="none",
    dropout=0.3,
    betas=(0.9, 0.999),
    batch_size=128,
    images=200 * EPOCH,
    eval_every=10 * EPOCH,
    log_every=EPOCH,
    preview_every=10 * EPOCH,
)

RECIPES = {
    "quick": Recipe(
        source="class-conditional, non-saturating, with lazy R1 (Mescheder et al. 2018; Karras et al. 2020)",
        network="conv",
        width=24,
        d_norm="none",
        conditional=True,
        latent_dim=64,
        penalty="r1",
        penalty_weight=0.05,
        penalty_every=8,
        share_passes=True,
        lr=3e-3,
        betas=(0.0, 0.99),
        decay_from=0.0,
        images=12 * EPOCH,
        ema_half_life=20_000,
        augment="auto",
        precision="auto",
    ),
    "gan": GAN,
    "gan-minimax": replace(
        GAN,
        source="the original GAN with the loss of its equation 1, log(1 - D(G(z))) (Goodfellow et al. 2014)",
        objective="minimax",
    ),
    "lsgan": Recipe(
        source="least squares GAN (Mao et al. 2017) on DCGAN's networks (Radford et al. 2016)",
        objective="lsgan",
    ),
    "wgan": Recipe(
        source="Wasserstein GAN with weight clipping (Arjovsky et al. 2017) and its authors' extra critic steps",
        objective="wgan",
        clip=0.01,
        critic_steps=5,
        warm_critic=100,
        optimizer="rmsprop",
        lr=5e-5,
    ),
    "wgan-gp": Recipe(
        source="Wasserstein GAN with gradient penalty (Gulrajani et al. 2017)",
        d_norm="none",
        objective="wgan",
        penalty="gp",
        penalty_weight=10.0,
        critic_steps=5,
        lr=1e-4,
        betas=(0.5, 0.9),
    ),
    "dragan": Recipe(
        source="GAN with a gradient penalty around the data (Kodali et al. 2017)",
        d_norm="none",
        penalty="dragan",
        penalty_weight=10.0,
        lr=1e-4,
        betas=(0.5, 0.9),
        batch_size=128,
    ),
    "hinge": Recipe(
        source="hinge loss (Lim and Ye 2017) with spectral norm (Miyato et al. 2018)",
        d_norm="spectral",
        objective="hinge",
        betas=(0.0, 0.9),
    ),
    "rpgan": Recipe(
        source="relativistic pairing GAN (Jolicoeur-Martineau 2018) on DCGAN's networks",
        objective="rpgan",
    ),
    "r3gan": Recipe(
        source="relativistic pairing with R1 and R2 at every step, residual networks without norms (Huang et al. 2024)",
        network="resnet",
        width=16,
        g_norm="none",
        d_norm="none",
        objective="rpgan",
        penalty="r1,r2",
        penalty_weight=0.05,
        betas=(0.0, 0.99),
        decay="cosine",
        decay_from=0.0,
        lr_end=0.25,
        ema_half_life=10_000,
        precision="auto",
    ),
    "bigan": Recipe(
        source="bidirectional GAN (Donahue et al. 2017): the discriminator sees images with latents",
        system="bigan",
        network="mlp",
        d_norm="none",
        latent_dim=50,
        latents="uniform",
        weight_decay=2.5e-5,
        batch_size=128,
        images=100 * EPOCH,
        eval_every=5 * EPOCH,
    ),
    "vae": Recipe(
        source="variational autoencoder (Kingma and Welling 2014), the contrast to the GANs",
        system="vae",
        objective="elbo",
        latent_dim=20,
        lr=1e-3,
        betas=(0.9, 0.999),
        batch_size=128,
    ),
}
