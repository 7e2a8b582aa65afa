"""List the pictures of a folder and its sub-folders."""

import os
import stat
from collections import Counter
from functools import partial
from pathlib import Path, PurePosixPath

from gan_runtime.data.entries import (
    Bad,
    Listing,
    in_order,
    is_picture,
    read_limited,
    shallowest,
    stamp_of,
    stat_stamp,
    why_left_out,
    why_not_decodable,
)
from gan_runtime.images.options import LABEL_FILE


def list_folder(folder: Path, follow_links: bool) -> Listing:
    """List the pictures of a folder; links that point out of it are bad unless `follow_links` is set."""
    root = folder.resolve()
    bad: list[Bad] = []
    label_files: list[str] = []
    stamps: dict[str, str] = {}  # of the pictures that can be used
    ignored, left_out = 0, Counter[str]()
    folders, files = _walk(root, follow_links, bad, left_out)
    for name in files:
        path = root / name
        if PurePosixPath(name).name == LABEL_FILE:
            label_files.append(name)
        elif not is_picture(name):
            ignored += 1
        elif reason := why_not_decodable(name) or _why_not_readable(path, root, follow_links):
            bad.append(Bad(name, reason))
        else:
            stamps[name] = stat_stamp(path)

    return Listing(
        path=folder,
        names=tuple(sorted(stamps)),
        bad=in_order(bad),
        folders=frozenset(folders),
        ignored=ignored,
        left_out=dict(sorted(left_out.items())),
        label_file=shallowest(label_files),
        stamp=stamp_of(root, stamps),
        read=partial(_read, root),
    )


def _read(root: Path, name: str) -> bytes:
    with (root / name).open("rb") as file:
        return read_limited(file)


def _walk(root: Path, follow_links: bool, bad: list[Bad], left_out: Counter[str]) -> tuple[list[str], list[str]]:
    """Names of all folders and files below `root`, except for those in `bad` or counted in `left_out`.

    A link to a folder that contains it is skipped, so the traversal always ends.
    """
    folders: list[str] = []
    files: list[str] = []
    pending = [("", frozenset([_identity(root)]))]
    while pending:
        within, outer = pending.pop()
        try:
            entries = sorted(path.name for path in (root / within).iterdir())
        except OSError as error:
            bad.append(Bad(within or ".", f"cannot be listed: {error.strerror}"))
            continue
        for entry in entries:
            name = f"{within}/{entry}" if within else entry
            path = root / name
            if kind := why_left_out(entry):
                left_out[kind] += 1
            elif not _is_folder(path):
                lost = path.is_symlink() and not path.suffix and not path.exists()  # perhaps of a picture
                bad += [Bad(name, "a broken link")] * lost
                files += [name] * (not lost)
            elif reason := _leads_out(path, root, follow_links):
                bad.append(Bad(name, reason))
            elif _identity(path) in outer:
                left_out["links to a folder around them"] += 1
            else:
                folders.append(name)
                pending.append((name, outer | {_identity(path)}))
    return folders, files


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a loop of links
        return False


def _identity(folder: Path) -> tuple[int, int]:
    info = folder.stat()
    return info.st_dev, info.st_ino


def _leads_out(path: Path, root: Path, follow_links: bool) -> str:
    """The reason why the target of `path` is not read, or ""."""
    if follow_links or not path.is_symlink():  # a file of a listed folder
        return ""
    target = path.resolve()
    return (
        ""
        if target.is_relative_to(root)
        else f"a link that leads out of the folder, to {target}; --follow-links reads it"
    )


def _why_not_readable(path: Path, root: Path, follow_links: bool) -> str:
    """The reason why the file at `path` is not read, or ""."""
    try:
        mode = path.stat().st_mode
    except OSError:  # a loop of links, too
        return "a broken link" if path.is_symlink() else "cannot be read"
    if reason := _leads_out(path, root, follow_links):
        return reason
    if not stat.S_ISREG(mode):
        return "not a regular file"
    return "" if os.access(path, os.R_OK) else "may not be read by this user"
