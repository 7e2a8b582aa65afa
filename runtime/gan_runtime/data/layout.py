"""Where the pictures of two domains lie in a folder or archive: A/ B/, trainA/ testB/, A/train/, train/, …"""

import re
from pathlib import PurePosixPath
from typing import NamedTuple
from unicodedata import normalize

TRAIN = ("train", "training")
HELD_OUT = ("test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation", "holdout")
FOLDER = re.compile(rf"(?P<split>(?i:{'|'.join((*TRAIN, *HELD_OUT))}))?[-_]?(?P<domain>[AB])?")


class Place(NamedTuple):
    """The domain of a picture, "A", "B" or "" if no folder says so; whether it is for testing; and its name.

    `key` is the name without these folders and without suffix. Partners have the same key.
    """

    domain: str
    held_out: bool
    key: str


def place(name: str) -> Place:
    """Where a picture belongs, by the first folder that names a domain, and the first that names a split."""
    path = PurePosixPath(normalize("NFC", name))
    domain, split, others = "", "", []
    for folder in path.parts[:-1]:
        found = FOLDER.fullmatch(folder) if folder.strip("-_") else None
        named, part = (found["domain"] or "", found["split"] or "") if found else ("", "")
        if (named and domain) or (part and split) or not (named or part):
            others.append(folder)
        domain, split = domain or named, split or part
    return Place(domain, split.lower() in HELD_OUT, "/".join([*others, path.stem]))
