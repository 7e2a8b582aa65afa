"""Help texts as plain text, with grouped options, and ranges and defaults in words."""

import re
from collections.abc import Iterable
from typing import Any

import click
from typer.core import TyperCommand

from gan_runtime.errors import InputError

DATA, GENERAL, OUTPUT = "Data", "General", "Output"  # groups of options shared by several commands
RANGE = re.compile(r"(?:([\d.]+)<=)?x(?:<=([\d.]+)|>=([\d.]+))")
WORDS = re.compile(r"\[default: \((.*?)\)(?=[\];])")  # a default that is described, in typer's parentheses
ENDLESS = 10**12  # bounds of this size or more are not shown
DEVICE, PROVIDERS = "--device", "--providers"  # two names of one option, of which the last one would win
RAY = "--ray"  # its value may be left out, which typer knows no way to say
ADDRESS = re.compile(r"auto|local|\S+:\d+|\S+://\S+")


class GroupedCommand(TyperCommand):
    """A command whose options are listed under their `rich_help_panel`, in order of appearance.

    Options without one come first, those of `GENERAL` last.
    """

    def shown(self, ctx: click.Context) -> Iterable[click.Parameter]:
        """The parameters that are listed."""
        return self.get_params(ctx)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the words of a command line. Called by click. Raises InputError if they say twice where to run."""
        if any({DEVICE, PROVIDERS} <= set(parameter.opts) for parameter in self.params):
            check_place(args)
        return super().make_context(info_name, with_addresses(args), parent, **extra)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the lists of arguments and options. Called by click."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.shown(ctx):
            if record := parameter.get_help_record(ctx):
                groups.setdefault(_group(parameter), []).append(_in_words(*record))
        for title in sorted(groups, key=GENERAL.__eq__):
            if groups[title]:
                with formatter.section(title):
                    formatter.write_dl(groups[title])


def check_place(args: list[str]) -> None:
    """Raise InputError if the words of a command line contain both `DEVICE` and `PROVIDERS`."""
    words = [word.partition("=")[0] for word in args[: args.index("--") if "--" in args else None]]
    if DEVICE in words and PROVIDERS in words:
        raise InputError(f"{DEVICE} and {PROVIDERS}: both say where to run; leave one of the two out")


def with_addresses(args: list[str]) -> list[str]:
    """The words of a command line, in which `RAY` has a value: "" if no address follows."""
    return [
        f"{RAY}=" if word == RAY and not ADDRESS.fullmatch(after) else word
        for word, after in zip(args, [*args, ""][1:], strict=True)
    ]


def _group(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Argument):
        return "Arguments"
    own = getattr(parameter, "rich_help_panel", None)
    return GENERAL if parameter.name == "help" else own or "Options"


def _in_words(names: str, text: str) -> tuple[str, str]:
    """`--width INTEGER` and `[2 to 4096]` for click's `--width INTEGER RANGE` and `[2<=x<=4096]`."""
    return names.replace(" RANGE", ""), WORDS.sub(r"[default: \1", RANGE.sub(_range, text))


def _range(match: re.Match[str]) -> str:
    low, high, least = (f"{float(bound):.15g}" if bound else None for bound in match.groups())
    if high is None or (low is not None and float(high) >= ENDLESS):
        return f"at least {least or low}"
    return f"at most {high}" if low is None else f"{low} to {high}"
