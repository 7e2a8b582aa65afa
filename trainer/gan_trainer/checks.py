"""Combinations of a recipe's fields that cannot work, refused by the name of the flag before anything is built."""

from gan_runtime.errors import InputError
from gan_trainer.networks import BODIES
from gan_trainer.networks.layers import NORMS
from gan_trainer.objectives import OBJECTIVES
from gan_trainer.penalties import PENALTIES
from gan_trainer.recipes import Recipe
from gan_trainer.steps import STEPS

ELBO = "elbo"  # what an autoencoder minimises
CHOICES = {
    "network": tuple(BODIES),
    "g_norm": NORMS,
    "d_norm": (*NORMS, "spectral"),
    "latents": ("normal", "uniform"),
    "optimizer": ("adam", "rmsprop"),
    "decay": ("linear", "cosine"),
}


def check_recipe(recipe: Recipe) -> None:
    """Raise InputError, naming the flag and the way out, where the fields contradict each other."""
    for name, choices in CHOICES.items():
        _check_choice(name, getattr(recipe, name), choices)
    _check_choice("objective", recipe.objective, (*OBJECTIVES, ELBO))
    for name in recipe.penalties:
        _check_choice("penalty", name, (*PENALTIES, "none"))
    _check_numbers(recipe)
    assert recipe.family in STEPS
    {"latent": _check_latent, "joint": _check_joint, "autoencoder": _check_autoencoder}[recipe.family](recipe)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"--{name.replace('_', '-')} {value}: unknown; choose one of {', '.join(choices)}")


def _check_numbers(recipe: Recipe) -> None:
    for beta in recipe.betas:
        if not 0 <= beta < 1:
            raise InputError(f"--betas {recipe.betas[0]:g} {recipe.betas[1]:g}: each must be in [0, 1)")
    if recipe.penalties and not recipe.penalty_weight:
        raise InputError(f"--penalty {recipe.penalty}: has no weight; give --penalty-weight")
    if recipe.penalty_weight and not recipe.penalties:
        raise InputError(f"--penalty-weight {recipe.penalty_weight:g}: there is no penalty; give --penalty")


def _check_latent(recipe: Recipe) -> None:
    if recipe.objective == ELBO:
        raise InputError(f"--objective {ELBO}: is that of an autoencoder; choose --recipe vae")
    if recipe.penalties and recipe.d_norm == "batch":
        raise InputError(
            f"--penalty {recipe.penalty}: is one of each image by itself, which batch norm in the discriminator mixes; "
            "choose --d-norm none, layer or spectral"
        )
    _check_bounded(recipe)
    if recipe.share_passes and recipe.critic_steps + recipe.warm_critic > 1:
        raise InputError("--share-passes: needs one discriminator step for each of the generator; --no-share-passes")


def _check_bounded(recipe: Recipe) -> None:
    bounded = recipe.clip or recipe.penalties or recipe.d_norm == "spectral"
    if recipe.objective == "wgan" and not bounded:
        raise InputError("--objective wgan: its critic needs a bound; give --clip, --penalty or --d-norm spectral")
    if recipe.clip and recipe.d_norm == "spectral":
        raise InputError(f"--clip {recipe.clip:g}: cannot bound weights that --d-norm spectral divides; choose one")


def _check_joint(recipe: Recipe) -> None:
    _check_latent(recipe)
    if recipe.objective == "lsgan":
        raise InputError("--objective lsgan: its targets 0 and 1 have no mirror image; bigan takes any other")
    _refuse(recipe, "bigan", {"penalty": "none", "augment": "none", "share_passes": False, "ema_half_life": 0})


def _check_autoencoder(recipe: Recipe) -> None:
    usual = {"objective": ELBO, "penalty": "none", "augment": "none", "share_passes": False, "ema_half_life": 0}
    _refuse(recipe, "vae", usual | {"clip": 0.0, "critic_steps": 1, "warm_critic": 0, "latents": "normal"})


def _refuse(recipe: Recipe, family: str, usual: dict[str, object]) -> None:
    """A family of steps has no use for some of the fields: say so rather than pass over them."""
    for name, value in usual.items():
        found = getattr(recipe, name)
        if found != value:
            raise InputError(f"--{name.replace('_', '-')} {found}: {family} has no use for it; leave it out")
