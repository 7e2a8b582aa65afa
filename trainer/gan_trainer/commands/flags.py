"""A flag of gan-train for every field of a system's recipes that has a help text."""

import inspect
from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

import typer

from gan_trainer.recipes.recipe import SETTINGS

RUNS_DIR = Path("runs")
RunsDir = Annotated[Path, typer.Option(help="Folder that holds the runs.")]

PANEL = "Recipe: every field can be changed"
TYPERS = ("min", "max")  # the bounds that typer checks itself; the recipe checks all of them


def with_recipe_flags(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with its **changes spelled out as keyword arguments, None where a flag is not given."""
    signature = inspect.signature(command)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    added = {
        field.name: _parameter(field, get_type_hints(settings)[field.name])
        for settings in SETTINGS.values()
        for field in fields(settings)
        if "help" in field.metadata
    }
    command.__signature__ = signature.replace(parameters=[*own, *added.values()])  # type: ignore[attr-defined]
    return command


def _parameter(field: Field[Any], kind: Any) -> inspect.Parameter:
    text = field.metadata["help"]
    bounds = {} if get_origin(kind) is tuple else {k: v for k, v in field.metadata["bounds"].items() if k in TYPERS}
    option = typer.Option(help=text, show_default=False, rich_help_panel=PANEL, **bounds)
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )
