"""Data sets of two domains, for networks that translate pictures of one into the other."""

import hashlib
import json
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from gan_runtime.data.dataset import Dataset
from gan_runtime.errors import InputError
from gan_runtime.images.options import CHANNELS, PictureOptions
from gan_runtime.images.prepare import PREPARATIONS, VERSION, channels_of

DIRECTIONS = ("AtoB", "BtoA")


@dataclass(frozen=True)
class PairOptions:
    """How the two domains of a data set are found.

    Args:
        input: a key of `PREPARATIONS`: the pictures are the targets, and their inputs are made from them; "": the data
            has both domains.
        direction: "AtoB": A is the input and B the target; "BtoA": the reverse. Inputs that are made from targets have
            no other direction.
        input_mode: "L" (grey) or "RGB": mode of the inputs; "": that of the targets.
        paired: whether each input belongs to one target.

    Raises:
        InputError: a value is unknown, or two contradict each other.
    """

    input: str = ""
    direction: str = "AtoB"
    input_mode: str = ""
    paired: bool = True

    def __post_init__(self) -> None:
        if self.input not in ("", *PREPARATIONS):
            raise InputError(f"--input {self.input}: unknown; choose one of {', '.join(PREPARATIONS)}")
        if self.direction not in DIRECTIONS:
            raise InputError(f"--direction {self.direction}: choose {' or '.join(DIRECTIONS)}")
        if self.input_mode not in ("", *CHANNELS):
            raise InputError(f"--input-mode {self.input_mode}: choose {' or '.join(CHANNELS)}")
        for name, given in (("direction", self.direction != DIRECTIONS[0]), ("input-mode", self.input_mode)):
            if self.input and given:
                raise InputError(f"--{name}: --input {self.input} makes the inputs from the pictures; leave out one")

    @property
    def learns_from(self) -> str:
        """The kind of the data, as recipes name it."""
        return "pairs" if self.paired else "unpaired"

    def channels(self, options: PictureOptions) -> int:
        """The number of channels of the inputs, where the targets are decoded with `options`."""
        channels = CHANNELS[self.input_mode or options.mode]
        return channels_of(self.input, channels) if self.input else channels


@dataclass(frozen=True)
class Domains(Dataset):
    """Pictures of two domains: the inputs of a network, and its targets. Make it with `domains_of`.

    `images`, `names` and `content` are those of the targets. `digest` covers both domains and the held-out pictures.

    Attributes:
        source: the inputs, uint8 [m, h, w, c].
        target: the targets, uint8 [n, h, w, c'], with the digest of the targets alone.
        paired: whether input i belongs to target i.
        held_out: pictures for testing that came with the data; None: `split_domains` holds out a part.
    """

    source: Dataset = field(kw_only=True)
    target: Dataset = field(kw_only=True)
    paired: bool = field(kw_only=True)
    held_out: "Domains | None" = field(kw_only=True, default=None)

    @cached_property
    def splits(self) -> dict[float | None, Any]:
        """What `split_domains` has found by share: a run splits its images several times."""
        return {}


def domains_of(source: Dataset, target: Dataset, paired: bool, held_out: Domains | None = None) -> Domains:
    """The two domains as one data set, named as the target."""
    parts = [source.digest, target.digest, paired, held_out and held_out.digest]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    shared = {one.name: getattr(target, one.name) for one in fields(Dataset)}
    return Domains(**shared | {"digest": digest}, source=source, target=target, paired=paired, held_out=held_out)


def with_inputs(targets: Dataset, kind: str) -> Domains:
    """Pairs of the images of a data set and the inputs that a key of `PREPARATIONS` makes from them, in memory."""
    prepare = PREPARATIONS[kind]
    images = np.stack([prepare(image) for image in targets.images])
    digest = hashlib.sha256(json.dumps([targets.digest, kind, VERSION]).encode()).hexdigest()
    return domains_of(replace(targets, images=images, digest=digest), targets, paired=True)
