"""A flag of gan-train for every field of a system's recipes that has a help text."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import Field, fields
from pathlib import Path
from typing import Annotated, Any

import click
import typer

from gan_runtime.terminal.help import DATA, GroupedCommand
from gan_trainer.recipes.base import DOMAIN_OPTIONS, WITHOUT_MEANING
from gan_trainer.recipes.checks import AUTO, flag
from gan_trainer.recipes.recipe import changeable, find_recipe

RUN, RECIPE, EVALUATION, OUTPUT = "Run", "Recipe", "Evaluation", "Output"  # groups in the help
USUAL = "quick"  # the recipe that is trained unless another is given
RUNS_DIR = Path("runs")
RUNS_HELP = "Folder of the runs."

RunsDir = Annotated[Path, typer.Option(help=RUNS_HELP)]
HoldOut = Annotated[
    float | None,
    typer.Option(
        help="Folder or .zip: fraction of the images to hold out for evaluation, 0 to 0.5. 0 trains on all images.",
        show_default="0.1",
        rich_help_panel=DATA,
    ),
]
Input = Annotated[
    str | None,
    typer.Option(
        "--input",
        help="Make the inputs from the images, which are the targets: sketch, grey, blur, mask or low.",
        show_default="folders A and B, or pairs side by side",
        rich_help_panel=DATA,
    ),
]
Direction = Annotated[
    str | None,
    typer.Option(
        help="AtoB: A is the input and B the target. BtoA: the reverse.",
        show_default="AtoB",
        rich_help_panel=DATA,
    ),
]
InputMode = Annotated[
    str | None,
    typer.Option(
        help="Mode of the inputs, L (grey) or RGB.",
        show_default="that of the targets, --mode",
        rich_help_panel=DATA,
    ),
]
Features = Annotated[
    str | None,
    typer.Option(
        help="Feature network of the evaluations: an .onnx file, or any.",
        show_default="the network of the data set, else any, the general one",
        rich_help_panel=EVALUATION,
    ),
]

GROUPS = {  # of fields that are not listed under RECIPE
    "images": RUN,
    "eval_every": EVALUATION,
    "patience": EVALUATION,
    "stop_when_collapsed": EVALUATION,
    "log_every": OUTPUT,
    "preview_every": OUTPUT,
    "checkpoint_every": OUTPUT,
}


class _Integer(click.IntRange):
    """Its bounds are for the help alone: settings are checked in one place, in the same words as in Python."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Called by click."""
        return click.INT.convert(value, param, ctx)


class AutoInteger(_Integer):
    """As `_Integer`; None for "auto"."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Called by click."""
        return None if value == AUTO else super().convert(value, param, ctx)


class FixedThreads(click.IntRange):
    """The same for all runs of a comparison, whenever and wherever they begin: never "auto"."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Called by click."""
        if value == AUTO:
            self.fail("all runs of a comparison have the same number of threads; give one, or leave it out for 1")
        return super().convert(value, param, ctx)


class _Number(click.FloatRange):
    """As `_Integer`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Called by click."""
        return click.FLOAT.convert(value, param, ctx)


def shown(kind: Any, bounds: Mapping[str, Any]) -> Any:
    """The type of an option for numbers of `kind` whose help shows the inclusive bounds; None for other kinds."""
    types: dict[Any, Any] = {int: _Integer, float: _Number}
    return types[kind](bounds.get("min"), bounds.get("max")) if kind in types and bounds else None


class RecipeCommand(GroupedCommand):
    """A command whose help shows the settings of one recipe, with its values as defaults."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note the value of --recipe, which may come after --help. Called by click."""
        options, _, _ = self.make_parser(ctx).parse_args(list(args))
        ctx.meta["recipe"] = options.get("recipe")
        return super().parse_args(ctx, args)

    def shown(self, ctx: click.Context) -> Iterable[click.Parameter]:
        """All parameters but the settings that the recipe's system lacks; `EVALUATION` and `OUTPUT` at the end."""
        last = {EVALUATION: 1, OUTPUT: 2}
        return sorted(self._of_recipe(ctx), key=lambda one: last.get(getattr(one, "rich_help_panel", None) or "", 0))

    def _of_recipe(self, ctx: click.Context) -> Iterable[click.Parameter]:
        name = ctx.meta["recipe"] or USUAL
        recipe = find_recipe(name)
        own = {field.name: field for field in fields(recipe) if field.init}
        others = {*FLAGS, *DOMAIN_OPTIONS["pairs"]}.difference(DOMAIN_OPTIONS.get(recipe.learns_from, ()))
        others.update(WITHOUT_MEANING.get(recipe.learns_from, ()))
        for parameter in self.get_params(ctx):
            if parameter.name in own:
                yield _of_field(parameter, own[parameter.name], name, getattr(recipe, parameter.name))
            elif parameter.name not in others:
                yield parameter


def with_recipe_flags(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with its **changes spelled out as keyword arguments, None where a flag is not given."""
    signature = inspect.signature(command)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    added = [_parameter(field, kind) for field, kind in FLAGS.values()]
    command.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    return command


def _parameter(field: Field[Any], kind: Any) -> inspect.Parameter:
    text = field.metadata["help"]
    group, bounded = GROUPS.get(field.name, RECIPE), shown(kind, field.metadata["bounds"])
    option: Any = typer.Option(help=text, show_default=False, rich_help_panel=group, click_type=bounded)
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _of_field(parameter: click.Parameter, field: Field[Any], recipe: str, value: Any) -> Any:
    """The parameter with the recipe's value as its default, and help and bounds of the field of the recipe's class."""
    shown: Any = copy(parameter)
    shown.help = field.metadata.get("help", shown.help)
    if isinstance(shown.type, _Integer | _Number):
        shown.type = type(shown.type)(field.metadata["bounds"].get("min"), field.metadata["bounds"].get("max"))
    shown.show_default = ("on" if value else "off") if isinstance(value, bool) else flag("", value).partition(" ")[2]
    if shown.rich_help_panel == RECIPE:
        shown.rich_help_panel = f"{RECIPE} {recipe}"
    return shown


FLAGS = changeable()
