"""A share of a job: several processes, on one host or on many, write one output together."""

import re
from pathlib import Path

from gan_runtime.errors import InputError
from gan_runtime.records import record

MOST = 10**6


@record(frozen=True)
class Share:
    """Part `number` of `of` parts, counted from 1. The parts are contiguous and differ by one at most."""

    number: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of <= MOST:
            raise InputError(f"--shard {self}: must be 1/{self.of} to {self.of}/{self.of}, of at most {MOST:,} parts")

    def part(self, n: int) -> range:
        """Which of n things belong to this part; none if there are fewer things than parts."""
        return range((self.number - 1) * n // self.of, self.number * n // self.of)

    def beside(self, path: Path) -> Path:
        """The file of this share that stands for `path` of the whole job: request-2-of-4.json for request.json."""
        return path if self == WHOLE else path.with_stem(f"{path.stem}-{self.number}-of-{self.of}")

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


WHOLE = Share()


def of_all_shares(path: Path) -> list[Path]:
    """The files that stand for `path` of the whole job or of any share, as far as they exist."""
    name = re.compile(re.escape(path.stem) + r"(-[0-9]+-of-[0-9]+)?" + re.escape(path.suffix), re.ASCII)
    return sorted(other for other in path.parent.glob("*") if name.fullmatch(other.name))


def share_of(text: str) -> Share:
    """The share that "k/N" names. Raises InputError if there is none."""
    found = re.fullmatch(r"([0-9]{1,7})/([0-9]{1,7})", text, re.ASCII)
    if not found or not int(found[2]):
        raise InputError(f"--shard {text!r:.40}: give k/N, part k of N parts, such as 1/4 to 4/4")
    return Share(int(found[1]), int(found[2]))
