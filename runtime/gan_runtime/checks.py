"""Checks of the values in a manifest."""

from typing import Any

from gan_runtime.errors import InputError

MAX_COUNT = 2**31


def check_type(what: str, value: Any, kind: type | tuple[type, ...]) -> None:
    """Raise InputError if `value` is not of type `kind`. A bool is not accepted as a number."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or isinstance(value, bool):
        wanted = " or ".join(one.__name__ for one in kinds)
        raise InputError(f"{what} {value!r:.60}: must be of type {wanted}, not {type(value).__name__}")


def check_count(what: str, value: Any, most: int | None = MAX_COUNT, least: int = 1) -> None:
    """Raise InputError if `value` is not an integer from `least` to `most`; None sets no upper limit."""
    check_type(what, value, int)
    if value < least or (most is not None and value > most):
        raise InputError(f"{what} {value}: must be at least {least}{'' if most is None else f' and at most {most}'}")
