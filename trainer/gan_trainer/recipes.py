"""The table of recipes: everything about a training run that is not data, device or seed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Networks, objective, optimisers and lengths. Everything that is counted is counted in real images shown."""

    source: str
    network: str
    conditional: bool  # on the classes, where the data have any
    latent_dim: int
    objective: str
    batch_size: int
    lr: float
    betas: tuple[float, float]
    images: int
    log_every: int
    preview_every: int
    checkpoint_every: int
    r1_gamma: float = 0.0  # weight of half the R1 penalty
    r1_every: int = 1  # steps between two penalties, each of which then counts so many times
    share_passes: bool = (
        False  # the discriminator step's generated images and real logits serve the generator step, too
    )
    ema_half_life: int = 0  # images after which an old weight counts half in the average; 0: no average
    decay_from: float = 1.0  # share of the run after which the learning rate falls towards zero
    precision: str = "fp32"  # fp32, bf16, or auto: bf16 where the device computes in it
    width: int = 32  # channels of a convolutional network at half the image's side
    eval_every: int = 0  # 0: never
    eval_share: float = 0.05  # of the time, at most; evaluations wait where they have taken more. 0: no limit
    patience: int = 0  # stop after so many evaluations without a better FID; 0: never
    stop_when_collapsed: bool = False
    augment: str = "none"  # what the discriminator sees: names with commas, or auto: all of them for few images

    @property
    def augmentations(self) -> tuple[str, ...]:
        """Names of the augmentations, in order."""
        return () if self.augment == "none" else tuple(self.augment.split(","))


RECIPES = {
    "quick": Recipe(
        source="class-conditional RpGAN (Huang et al. 2024) with lazy R1 (Mescheder et al. 2018; Karras et al. 2020)",
        network="conv",
        conditional=True,
        latent_dim=64,
        objective="rpgan",
        batch_size=64,
        lr=3e-3,
        betas=(0.0, 0.99),
        images=30 * 60_000,
        log_every=12_800,
        preview_every=60_000,
        checkpoint_every=60_000,
        eval_every=2 * 60_000,
        r1_gamma=0.1,
        r1_every=8,
        share_passes=True,
        ema_half_life=10_000,
        decay_from=0.5,
        precision="auto",
        augment="auto",
    ),
    "gan": Recipe(
        source="the original GAN (Goodfellow et al. 2014) as an MLP on MNIST, with the non-saturating generator loss",
        network="mlp",
        conditional=False,
        latent_dim=100,
        objective="non-saturating",
        batch_size=128,
        lr=2e-4,
        betas=(0.9, 0.999),
        images=200 * 60_000,
        log_every=60_000,
        preview_every=10 * 60_000,
        checkpoint_every=60_000,
        eval_every=10 * 60_000,
    ),
}
