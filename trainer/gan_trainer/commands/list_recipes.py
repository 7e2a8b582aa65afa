"""gan-train --list-recipes: the table of recipes as text or JSON."""

from dataclasses import asdict

from gan_runtime.terminal.commandline import print_result
from gan_trainer.recipes.recipe import RECIPES, Recipe


def print_recipes(as_json: bool) -> None:
    """Name, loss, networks and paper of each recipe; with `as_json` every field of it."""
    rows = [("recipe", "network", "loss", "from"), *(_row(name, recipe) for name, recipe in RECIPES.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    document = {name: asdict(recipe) for name, recipe in RECIPES.items()}
    print_result("\n".join(lines), document if as_json else None)


def _row(name: str, recipe: Recipe) -> tuple[str, ...]:
    return name, getattr(recipe, "network", ""), recipe.summary, recipe.source
