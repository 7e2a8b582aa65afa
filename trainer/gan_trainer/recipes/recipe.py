"""The table of recipes: all settings of a run except data, device and seed. Nothing here imports torch."""

from dataclasses import Field, fields, replace
from typing import Any, get_type_hints

from gan_runtime.errors import InputError
from gan_trainer.recipes.base import EPOCH, Recipe
from gan_trainer.recipes.bigan import BiganRecipe
from gan_trainer.recipes.checks import changed
from gan_trainer.recipes.gan import GanRecipe
from gan_trainer.recipes.stylegan2 import Stylegan2Recipe
from gan_trainer.recipes.translation import PairedRecipe, UnpairedRecipe
from gan_trainer.recipes.upscaling import EsrganRecipe, SrRecipe
from gan_trainer.recipes.vae import VaeRecipe

__all__ = ["EPOCH", "RECIPES", "SETTINGS", "Recipe", "changes_of", "find_recipe", "recipe"]

MADE_FROM = "_made_from"  # an attribute of recipes that `recipe` made: name and changes

SETTINGS: dict[str, type[Recipe]] = {  # by system
    "gan": GanRecipe,
    "bigan": BiganRecipe,
    "vae": VaeRecipe,
    "stylegan2": Stylegan2Recipe,
    "paired": PairedRecipe,
    "unpaired": UnpairedRecipe,
    "sr": SrRecipe,
    "esrgan": EsrganRecipe,
}

GAN = GanRecipe(
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

PIX2PIX = PairedRecipe(
    source="image to image from pairs (Isola et al. 2017); instance norm is its batch norm with one image per batch",
    norm="instance",
    up="transposed",
    dropout=0.5,
    d_norm="instance",
    objective="non-saturating",
    images=200 * 400,  # 200 epochs of 400 pairs
)

PIX2PIX_QUICK = PairedRecipe(
    source="pix2pix for minutes on a CPU, with least squares (Mao et al. 2017) and batch norm",
    width=32,
    patch=34,
    d_width=32,
    gan_weight=2.0,  # of half the squares
    flip=True,
    shift=3,
    lr=4e-4,
    d_lr=0.5,
    decay_from=0.5,
    batch_size=8,
    images=30_000,
    ema_half_life=5_000,
    precision="auto",
    eval_every=6_000,
    log_every=1_000,
    preview_every=6_000,
    checkpoint_every=6_000,
)

CYCLEGAN = UnpairedRecipe(
    source="image to image without pairs (Zhu et al. 2017)",
    network="resnet",
    norm="instance",
    up="transposed",
    d_norm="instance",
    gan_weight=2.0,  # of half the squares
    decay_from=0.5,
    images=200 * 1_334,  # 200 epochs of 1,334 zebras
)

SHORT_INTERVALS: dict[str, Any] = {  # of recipes whose images are crops of photos
    "ema_half_life": 2_000,
    "eval_every": 5_000,
    "log_every": 500,
    "preview_every": 5_000,
    "checkpoint_every": 5_000,
    "precision": "auto",
}

SR = SrRecipe(
    source="L1 on the trunk of EDSR (Lim et al. 2017), with an average and a cosine, for minutes on a CPU",
    lr=8e-4,
    betas=(0.9, 0.99),
    decay="cosine",
    decay_from=0.0,
    lr_end=0.01,
    images=50_000,
    **SHORT_INTERVALS,
)

RECIPES: dict[str, Recipe] = {
    "quick": GanRecipe(
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
    "lsgan": GanRecipe(
        source="least squares GAN (Mao et al. 2017) on DCGAN's networks (Radford et al. 2016)",
        objective="lsgan",
    ),
    "wgan": GanRecipe(
        source="Wasserstein GAN with weight clipping (Arjovsky et al. 2017) and its authors' extra critic steps",
        objective="wgan",
        clip=0.01,
        critic_steps=5,
        warm_critic=100,
        optimizer="rmsprop",
        lr=5e-5,
    ),
    "wgan-gp": GanRecipe(
        source="Wasserstein GAN with gradient penalty (Gulrajani et al. 2017)",
        d_norm="none",
        objective="wgan",
        penalty="gp",
        penalty_weight=10.0,
        critic_steps=5,
        lr=1e-4,
        betas=(0.5, 0.9),
    ),
    "dragan": GanRecipe(
        source="GAN with a gradient penalty around the data (Kodali et al. 2017)",
        d_norm="none",
        penalty="dragan",
        penalty_weight=10.0,
        lr=1e-4,
        betas=(0.5, 0.9),
        batch_size=128,
    ),
    "hinge": GanRecipe(
        source="hinge loss (Lim and Ye 2017) with spectral norm (Miyato et al. 2018)",
        d_norm="spectral",
        objective="hinge",
        betas=(0.0, 0.9),
    ),
    "rpgan": GanRecipe(
        source="relativistic pairing GAN (Jolicoeur-Martineau 2018) on DCGAN's networks",
        objective="rpgan",
    ),
    "r3gan": GanRecipe(
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
    "bigan": BiganRecipe(
        source="bidirectional GAN (Donahue et al. 2017): the discriminator sees images with latents",
        network="mlp",
        d_norm="none",
        latent_dim=50,
        latents="uniform",
        weight_decay=2.5e-5,
        batch_size=128,
        images=100 * EPOCH,
        eval_every=5 * EPOCH,
    ),
    "vae": VaeRecipe(
        source="variational autoencoder (Kingma and Welling 2014), for comparison with the GANs",
        latent_dim=20,
        lr=1e-3,
        betas=(0.9, 0.999),
        batch_size=128,
    ),
    "stylegan2": Stylegan2Recipe(
        source="StyleGAN2 (Karras et al. 2020) with the settings of its authors for 256 x 256 pixels",
        batch_size=64,
        lr=2.5e-3,
        betas=(0.0, 0.99),
        images=25_000_000,
        ema_half_life=20_000,
        precision="auto",
    ),
    "stylegan2-small": Stylegan2Recipe(
        source="StyleGAN2 (Karras et al. 2020) with narrow layers and short styles, for hours on a CPU at 64 x 64; "
        "without mixing and path lengths, as its authors' settings for 32 x 32",
        width=32,
        max_width=128,
        latent_dim=64,
        style_dim=64,
        mapping_layers=2,
        mixing=0.0,
        path_weight=0.0,
        gamma=4.0,
        share_passes=True,
        lr=3e-3,
        betas=(0.0, 0.99),
        batch_size=32,
        images=10 * EPOCH,
        ema_half_life=10_000,
        augment="auto",
        precision="auto",
    ),
    "pix2pix": PIX2PIX,
    "pix2pix-l1": replace(
        PIX2PIX, source="pix2pix without its discriminator, for comparison (Isola et al. 2017, table 1)", gan_weight=0.0
    ),
    "pix2pix-quick": PIX2PIX_QUICK,
    "cyclegan": CYCLEGAN,
    "cyclegan-quick": UnpairedRecipe(
        source="CycleGAN for minutes on a CPU, whose generators give the input plus a difference",
        network="resnet",
        width=24,
        blocks=4,
        skip=True,
        patch=34,
        d_width=32,
        d_norm="instance",
        gan_weight=2.0,
        cycle_weight=3.0,
        identity_weight=0.0,  # with it, outputs remain the input for long
        flip=True,
        lr=4e-4,
        d_lr=0.5,
        decay_from=0.5,
        batch_size=4,
        images=4_000,
        ema_half_life=1_400,
        precision="auto",
        eval_every=1_000,
        log_every=200,
        preview_every=1_000,
        checkpoint_every=1_000,
    ),
    "sr": SR,
    "esrgan": EsrganRecipe(
        source="relativistic average GAN with a perceptual loss, from a run of sr (Wang et al. 2018; --init-from)",
        lr=1e-4,
        betas=(0.9, 0.99),
        decay_from=0.5,
        images=20_000,
        **SHORT_INTERVALS,
    ),
}


def changeable() -> dict[str, tuple[Field[Any], Any]]:
    """The fields of the recipes of all systems that users may change, by name, and their types; common ones last."""
    found = {
        field.name: (field, hints[field.name])
        for settings, hints in ((one, get_type_hints(one)) for one in SETTINGS.values())
        for field in fields(settings)
        if "help" in field.metadata
    }
    common = {field.name for field in fields(Recipe)}
    return dict(sorted(found.items(), key=lambda item: item[0] in common))


def find_recipe(name: str) -> Recipe:
    """The recipe called `name`. Raises InputError where there is none."""
    if name not in RECIPES:
        raise InputError(f"recipe {name!r}: unknown; choose one of {', '.join(RECIPES)}")
    return RECIPES[name]


def recipe(name: str, **changes: Any) -> Recipe:
    """The recipe called `name`, with other values of some fields.

    >>> recipe("quick", images=50_000).images
    50000

    Raises:
        InputError: there is no such recipe, its system has no such setting, or the values cannot work.
    """
    found = find_recipe(name)
    made = changed(found, found.implied(changes) | changes)
    object.__setattr__(made, MADE_FROM, (name, changes))
    return made


def changes_of(recipe: Recipe) -> tuple[str, dict[str, Any]]:
    """The name and the changes that `recipe` was made with; of one that was made otherwise, such as would make it.

    Raises:
        InputError: no recipe in the table is of its system.
    """
    if hasattr(recipe, MADE_FROM):
        name, changes = getattr(recipe, MADE_FROM)
        return name, dict(changes)
    relatives = {name: one for name, one in RECIPES.items() if type(one) is type(recipe)}
    if not relatives:
        raise InputError(
            f"recipe of the system {recipe.system!r}: unknown; register it with gan_trainer.systems.register"
        )
    names = [field.name for field in fields(recipe) if "help" in field.metadata]
    differing = {
        name: {key: getattr(recipe, key) for key in names if getattr(recipe, key) != getattr(one, key)}
        for name, one in relatives.items()
    }
    nearest = min(differing, key=lambda name: (relatives[name].source != recipe.source, len(differing[name])))
    return nearest, {key: value for key, value in differing[nearest].items() if key not in recipe.idle()}
