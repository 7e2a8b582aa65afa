"""The options of outputs, and their result."""

from collections.abc import Collection
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from gan_runtime.errors import InputError
from gan_runtime.images.grids import Layout
from gan_runtime.images.png_writing import LEVEL
from gan_runtime.outputs.share import WHOLE, Share
from gan_runtime.records import record

if TYPE_CHECKING:
    from gan_runtime.outputs.cluster import Cluster
    from gan_runtime.outputs.processes import Processes

FOLDER, STDOUT = "/", "-"  # kinds of output without a suffix
JOBS = (".tar", FOLDER)  # resumable
WALKS = (".gif", ".webp")
PICTURES = (STDOUT, ".png", *WALKS)
OF_POINTS = (STDOUT, ".png", ".npy", ".npz")
BELONGS = {  # all other options apply to every kind
    "rows": PICTURES,
    "columns": PICTURES,
    "padding": PICTURES,
    "scale": PICTURES,
    "by_class": PICTURES,
    "frames": WALKS,
    "fps": WALKS,
    "space": WALKS,
    "class_walk": WALKS,
    "mix": (".png", STDOUT),
    "coarse": (".png", STDOUT),
    "shard_size": (".tar",),
    "compression": JOBS,
    "share": JOBS,
    "cluster": JOBS,
}
FLAGS = {"share": "--shard", "cluster": "--ray"}  # of options with other names
DEFAULT_N, DEFAULT_WALKS, DEFAULT_ROWS, DEFAULT_POINTS = 64, 16, 8, 10_000
MOST_CLASSES_SHOWN = 20  # default number of images of an animation


@record(frozen=True)
class Options:
    """Options of outputs. An option that does not apply to the kind of output must have its default value.

    Raises:
        InputError: a value is too small.
    """

    rows: int | None = None
    columns: int | None = None
    padding: int = 0
    """Pixels between the images of a picture."""
    scale: int = 1
    """Each pixel becomes scale x scale of them."""
    by_class: bool = False
    """One column per class: image i has the label i mod classes, for any index of the first image."""
    frames: int = 96
    """Frames of a walk."""
    fps: float = 24.0
    """Frames per second."""
    space: str = "z"
    """Where a walk is: "z" for latents, "w" for their styles."""
    class_walk: bool = False
    """Each image of an animation keeps its latent and changes its class."""
    mix: tuple[int, int] | None = None
    """A picture of mixed styles: so many rows and columns, beside the images that they are mixed of."""
    coarse: int | None = None
    """The first layers, whose styles are those of the row in a picture of mixed styles; a default if None."""
    shard_size: int = 10_000
    """Images per .tar file."""
    compression: int = LEVEL
    """Of the PNG files in a folder or in shards: 0, none and fastest, to 9, smallest."""
    share: Share = WHOLE
    """The part of a folder or of shards that is written; other processes write the others."""
    cluster: "Cluster | Processes | None" = None
    """Where the parts of a folder or of shards are computed and written; in threads of this process if None."""
    quiet: bool = False
    """Print no progress and no messages on stderr."""

    def __post_init__(self) -> None:
        least = {"rows": 1, "columns": 1, "padding": 0, "scale": 1, "coarse": 1, "shard_size": 1}
        for name, bound in least.items():
            value = getattr(self, name)
            if value is not None and value < bound:
                raise InputError(f"{flag(name)} {value}: must be at least {bound}")
        if self.compression not in range(10):
            raise InputError(f"--compression {self.compression}: must be 0 to 9")

    def changed(self) -> list[str]:
        """Names of the options that do not have their default values."""
        return [field.name for field in fields(self) if getattr(self, field.name) != field.default]

    def layout(self, classes: int) -> Layout:
        """The layout of a grid of images of a generator with so many classes."""
        return Layout(self.rows, classes if self.by_class else self.columns, self.padding, self.scale)

    def default_n(self, kind: str, classes: int) -> int:
        """The default number of images."""
        if self.mix:
            return sum(self.mix)
        if self.by_class and classes:
            return (self.rows or DEFAULT_ROWS) * classes
        if self.rows and self.columns:
            return self.rows * self.columns
        if kind in WALKS:
            return classes if 0 < classes <= MOST_CLASSES_SHOWN else DEFAULT_WALKS
        return DEFAULT_N


@record(frozen=True)
class Outcome:
    """The result of `write_output`."""

    name: str
    """The file or folder; for shards, all of them in the brace notation of WebDataset."""
    kept: int | None = None
    """Number of images from an earlier, interrupted call; None for outputs that are written at once."""
    shards: tuple[str, ...] = ()

    def report(self) -> dict[str, Any]:
        """The fields for --json that apply to this kind of output."""
        report: dict[str, Any] = {} if self.kept is None else {"kept": self.kept}
        if self.shards:
            report["shards"] = {"count": len(self.shards), "first": self.shards[0], "last": self.shards[-1]}
        return report


def check_options(kind: str, given: Collection[str]) -> None:
    """Raise InputError if one of the options `given` by name does not apply to `kind`."""
    for name in given:
        kinds = BELONGS.get(name, (kind,))
        if kind not in kinds:
            raise InputError(
                f"{flag(name)}: has an effect only for {_listed(kinds)}; leave it out, or choose such an output"
            )


def check_points(output: str, kind: str, options: Options) -> None:
    """Raise InputError if points cannot be written to an output of this `kind`, or not with these options."""
    if kind not in OF_POINTS:
        raise InputError(f"{output}: the model generates points; choose .png (a scatter plot), .npy or .npz")
    for name in options.changed():
        if name in BELONGS:
            raise InputError(f"{flag(name)}: has no effect on points; leave it out")


def flag(name: str) -> str:
    """The option as it is written on a command line."""
    return FLAGS.get(name, f"--{name.replace('_', '-')}")


def _listed(kinds: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(kinds[:-1]), kinds[-1])))
