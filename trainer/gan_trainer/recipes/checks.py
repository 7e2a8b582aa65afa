"""Fields of a recipe, and combinations of them, that cannot work: refused by the flag's name before anything is built.

Bounds stand with the fields in recipes.py. Names are repeated here so that the commands can say --help without loading
torch; a test compares them.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from gan_runtime.errors import InputError

if TYPE_CHECKING:
    from gan_trainer.recipes.recipe import Recipe

OBJECTIVES = ("minimax", "non-saturating", "lsgan", "wgan", "hinge", "rpgan", "ragan")
PENALTIES = ("gp", "gp0", "dragan", "r1", "r2")
ELBO = "elbo"  # what an autoencoder minimises
AUTO = "auto"  # device and data decide
PRECISIONS = (AUTO, "fp32", "bf16")
AUGMENTATIONS = ("colour", "translation", "cutout")
KINDS = {int: "a whole number", float: "a number", bool: "True or False", str: "text"}
STD_GROUP = 4  # images that minibatch standard deviation looks at together
CHOICES = {
    "system": ("gan", "bigan", "vae"),
    "network": ("mlp", "conv", "dcgan", "resnet"),
    "g_norm": ("none", "batch", "layer"),
    "d_norm": ("none", "batch", "layer", "spectral"),
    "latents": ("normal", "uniform"),
    "optimizer": ("adam", "rmsprop"),
    "decay": ("linear", "cosine"),
}


def check_recipe(recipe: "Recipe") -> None:
    """Raise InputError, naming the flag, where a field is out of range or two contradict each other."""
    _check_fields(recipe)
    for name, choices in CHOICES.items():
        _check_choice(recipe, name, getattr(recipe, name), choices)
    check_precision(recipe.precision)
    if recipe.minibatch_std and recipe.batch_size % STD_GROUP:
        raise InputError(f"{flag('batch_size', recipe.batch_size)}: --minibatch-std looks at four images; give 4, 8, …")
    if recipe.system == "vae":
        _check_autoencoder(recipe)
        return
    if recipe.objective == ELBO:
        raise InputError(f"--objective {ELBO}: is that of an autoencoder; choose --recipe vae")
    _check_choice(recipe, "objective", recipe.objective, OBJECTIVES)
    if recipe.system == "bigan":
        _check_joint(recipe)
    check_augmentation(recipe.augment)
    _check_penalties(recipe)
    _check_critic(recipe)


def check_precision(precision: str) -> None:
    """Raise InputError where it is none of `PRECISIONS`."""
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision!r}: choose one of {', '.join(PRECISIONS)}")


def check_augmentation(augment: str) -> None:
    """Raise InputError where it is not "auto", "none" or names of `AUGMENTATIONS` with commas between, each once."""
    names = augment.split(",")
    unknown = [name for i, name in enumerate(names) if name not in AUGMENTATIONS or name in names[:i]]
    if augment not in (AUTO, "none") and unknown:
        raise InputError(f"augment {unknown[0]!r}: choose auto, none, or some of {','.join(AUGMENTATIONS)}")


def check_resolved(name: str, value: Any) -> None:
    """Raise InputError where a setting is still "auto" that only `config.make_config` can choose."""
    if value == AUTO:
        raise InputError(f"{flag(name, value)}: is not yet chosen; make_config does that, or give a value")


def check_changes(recipe: "Recipe", given: Collection[str]) -> None:
    """Refuse flags that were given and change nothing, by the names of their fields."""
    idle = {
        "betas": recipe.optimizer == "rmsprop" and "--optimizer rmsprop has none",
        "minibatch_std": (recipe.network != "conv" or recipe.system == "vae") and "only a conv discriminator has it",
        "dropout": recipe.network != "mlp" and f"the network {recipe.network} has none",
        "penalty_every": not recipe.penalties
        and f"there is no penalty; {'give --penalty' if recipe.system == 'gan' else 'leave it out'}",
        "decay": recipe.decay_from == 1 and "the rate does not fall; give --decay-from",
        "lr_end": recipe.decay_from == 1 and "the rate does not fall; give --decay-from",
        "d_norm": recipe.system == "vae" and "a VAE has no discriminator",
    }
    for name, reason in idle.items():
        if name in given and reason:
            raise InputError(f"{flag(name)}: {reason}")


def check_for_points(recipe: "Recipe", given: Mapping[str, Any], source: str) -> None:
    """Raise InputError where a recipe, or a change that is `given` to it, is for images and `source` has points."""
    idle = {
        "network": given.get("network", "mlp") != "mlp" and "draws images alone; leave it out, or choose mlp",
        "augment": given.get("augment", "none") not in ("none", AUTO) and "moves images; leave it out",
        "patience": given.get("patience") and "follows the FID of images; leave it out",
        "stop_when_collapsed": given.get("stop_when_collapsed") and "looks at images; the modes of points show it",
    }
    if recipe.system == "vae":
        raise InputError(f"--recipe vae: reads values as the probabilities of pixels, and {source} has points")
    for name, reason in idle.items():
        if reason:
            raise InputError(f"{flag(name, given[name])}: {reason}: {source} has points")


def flag(name: str, value: Any = None) -> str:
    """A field as it is written on a command line, without loss."""
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{option}" if value else f"--no-{option}"
    values = value if isinstance(value, tuple) else () if value is None else (value,)
    return " ".join([f"--{option}", *map(_written, values)])


def _written(value: Any) -> str:
    short = f"{value:g}" if isinstance(value, float) else str(value)
    return repr(value) if isinstance(value, float) and float(short) != value else short


def _check_choice(recipe: "Recipe", name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        fitting = [choice for choice in choices if _takes(recipe, **{name: choice})]
        raise InputError(f"{flag(name, value)}: unknown; choose one of {', '.join(fitting or choices)}")


def _takes(recipe: "Recipe", **values: Any) -> bool:
    """Whether the recipe could be made with other values of these fields: no message offers what would be refused."""
    try:
        replace(recipe, **values)
    except InputError:
        return False
    return True


def _either(choices: Iterable[str]) -> str:
    *first, last = choices
    return f"{', '.join(first)} or {last}" if first else last


def _check_fields(recipe: "Recipe") -> None:
    """Type and range of each field by itself."""
    hints = get_type_hints(type(recipe))
    for field in fields(recipe):
        value, bounds = getattr(recipe, field.name), field.metadata.get("bounds", {})
        kinds = get_args(hints[field.name]) or (hints[field.name],)
        values = value if isinstance(value, tuple) else (value,)
        if len(values) != len(kinds) or not all(map(_is_a, values, kinds)):
            wanted = KINDS[kinds[0]] if len(kinds) == 1 else f"a tuple of {len(kinds)} numbers"
            raise InputError(f"{flag(field.name)} {value!r}: must be {wanted}")
        if any(isinstance(number, float) and not math.isfinite(number) for number in values):
            raise InputError(f"{flag(field.name, value)}: must be a finite number")
        if not all(_within(number, **bounds) for number in values if bounds):
            each = "each must" if isinstance(value, tuple) else "must"
            raise InputError(f"{flag(field.name, value)}: {each} be in {_range(**bounds)}")


def _is_a(value: Any, kind: type) -> bool:
    """A whole number passes for any other; True and False for no number."""
    return isinstance(value, (int, float) if kind is float else kind) and (kind is bool or not isinstance(value, bool))


def _within(
    number: float,
    min: float = -math.inf,
    max: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> bool:
    return min <= number <= max and above < number < below


def _range(min: float | None = None, max: float | None = None, above: float = 0, below: float = 0) -> str:
    first = f"({above:,}" if min is None else f"[{min:,}"
    return f"{first}, {below:,})" if max is None else f"{first}, {max:,}]"


def _check_penalties(recipe: "Recipe") -> None:
    for name in recipe.penalties:
        _check_choice(recipe, "penalty", name, PENALTIES)
    if len(set(recipe.penalties)) < len(recipe.penalties):
        raise InputError(f"{flag('penalty', recipe.penalty)}: names one twice; give it a larger --penalty-weight")
    if recipe.penalties and not recipe.penalty_weight:
        raise InputError(f"{flag('penalty', recipe.penalty)}: has no weight; give --penalty-weight")
    if recipe.penalty_weight and not recipe.penalties:
        raise InputError(f"{flag('penalty_weight', recipe.penalty_weight)}: there is no penalty; give --penalty")
    if recipe.penalties and recipe.d_norm == "batch":
        norms = [norm for norm in ("none", "layer", "spectral") if _takes(recipe, d_norm=norm)] or ["none"]
        raise InputError(
            f"{flag('penalty', recipe.penalty)}: is one of each image by itself, which batch norm in the discriminator "
            f"mixes; choose --d-norm {_either(norms)}"
        )


def _check_critic(recipe: "Recipe") -> None:
    if recipe.objective == "wgan" and not (recipe.clip or recipe.penalties or recipe.d_norm == "spectral"):
        bounds: dict[str, dict[str, Any]] = {
            "--clip": {"clip": 0.01},
            "--penalty": {"penalty": "gp", "penalty_weight": 10.0},
            "--d-norm spectral": {"d_norm": "spectral"},
        }
        ways = [way for way, values in bounds.items() if _takes(recipe, **values)] or bounds
        raise InputError(f"--objective wgan: its critic needs a bound; give {_either(ways)}")
    if recipe.clip and recipe.d_norm == "spectral":
        raise InputError("--d-norm spectral: divides the weights that --clip bounds; give --clip 0 with it")
    if 0 < recipe.warm_critic < recipe.critic_steps:
        raise InputError(f"{flag('warm_critic', recipe.warm_critic)}: is fewer than --critic-steps; give more, or 0")
    if recipe.share_passes and max(recipe.critic_steps, recipe.warm_critic) > 1:
        raise InputError("--share-passes: needs one discriminator step for each of the generator; --no-share-passes")
    steps = max(recipe.critic_steps, recipe.warm_critic)
    first = steps * recipe.batch_size
    if recipe.images < first:
        fewer = ", or fewer steps with --critic-steps and --warm-critic" if steps > 1 else ""
        raise InputError(
            f"--images {recipe.images}: the generator's first step comes after {first:,}; give more, or a smaller "
            f"--batch-size{fewer}"
        )


def _check_joint(recipe: "Recipe") -> None:
    if recipe.objective == "lsgan":
        raise InputError("--objective lsgan: its targets 0 and 1 have no mirror image; bigan takes any other")
    _refuse(recipe, "bigan", {"penalty": "none", "penalty_weight": 0.0, "augment": "none", "share_passes": False})
    _check_average(recipe)


def _check_autoencoder(recipe: "Recipe") -> None:
    usual = {"objective": ELBO, "penalty": "none", "penalty_weight": 0.0, "augment": "none", "share_passes": False}
    usual |= {"clip": 0.0, "dropout": 0.0, "critic_steps": 1, "warm_critic": 0, "latents": "normal"}
    _refuse(recipe, "vae", usual)
    _check_average(recipe)


def _check_average(recipe: "Recipe") -> None:
    if recipe.ema_half_life:
        raise InputError(
            f"{flag('ema_half_life', recipe.ema_half_life)}: an average of the generator would not fit the encoder; "
            "leave it out"
        )


def _refuse(recipe: "Recipe", name: str, usual: dict[str, object]) -> None:
    """A family of steps has no use for some of the fields: say so rather than pass over them."""
    for field, value in usual.items():
        found = getattr(recipe, field)
        if found != value:
            raise InputError(f"{flag(field, found)}: {name} has no use for it; leave it out")
