"""Remarks on usable pictures with an unusual property, one per kind and folder."""

from collections.abc import Sequence

from gan_runtime.images.options import PictureOptions
from gan_runtime.records import record

DARK_LEVELS, NO_PROFILE, TRANSPARENT, FIRST = "dark", "profile", "transparent", "first"


@record(frozen=True)
class Remark:
    """A kind of remark, the number of pictures, the name of the first one, and the largest of their values."""

    kind: str
    count: int
    first: str
    value: float = 0.0

    def text(self, background: str) -> str:
        """The remark as a message."""
        many = self.count > 1
        which = f"{self.count:,} {'pictures' if many else 'picture'} ({self.first}{', …' if many else ''})"
        if self.kind == DARK_LEVELS:
            bits = max(8, int(self.value).bit_length())
            return (
                f"{which} of 16 or 32 bits {'use' if many else 'uses'} none of the levels above {self.value:g}, and "
                f"{'come' if many else 'comes'} out dark; if that is because white is {2**bits - 1}, say --levels 0 "
                f"{2**bits - 1}"
            )
        if self.kind == NO_PROFILE:
            return f"{which} with a colour profile that cannot be used: taken for sRGB"
        if self.kind == TRANSPARENT:
            return f"{which} with transparency: {background} shows through it (--background)"
        if self.kind == FIRST:
            return f"{which} with more than one frame or page: the first one alone is taken"
        return f"{which}: {self.kind}"


def summarise(names: Sequence[str], noticed: Sequence[Sequence[tuple[str, float]]]) -> tuple[Remark, ...]:
    """One remark per kind; `noticed` has the kinds and values of each picture in `names`."""
    found: dict[str, Remark] = {}
    for name, notices in zip(names, noticed, strict=True):
        for kind, value in notices:
            known = found.get(kind, Remark(kind, 0, name))
            found[kind] = Remark(kind, known.count + 1, known.first, max(known.value, value))
    return tuple(found[kind] for kind in sorted(found))


def messages(remarks: tuple[Remark, ...], options: PictureOptions) -> tuple[str, ...]:
    """The remarks as text. The one on transparency is left out where the user has chosen a background."""
    chosen = options.background != PictureOptions.background
    return tuple(remark.text(options.background) for remark in remarks if not (chosen and remark.kind == TRANSPARENT))
