"""What a folder or archive of two domains holds, for gan-data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gan_runtime.data.layout import Layout, pair_up, shapes_differ
from gan_runtime.errors import DataError

Sizes = Mapping[str, tuple[int, int]]
PARTS = {"training": False, "testing": True}


@dataclass(frozen=True)
class DomainReport:
    """The numbers of pictures of A and of B by part, "training" and "testing"; those of pairs, and what is wrong.

    Attributes:
        counts: of each domain.
        pairs: pictures of A with a partner of the same name in B.
        alone: pictures without a partner; empty if no picture has one.
        misshapen: pairs whose ratios of width and height differ, which is known only if they have been decoded.
        problem: why there are no pairs, "" if there is no reason.
    """

    counts: dict[str, dict[str, int]]
    pairs: dict[str, int]
    alone: tuple[str, ...]
    misshapen: tuple[tuple[str, str], ...]
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without what is empty."""
        found = {
            "without a partner": list(self.alone),
            "of different shapes": [f"{one}, {other}" for one, other in self.misshapen],
        }
        return self.counts | {"pairs": self.pairs} | {name: value for name, value in found.items() if value}


def describe_domains(layout: Layout, sizes: Sizes) -> DomainReport | None:
    """The two domains of a layout; None if no folders have their names.

    Args:
        layout: of the folder or archive.
        sizes: width and height of the pictures that have been decoded, by name.
    """
    if not layout.domains:
        return None
    counts = {
        domain: {part: len(layout.pictures(domain, held_out)[0]) for part, held_out in PARTS.items()} for domain in "AB"
    }
    pairs, alone, misshapen = dict.fromkeys(PARTS, 0), list[str](), list[tuple[str, str]]()
    try:
        for part, held_out in PARTS.items():
            a, b = (layout.pictures(domain, held_out)[0] for domain in "AB")
            partners, lonely = pair_up(layout.path, a, b)
            pairs[part] = len(partners)
            alone += [entry.name for entry in lonely]
            misshapen += [
                pair for pair in partners if sizes.keys() >= set(pair) and shapes_differ(*(sizes[one] for one in pair))
            ]
    except DataError as error:
        return DomainReport(counts, dict.fromkeys(PARTS, 0), (), (), str(error))
    return DomainReport(counts, pairs, tuple(alone) if any(pairs.values()) else (), tuple(misshapen))
