"""Flags that describe the inputs and outputs of a file without a manifest."""

import inspect
import re
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gan_runtime.errors import InputError

if TYPE_CHECKING:
    from gan_runtime.foreign import Assumptions


FOREIGN = "Files without a manifest"


def with_assumptions(command: Callable[..., None]) -> Callable[..., None]:
    """Add the flags of `_flags` to `command`, which receives them as the argument `assumptions`."""
    flags = inspect.signature(_flags).parameters
    own = [entry for name, entry in inspect.signature(command).parameters.items() if name != "assumptions"]

    @wraps(command)
    def with_flags(**arguments: Any) -> None:
        said = {name: arguments.pop(name) for name in flags}
        command(**arguments, assumptions=_assumptions(said))

    with_flags.__signature__ = inspect.Signature([*own, *flags.values()])  # type: ignore[attr-defined]
    with_flags.__annotations__ = {entry.name: entry.annotation for entry in (*own, *flags.values())}
    return with_flags


def _option(help_text: str, *names: str, **settings: Any) -> Any:
    default = settings.pop("default", False)
    return typer.Option(*names, help=help_text, show_default=default, rich_help_panel=FOREIGN, **settings)


def _flags(
    range: Annotated[
        str | None,
        _option(
            "Values of black and white: -1:1, 0:1 or 0:255. Write --range=-1:1.",
            metavar="LOW:HIGH",
            default="inferred from the first images",
        ),
    ] = None,
    layout: Annotated[str | None, _option("Axes of the images: nchw or nhwc.")] = None,
    latents_input: Annotated[str | None, _option("Name of the input for latents.", metavar="NAME")] = None,
    labels_input: Annotated[str | None, _option("Name of the input for labels.", metavar="NAME")] = None,
    images_output: Annotated[str | None, _option("Name of the output with the images.", metavar="NAME")] = None,
    latent_dim: Annotated[int | None, _option("Dimension of the latents.", min=1, max=10**6)] = None,
    classes: Annotated[int | None, _option("Number of classes.", min=1, max=10**6)] = None,
    distribution: Annotated[
        str | None, _option("Distribution of the latents: normal or uniform.", default="normal")
    ] = None,
    input: Annotated[
        list[str] | None, _option("Value of another input; may be repeated.", metavar="NAME=VALUE")
    ] = None,
    unrepeatable: Annotated[
        bool, _option("Accept images that differ between runs or depend on the batch.", "--unrepeatable")
    ] = False,
) -> None:
    """The signature defines the options."""


def _assumptions(said: dict[str, Any]) -> "Assumptions | None":
    """The given flags as `Assumptions`, or None. Raises InputError for an invalid value."""
    constants = said.pop("input")
    given = {name: value for name, value in said.items() if value not in (None, False)}
    if "range" in given:
        given["range"] = _range(given["range"])
    if constants:
        given["inputs"] = dict(map(_constant, constants))
    if not given:
        return None
    from gan_runtime.foreign import Assumptions  # noqa: PLC0415

    return Assumptions(**given)


def _range(text: str) -> tuple[float, float]:
    try:
        low, high = map(float, re.split("[:,]", text))
    except ValueError:
        raise InputError(f"--range {text}: give the values of black and white, as --range=-1:1") from None
    return low, high


def _constant(text: str) -> tuple[str, float]:
    name, _, value = text.rpartition("=")
    try:
        return name, float({"true": "1", "false": "0"}.get(value.lower(), value))
    except ValueError:
        raise InputError(f"--input {text}: give NAME=VALUE with a number, true or false") from None
