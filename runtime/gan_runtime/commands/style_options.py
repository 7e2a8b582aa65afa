"""gan-sample's options for generators with styles: --truncation, --space, --mix, --coarse and --class-walk."""

import re
from typing import TYPE_CHECKING, Any

from gan_runtime.errors import InputError
from gan_runtime.manifest_parts import check_truncation
from gan_runtime.outputs.options import flag

if TYPE_CHECKING:
    from gan_runtime.generator import Generator
    from gan_runtime.outputs.sampled import SampledImages

MOST_MIXED = 1000  # rows or columns
EXCLUDED = {  # by option: those that make no sense beside it
    "mix": ("n", "rows", "columns", "by_class"),
    "class_walk": ("space", "label", "by_class"),
}
OF_PICTURES = ("truncation", "space", "mix", "class_walk")  # encoders have generators without styles


def parse_mix(text: str | None) -> tuple[int, int] | None:
    """Rows and columns of "4x8". Raises InputError if `text` is something else."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", text, re.ASCII)
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (min(size) >= 1 and max(size) <= MOST_MIXED):
        raise InputError(f"--mix {text!r:.40}: give ROWSxCOLUMNS, such as 4x8, each from 1 to {MOST_MIXED}")
    return size


def check_style_options(given: dict[str, Any]) -> None:
    """Refuse values and combinations of options, by name as far as they were given, before a file is opened.

    Raises:
        InputError: the message names the option and the remedy.
    """
    if given.get("truncation") is not None:
        check_truncation("--truncation", given["truncation"])
    if given.get("space") not in (None, "z", "w"):
        raise InputError(f"--space {given['space']!r:.20}: choose z or w")
    for name, others in EXCLUDED.items():
        for other in others if given.get(name) else ():
            if given.get(other) is not None:
                raise InputError(f"{flag(other)}: cannot be combined with {flag(name)}; leave one of them out")
    if given.get("coarse") is not None and not given.get("mix"):
        raise InputError("--coarse: has an effect only with --mix; leave it out")
    for name in OF_PICTURES if given.get("reconstruct") or given.get("interpolate") else ():
        if given.get(name) is not None:
            mode = "--reconstruct" if given.get("reconstruct") else "--interpolate"
            raise InputError(f"{flag(name)}: cannot be combined with {mode}; leave it out")


def check_styled(generator: "Generator", latents: str | None, space: str, given: dict[str, Any]) -> None:
    """Refuse what a generator without styles cannot do, by the option: `space` is that of the file `latents`.

    Raises:
        InputError: the message names the option.
    """
    rows, columns = given.get("mix") or (0, 0)
    asked = {
        f"--latents {latents}": space == "w",
        f"--truncation {given.get('truncation')}": given.get("truncation") is not None,
        "--space w": given.get("space") == "w",
        f"--mix {rows}x{columns}": given.get("mix") is not None,
        "--class-walk": given.get("class_walk"),
    }
    for option in (option for option, is_given in asked.items() if is_given):
        generator.inputs.check_styled(option)


def check_space(path: str, space: str, given: dict[str, Any]) -> None:
    """Refuse options that latents of the file at `path` have no use for, which are in `space`. Raises InputError."""
    for name in ("truncation", "label", "space", "class_walk"):
        if space == "w" and given.get(name) is not None and (name, given[name]) != ("space", "w"):
            raise InputError(f"{flag(name)}: {path} has styles (in w), on which it has no effect; leave it out")


def style_report(source: "SampledImages", given: dict[str, Any]) -> dict[str, Any]:
    """The entries on styles in the report of gan-sample; empty for a generator without styles."""
    space, mixed = source.generator.style_space, {}
    if space is None:
        return {}
    if given.get("mix"):
        from gan_runtime.outputs.mixing import coarse_layers

        mixed = {"mix": list(given["mix"]), "coarse": coarse_layers(space.layers, given.get("coarse"))}
    walks = {name: given[name] for name in ("space", "class_walk") if given.get(name)}
    return {"truncation": source.truncation, **mixed, **walks}
