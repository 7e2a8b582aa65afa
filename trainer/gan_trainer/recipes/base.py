"""The settings that all recipes share. Each system defines its other settings in a module of this package.

Every field with a help text is a flag of gan-train, with the same bounds. Creating a recipe with invalid values raises
InputError. This package does not import torch, so that commands can print their help without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from gan_runtime.errors import InputError
from gan_trainer.recipes.checks import AUTO, check_fields, check_precision, check_resolved, flag
from gan_trainer.recipes.words import names_of_fields

EPOCH = 60_000  # images

DOMAIN_OPTIONS = {  # options of data with two domains, by what a recipe learns from
    "pairs": ("input", "direction", "input_mode"),
    "unpaired": ("direction", "input_mode"),
}
WITHOUT_MEANING = {"photos": ("size", "labels")}  # options of reading pictures, by what a recipe learns from


def setting(default: Any, text: str, choices: tuple[str, ...] = (), **bounds: Any) -> Any:
    """A field with its help text, and its choices or bounds.

    `min` and `max` are inclusive bounds, `above` and `below` exclusive ones.
    """
    return field(default=default, metadata={"help": text, "choices": choices, "bounds": bounds})


def many(default: Any, text: str, least: int = 1) -> Any:
    """A field that is a number of images."""
    return setting(default, text, min=least, max=10**12)


@dataclass(frozen=True)
class Recipe:
    """Optimizer, lengths and intervals. Lengths and intervals are numbers of real images seen.

    The subclass of a system adds fields, sets `system` to its name, and extends `check` and `idle`.
    """

    source: str = field(compare=False)  # the paper; its wording is no setting
    system: str = field(default="", init=False)  # a key of SYSTEMS
    optimizer: str = setting("adam", "Optimizer: adam or rmsprop.", ("adam", "rmsprop"))
    lr: float = setting(2e-4, "Learning rate of all networks.", above=0.0, max=1.0)
    betas: tuple[float, float] = setting((0.5, 0.999), "Decay rates of the moments of Adam.", min=0.0, below=1.0)
    weight_decay: float = setting(0.0, "L2 penalty on all weights.", min=0.0, max=1.0)
    decay: str = setting("linear", "Decay of the learning rate: linear or cosine.", ("linear", "cosine"))
    decay_from: float = setting(
        1.0, "Fraction of the run after which the learning rate decays; 1: it does not.", min=0.0, max=1.0
    )
    lr_end: float = setting(0.0, "Learning rate at the end of the run, as a fraction of --lr.", min=0.0, max=1.0)
    batch_size: int = setting(64, "Images per batch.", min=2, max=65536)
    images: int = many(30 * EPOCH, "Length of the run: real images shown to the networks.")
    ema_half_life: int = many(
        0, "Half-life, in images, of the moving average of the generator's weights; 0: no average.", 0
    )
    sync_batch_norm: bool = setting(
        False, "Batch norms take their statistics from the batches of all processes that torchrun starts."
    )
    precision: str = setting("fp32", "fp32, bf16, or auto: bf16 if it is faster on the device.")
    eval_every: int = many(2 * EPOCH, "Images between evaluations; 0: none.", 0)
    patience: int = setting(0, "Stop after this many evaluations without a better score; 0: never.", min=0, max=10**6)
    stop_when_collapsed: bool = setting(False, "Stop with exit code 3 when the generator has collapsed.")
    log_every: int = many(12_800, "Images between entries of the log.")
    preview_every: int = many(EPOCH, "Images between grids of samples, which are drawn from fixed latents.")
    checkpoint_every: int = many(EPOCH, "Images between checkpoints.")

    task: ClassVar[str] = "generate"  # the task of the system: a name in `gan_trainer.tasks.TASKS`
    learns_from: ClassVar[str] = "images"  # or "photos" of mixed sizes, or two domains: a key of DOMAIN_OPTIONS
    only_images: ClassVar[str] = ""  # the reason, if the system supports only images

    def __post_init__(self) -> None:
        """Raise InputError, naming the field, if one is out of range or two contradict each other."""
        with names_of_fields():
            check_fields(self)
            check_precision(self.precision)
            self.check()

    def check(self) -> None:
        """Raise InputError if fields contradict each other. Types and bounds have already been checked."""

    def idle(self) -> dict[str, str]:
        """Fields that have no effect with the values of the others, and why."""
        fixed = dict.fromkeys(("decay", "lr_end"), "the learning rate does not decay; give --decay-from")
        rates = {"betas": "--optimizer rmsprop does not use it"} if self.optimizer == "rmsprop" else {}
        return rates | (fixed if self.decay_from == 1 else {})

    @classmethod
    def implied(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Values of other fields that are implied by the `given` ones."""
        return {}

    def generator_is_due(self, counters: Mapping[str, int]) -> bool:
        """Whether the generator makes a step after the current batch."""
        return True

    def share_of_rate(self, optimizer: str) -> float:
        """The learning rate of an optimizer of the system, as a fraction of `lr`."""
        return 1.0

    def betas_of(self, optimizer: str) -> tuple[float, float]:
        """The decay rates of the moments of an Adam optimizer of the system."""
        return self.betas

    @property
    def on_classes(self) -> bool:
        """Whether the networks are conditioned on classes."""
        return False

    @property
    def batch_step(self) -> int:
        """Batch sizes must be multiples of it."""
        return 1

    @property
    def cycle(self) -> int:
        """The period of the cost of a step, in steps."""
        return 1

    @property
    def differentiates_twice(self) -> bool:
        """Whether a loss contains gradients of a network, as gradient penalties do: torch.compile has none of those."""
        return False

    @property
    def summary(self) -> str:
        """The objective as a short text."""
        return self.system

    @property
    def unresolved(self) -> tuple[str, ...]:
        """Fields that are "auto"; `make_config` resolves them for the device and the data."""
        return tuple(name for name in ("precision", "augment") if getattr(self, name, None) == AUTO)

    @property
    def bf16(self) -> bool:
        """Whether matrix products and convolutions are computed in bf16. Raises InputError for "auto"."""
        check_resolved("precision", self.precision)
        return self.precision == "bf16"


def check_no_average(recipe: Recipe) -> None:
    """Raise InputError if an average is requested for a generator that is trained with an encoder."""
    if recipe.ema_half_life:
        raise InputError(
            f"{flag('ema_half_life', recipe.ema_half_life)}: an averaged generator would not match the encoder; "
            "leave it out"
        )
