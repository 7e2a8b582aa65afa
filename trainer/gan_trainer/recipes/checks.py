"""Checks of a recipe's fields, before networks are built. Messages name the flag of the field.

Bounds and choices are defined with the fields. Names are repeated here, and compared by a test, so that commands can
print their help without loading torch.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import Field, fields, replace
from typing import Any, ClassVar, Protocol, TypeVar, get_args, get_type_hints

from gan_runtime.errors import InputError
from gan_runtime.session import MAX_THREADS
from gan_trainer.recipes.words import Refused

AUTO = "auto"  # resolved for the device and the data
PRECISIONS = (AUTO, "fp32", "bf16")
AUGMENTATIONS = ("colour", "translation", "cutout")
ADA = "ada"  # the augmentation that adapts
ADA_GROUPS = ("blit", "geometry", "colour")
KINDS = {int: "a whole number", float: "a number", bool: "True or False", str: "text"}
RUN_BOUNDS: dict[str, dict[str, Any]] = {  # of settings of a run that are not fields of its recipe
    "epochs": {"above": 0.0, "max": 10**6},
    "seed": {"min": 0, "max": 2**32 - 1},
    "threads": {"min": 1, "max": MAX_THREADS},
    "keep_checkpoints": {"min": 1, "max": 10**6},
}
OFF = {  # values that switch a setting off: recipes of systems without the setting accept them
    "penalty": "none",
    "penalty_weight": 0.0,
    "augment": "none",
    "share_passes": False,
    "clip": 0.0,
    "dropout": 0.0,
    "critic_steps": 1,
    "warm_critic": 0,
}


class Checked(Protocol):
    """What the checks need of a recipe: a dataclass whose fields have help texts, choices and bounds."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def system(self) -> str:
        """Name of the system."""

    def idle(self) -> dict[str, str]:
        """Fields that have no effect with the values of the others, and why."""


AnyRecipe = TypeVar("AnyRecipe", bound=Checked)


def changed(recipe: AnyRecipe, changes: Mapping[str, Any]) -> AnyRecipe:
    """The recipe with other values of some fields.

    Raises:
        InputError: its system has no such setting, or a value is invalid.
    """
    own = {field.name for field in fields(recipe) if field.init}
    for name, value in changes.items():
        if name not in own and getattr(recipe, name, OFF.get(name)) != value:
            raise InputError(f"{flag(name, value)}: {recipe.system} does not use it; leave it out")
    try:
        return replace(recipe, **{name: value for name, value in changes.items() if name in own})
    except Refused as error:
        raise InputError(error.flags) from None


def check_precision(precision: str) -> None:
    """Raise InputError if it is not one of `PRECISIONS`."""
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision!r}: choose one of {', '.join(PRECISIONS)}")


def check_augmentation(augment: str) -> None:
    """Raise InputError unless it is auto, ada, none, or distinct names of `AUGMENTATIONS`, separated by commas."""
    if augment in (AUTO, ADA, "none"):
        return
    if ADA in augment.split(","):
        raise InputError(f"augment {augment!r}: ada has operations of its own; give it alone")
    check_names("augment", augment, AUGMENTATIONS, f"{AUTO}, {ADA}, none, or ")


def check_names(label: str, value: str, known: tuple[str, ...], others: str = "") -> None:
    """Raise InputError unless the value of a setting is distinct names of `known`, separated by commas.

    The message begins with `label`, and names the values `others` besides.
    """
    names = value.split(",")
    unknown = [one for i, one in enumerate(names) if one not in known or one in names[:i]]
    if unknown:
        raise InputError(f"{label} {unknown[0]!r}: choose {others}some of {','.join(known)}")


def check_resolved(name: str, value: Any) -> None:
    """Raise InputError if a setting is "auto", which only `make_config` can resolve."""
    if value == AUTO:
        raise InputError(f"{flag(name, value)}: is not resolved; call make_config, or give a value")


def check_changes(recipe: Checked, given: Collection[str]) -> None:
    """Raise InputError for a given field that has no effect."""
    for name, reason in recipe.idle().items():
        if name in given:
            raise InputError(f"{flag(name)}: {reason}")


def flag(name: str, value: Any = None) -> str:
    """A field and its value as a command-line flag; the value is not rounded."""
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{option}" if value else f"--no-{option}"
    values = value if isinstance(value, tuple) else () if value is None else (value,)
    return " ".join([f"--{option}", *map(_written, values)])


def _written(value: Any) -> str:
    short = f"{value:g}" if isinstance(value, float) else str(value)
    return repr(value) if isinstance(value, float) and float(short) != value else short


def check_choice(recipe: Checked, name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise InputError if `value` is not one of the choices; the message names those that are accepted."""
    if value not in choices:
        fitting = [choice for choice in choices if accepts(recipe, **{name: choice})]
        raise InputError(f"{flag(name, value)}: unknown; choose one of {', '.join(fitting or choices)}")


def accepts(recipe: Checked, **values: Any) -> bool:
    """Whether the recipe is valid with these values; messages suggest only valid values."""
    try:
        changed(recipe, values)
    except InputError:
        return False
    return True


def one_of(choices: Iterable[str]) -> str:
    """ "a, b or c"."""
    *first, last = choices
    return f"{', '.join(first)} or {last}" if first else last


def check_fields(recipe: Checked) -> None:
    """Raise InputError if the type or range of a field is wrong, or a choice is unknown."""
    hints = get_type_hints(type(recipe))
    for field in fields(recipe):
        check_value(field.name, getattr(recipe, field.name), hints[field.name], field.metadata.get("bounds", {}))
    for field in fields(recipe):
        if choices := field.metadata.get("choices"):
            check_choice(recipe, field.name, getattr(recipe, field.name), choices)


def check_run(**settings: Any) -> None:
    """Raise InputError where a setting of a run is out of range; None passes."""
    for name, value in settings.items():
        if value is not None:
            check_value(name, value, float if name == "epochs" else int, RUN_BOUNDS[name])


def check_value(name: str, value: Any, hint: Any, bounds: Mapping[str, Any]) -> None:
    """Raise InputError where the value of a setting is of another type than `hint`, or out of its bounds."""
    kinds = get_args(hint) or (hint,)
    values = value if isinstance(value, tuple) else (value,)
    if len(values) != len(kinds) or not all(map(_is_a, values, kinds)):
        wanted = KINDS[kinds[0]] if len(kinds) == 1 else f"a tuple of {len(kinds)} numbers"
        raise InputError(f"{flag(name)} {value!r}: must be {wanted}")
    if any(isinstance(number, float) and not math.isfinite(number) for number in values):
        raise InputError(f"{flag(name, value)}: must be a finite number")
    if not all(_within(number, **bounds) for number in values if bounds):
        each = "each must" if isinstance(value, tuple) else "must"
        raise InputError(f"{flag(name, value)}: {each} be in {_range(**bounds)}")


def _is_a(value: Any, kind: type) -> bool:
    """Whether the type is right: an int is also a float, a bool is not a number."""
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
