"""The report of gan-data: where a data set is, what it contains, and whether it is valid."""

from collections import Counter
from pathlib import Path
from typing import Any

from gan_runtime.data.classes import find_classes
from gan_runtime.data.domain_report import DomainReport, describe_domains
from gan_runtime.data.idx import decode, search
from gan_runtime.data.layout import Layout
from gan_runtime.data.listing import open_pictures
from gan_runtime.data.pictures import PictureReport, check_pictures
from gan_runtime.data.registry import SOURCES, IdxFile, files_needed, find_computed
from gan_runtime.errors import DataError
from gan_runtime.images.options import PictureOptions

SHOWN = 3  # names of a list
LABELS_HEADER = 8  # bytes of an IDX file of one axis before its data, a byte each


def describe_known(name: str, data_dir: Path | None = None, verify: bool = False) -> dict[str, Any]:
    """Licence, classes or modes, and splits of a key of `KNOWN`; `folder` of a split is None if it is not found.

    With `verify`, the files are read, and each split that is found has a list of `problems`, empty if it is valid.
    """
    computed, of = find_computed(name), files_needed(name)
    if computed and not of:
        return computed.facts() | {"splits": {split: computed.counts(split) for split in ("train", "test")}}
    source = SOURCES[of]
    splits: dict[str, dict[str, Any]] = {}
    for split, files in source.splits.items():
        folder, others = search(of, files, data_dir)
        counts = computed.counts(split) if computed else {"images": files[1].size - LABELS_HEADER}
        splits[split] = counts | {"folder": folder and str(folder)} | ({"others": others} if others else {})
        if verify and folder:
            splits[split]["problems"] = _problems(folder, files)
    facts = computed.facts() if computed else {"licence": source.licence, "classes": len(source.classes)}
    return facts | {"splits": splits}


def describe_pictures(path: Path, options: PictureOptions, verify: bool = False, quiet: bool = False) -> dict[str, Any]:
    """The number of images and other files in a folder or archive, its classes, and its bad images.

    Without `verify`, no image is decoded, and only files that can be refused unopened are listed as bad.

    Raises:
        DataError: the folder or archive as a whole cannot be used.
    """
    with open_pictures(path, options.follow_links) as listing:
        layout = Layout.of(listing)
        if verify:
            checked = check_pictures(path, options, quiet)
            return _pictures(checked, layout)
        found = find_classes(listing, options.labels)
        counts = Counter(found.of[name] for name in listing.names if found.of)
        classes = {name: counts[name] for name in found.names}
        counted = PictureReport(
            len(listing.names), listing.bad, listing.ignored, classes, listing.left_out, found.remarks
        )
        return _pictures(counted, layout)


def as_text(report: dict[str, Any]) -> dict[str, Any]:
    """A report of either kind as text, one line per entry."""
    if "splits" in report:
        facts = {name: value for name, value in report.items() if name != "splits"}
        return facts | {name: _split_as_text(split) for name, split in report["splits"].items()}
    bad: dict[str, str] = {}
    for entry in report["bad"]:  # a name may occur more than once in an archive
        name = _one_line(entry["name"])
        bad[name] = f"{bad[name]}; {entry['reason']}" if name in bad else entry["reason"]
    counts = zip(report["labels"].items(), report["classes"].values(), strict=True)
    classes = {str(number): f"{_one_line(name)}, {_images(count)}" for (name, number), count in counts}
    facts = report | {"classes": classes, "bad": bad, "labels": {}}
    if "domains" in report:
        facts["domains"] = _domains_as_text(report["domains"])
    if report.get("repeated"):
        copies = "is an exact copy" if report["repeated"] == 1 else "are exact copies"
        facts["repeated"] = f"{_images(report['repeated'])} {copies} of another image"
    else:
        facts.pop("repeated", None)
    return {name: value for name, value in facts.items() if value not in ({}, [])}


def _images(count: int) -> str:
    return f"{count:,} {'image' if count == 1 else 'images'}"


def _split_as_text(split: dict[str, Any]) -> str:
    if "folder" not in split:  # computed, not read from files
        return ", ".join(f"{count:,} {unit}" for unit, count in split.items())
    verdict = ""
    if "problems" in split:
        verdict = f": {'; '.join(split['problems']) or 'ok'}"
    others = "".join(f"; skipped: {other}" for other in split.get("others", ()))
    return f"{split['images']:,} images, {split['folder'] or 'not found'}{verdict}{others}"


def _pictures(found: PictureReport, layout: Layout) -> dict[str, Any]:
    domains = describe_domains(layout, found.sizes)
    return {
        "images": found.images,
        "ignored": found.ignored,
        "left out": found.left_out,
        "classes": found.classes,
        "labels": {name: number for number, name in enumerate(found.classes)},
        "bad": [{"name": entry.name, "reason": entry.reason} for entry in found.bad],
        **({} if domains is None else {"domains": domains.as_dict()}),
        "remarks": [*found.remarks, *_remarks(found, domains)],
        **({} if found.repeated is None else {"repeated": found.repeated}),
    }


def _remarks(found: PictureReport, domains: DomainReport | None) -> list[str]:
    """What a recipe for pairs would find."""
    if domains is not None:
        return [domains.problem] if domains.problem else []
    wide = bool(found.sizes) and all(width == 2 * height for width, height in found.sizes.values())
    return [
        "all images are twice as wide as high: recipes for pairs take the left half for A, the right one for B"
    ] * wide


def _domains_as_text(domains: dict[str, Any]) -> dict[str, str]:
    text = {}
    for name, found in domains.items():
        if isinstance(found, dict):
            text[name] = ", ".join(f"{count:,} for {part}" for part, count in found.items() if count) or "none"
        else:
            more = f"; and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
            text[name] = "; ".join(map(_one_line, found[:SHOWN])) + more
    return text


def _problems(folder: Path, files: tuple[IdxFile, ...]) -> list[str]:
    problems = []
    for file in files:
        try:
            decode(folder, file)
        except DataError as error:
            problems.append(str(error))
    return problems


def _one_line(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)
