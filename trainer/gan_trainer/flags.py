"""A flag of gan-train for every field of a recipe that has a help text."""

import inspect
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Annotated, Any, get_type_hints

import typer

from gan_trainer.recipes import Recipe

PANEL = "Recipe: every field can be changed"


def with_recipe_flags(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with its **changes spelled out as keyword arguments, None where a flag is not given."""
    signature, hints = inspect.signature(command), get_type_hints(Recipe)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    added = [_parameter(field, hints[field.name]) for field in fields(Recipe) if "help" in field.metadata]
    command.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    return command


def _parameter(field: Field[Any], kind: Any) -> inspect.Parameter:
    text, bounds = field.metadata["help"], field.metadata["bounds"]
    option = typer.Option(help=text, show_default=False, rich_help_panel=PANEL, **bounds)
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )
