"""gan-data: find, fetch and verify data sets."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gan_runtime.terminal.commandline import print_result, run
from gan_runtime.terminal.flags import Json, Quiet, Version
from gan_runtime.terminal.picture_flags import (
    Background,
    FollowLinks,
    LabelsFrom,
    Levels,
    MaxPixels,
    Mode,
    Size,
    SkipBad,
)


def data(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="The name of a data set, or a folder or .zip of images.  [default: all known data sets]",
            show_default=False,
        ),
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Read all files and name those that are damaged.")] = False,
    fetch: Annotated[bool, typer.Option("--fetch", help="Download missing data sets.")] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="Search only this folder, and download into it.", show_default=False)
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not download data sets.")] = False,
    size: Size = None,
    mode: Mode = None,
    background: Background = None,
    levels: Levels = None,
    max_pixels: MaxPixels = None,
    labels: LabelsFrom = None,
    skip_bad: SkipBad = False,
    follow_links: FollowLinks = False,
    quiet: Quiet = False,
    as_json: Json = False,
    version: Version = False,
) -> None:
    """List, download and verify data sets; count and check the images of a folder or .zip archive."""
    from gan_runtime.commands.data_report import as_text, describe_known, describe_pictures
    from gan_runtime.commands.info_report import lines
    from gan_runtime.data.picture_options import picture_options
    from gan_runtime.data.registry import KNOWN

    shaping = {"size": size, "mode": mode, "background": background, "levels": levels, "max_pixels": max_pixels}
    _check_flags(verify, skip_bad, **shaping)
    names = sources or list(KNOWN)
    flags = shaping | {"labels": labels, "skip_bad": skip_bad, "follow_links": follow_links}
    options = {name: picture_options(name, **flags) for name in names}
    _check_sources(options, data_dir)
    if fetch:
        _fetch(sources or [], data_dir, offline, quiet)
    reports: dict[str, Any] = {}
    for name, chosen in options.items():
        if chosen is None:
            reports[name] = describe_known(name, data_dir, verify)
        else:
            reports[name] = describe_pictures(Path(name), chosen, verify, quiet)
    text = lines({name: as_text(report) for name, report in reports.items()})
    print_result(text, reports if as_json else None)
    if verify and not all(_is_sound(report, bool(sources), skip_bad) for report in reports.values()):
        raise typer.Exit(1)


def data_main() -> None:
    """Entry point of gan-data."""
    run(data, "gan-data")


def _check_flags(verify: bool, skip_bad: bool, **shaping: object) -> None:
    """Refuse options that only have an effect when images are decoded."""
    from gan_runtime.errors import InputError

    given = [name for name, value in shaping.items() if value is not None] + ["skip-bad"] * skip_bad
    if given and not verify:
        raise InputError(f"--{given[0].replace('_', '-')}: has an effect only with --verify; leave it out")


def _check_sources(options: dict[str, Any], data_dir: Path | None) -> None:
    from gan_runtime.data.listing import is_pictures, packed_otherwise
    from gan_runtime.data.registry import KNOWN
    from gan_runtime.errors import DataError, InputError

    for name, chosen in options.items():
        if chosen is not None and not is_pictures(name):
            way = packed_otherwise(name) if Path(name).is_file() else ""
            known = f"neither a known data set ({', '.join(KNOWN)}) nor a folder or .zip of images"
            raise DataError(f"{name}: {way or known}")
        if chosen is not None and data_dir is not None:
            raise InputError(f"--data-dir: has no effect on {name}, which is a path; leave it out")


def _fetch(names: list[str], data_dir: Path | None, offline: bool, quiet: bool) -> None:
    from gan_runtime.data.download import forbidden
    from gan_runtime.data.idx import fetch, find_folder
    from gan_runtime.data.registry import KNOWN, SOURCES, files_needed
    from gan_runtime.errors import InputError

    reason = forbidden(offline)
    if reason:
        raise InputError(f"--fetch: {reason} forbids downloads; leave out one of them")
    if not names or not set(names) <= set(KNOWN):
        raise InputError(f"--fetch: name the data sets to download: {' or '.join(KNOWN)}")
    for name in filter(None, dict.fromkeys(map(files_needed, names))):
        for files in SOURCES[name].splits.values():
            if find_folder(name, files, data_dir) is None:
                fetch(name, files, quiet, data_dir and data_dir / name)


def _is_sound(report: dict[str, Any], named: bool, skip_bad: bool) -> bool:
    """Whether nothing is damaged, and everything that was named exists."""
    if "splits" in report:
        found = [split for split in report["splits"].values() if "folder" in split]  # none if computed from nothing
        return all(not split["problems"] if split["folder"] else not named for split in found)
    return report["images"] > 0 and all(report["classes"].values()) and (skip_bad or not report["bad"])


if __name__ == "__main__":
    data_main()
