"""What was done, for messages and --json."""

from collections.abc import Sequence
from typing import Any

from gan_runtime.data.entries import Bad
from gan_runtime.images.remarks import Remark
from gan_runtime.records import record
from gan_runtime.transform.running import Made

SHOWN = 3  # bad pictures that a message names


@record(frozen=True)
class Report:
    """The outcome of a call.

    Attributes:
        output: as it was named.
        pictures: the number of those that were named, usable or not.
        kept: of those, how many an earlier call had finished; None if the output is no folder.
        bad: those that were not written, with the reasons.
        frames: of the animations that were written now.
        in_tiles: the number of pictures that were run in tiles now.
        tiles: that were run now, of all pictures.
        side: the largest side of a tile in pixels of the input; None if all pictures were run as a whole.
        pixels: of the outputs that were written now.
        remarks: on unusual properties of pictures.
    """

    output: str
    pictures: int
    kept: int | None = None
    bad: tuple[Bad, ...] = ()
    frames: int = 0
    in_tiles: int = 0
    tiles: int = 0
    side: int | None = None
    pixels: int = 0
    remarks: tuple[Remark, ...] = ()

    @classmethod
    def of(
        cls,
        output: str,
        pictures: int,
        made: Sequence[Made],
        *,
        kept: int | None = None,
        bad: tuple[Bad, ...] = (),
        remarks: tuple[Remark, ...] = (),
    ) -> "Report":
        """The outcome of a call that wrote the files `made`."""
        return cls(
            output=output,
            pictures=pictures,
            kept=kept,
            bad=bad,
            frames=sum(each.frames for each in made if each.frames > 1),
            in_tiles=sum(each.in_tiles for each in made),
            tiles=sum(each.tiles for each in made),
            side=max((each.side for each in made if each.side), default=None),
            pixels=sum(each.pixels for each in made),
            remarks=remarks,
        )

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON."""
        facts: dict[str, Any] = {"output": self.output, "n": self.pictures - len(self.bad)}
        if self.kept is not None:
            facts["kept"] = self.kept
        facts["bad"] = [{"name": entry.name, "reason": entry.reason} for entry in self.bad]
        return facts | {"frames": self.frames, "in_tiles": self.in_tiles}

    def failure(self) -> str:
        """A message on the bad pictures; what became of the others."""
        shown = "; ".join(f"{entry.name} ({entry.reason})" for entry in self.bad[:SHOWN])
        more = f"; and {len(self.bad) - SHOWN:,} more" if len(self.bad) > SHOWN else ""
        others = "; the others are written" if len(self.bad) < self.pictures else ""
        return f"{len(self.bad):,} of {self.pictures:,} pictures cannot be used: {shown}{more}{others}"
