"""Settings of the systems that translate images: pix2pix on pairs, CycleGAN on two unpaired domains."""

from dataclasses import dataclass, field
from typing import ClassVar

from gan_runtime.errors import InputError
from gan_trainer.recipes.base import Recipe, setting
from gan_trainer.recipes.checks import check_choice, flag

NETWORKS = ("unet", "resnet")
NORMS = ("batch", "instance", "none")
UPS = ("transposed", "nearest", "bilinear")
OBJECTIVES = ("lsgan", "non-saturating", "hinge")
PATCHES = {16: 1, 34: 2, 70: 3, 142: 4, 286: 5}  # receptive fields of discriminators: strided layers


@dataclass(frozen=True)
class TranslationRecipe(Recipe):
    """Generators from images to images of the same size, and discriminators of patches (Isola et al. 2017)."""

    network: str = setting("unet", "Body of the generators: unet or resnet.", NETWORKS)
    width: int = setting(64, "Channels of a generator's first layer.", min=2, max=1024)
    downs: int = setting(0, "How often a unet halves the picture; 0: until its side is odd, at most 8.", min=0, max=9)
    blocks: int = setting(9, "Residual blocks of a resnet.", min=0, max=64)
    norm: str = setting(
        "batch",
        "Normalisation of the generators: batch, instance or none. With instance, every part of an output depends on "
        "the whole picture.",
        NORMS,
    )
    up: str = setting(
        "nearest",
        "How generators double their grid: by a transposed convolution, or by nearest or bilinear interpolation and a "
        "convolution.",
        UPS,
    )
    skip: bool = setting(False, "Generators give the input plus a difference. Both domains need the same channels.")
    dropout: float = setting(0.0, "Dropout rate in the generators, in training only.", min=0.0, max=0.99)
    patch: int = setting(
        70, "Side in pixels of the patches that a discriminator judges: 16, 34, 70, 142 or 286.", min=16, max=286
    )
    d_width: int = setting(64, "Channels of a discriminator's first layer.", min=2, max=1024)
    d_norm: str = setting("batch", "Normalisation of the discriminators: batch, instance or none.", NORMS)
    d_lr: float = setting(
        1.0, "Learning rate of the discriminators, as a fraction of that of the generators.", above=0.0, max=100.0
    )
    objective: str = setting("lsgan", "Adversarial loss: lsgan, non-saturating or hinge.", OBJECTIVES)
    gan_weight: float = setting(1.0, "Weight of the adversarial loss.", min=0.0, max=1e6)
    flip: bool = setting(False, "Mirror half of the pictures, both pictures of a pair alike.")
    shift: int = setting(
        0, "Move each picture by up to this many pixels, both pictures of a pair alike.", min=0, max=64
    )
    batch_size: int = setting(1, "Images per batch.", min=1, max=65536)

    task: ClassVar[str] = "translate"
    only_images: ClassVar[str] = "translates pictures"

    def check(self) -> None:
        """Raise InputError where the settings of networks and losses contradict each other."""
        super().check()
        if self.patch not in PATCHES:
            raise InputError(f"{flag('patch', self.patch)}: choose one of {', '.join(map(str, PATCHES))}")
        check_choice(self, "objective", self.objective, OBJECTIVES)

    def idle(self) -> dict[str, str]:
        """Fields of the other generator; those of the discriminators if there is no adversarial loss."""
        generator = (
            {"blocks": "--network unet has none"}
            if self.network == "unet"
            else {"downs": "a resnet always halves the picture twice"}
        )
        adversary = dict.fromkeys(("patch", "d_width", "d_norm", "d_lr", "objective"), "--gan-weight is 0")
        return super().idle() | generator | ({} if self.gan_weight else adversary)

    def share_of_rate(self, optimizer: str) -> float:
        """The share `d_lr` for the discriminators."""
        return self.d_lr if optimizer == "d" else 1.0


@dataclass(frozen=True)
class PairedRecipe(TranslationRecipe):
    """A generator that learns from pairs of input and output."""

    system: str = field(default="paired", init=False)
    l1_weight: float = setting(100.0, "Weight of the L1 distance to the true output.", min=0.0, max=1e6)

    learns_from: ClassVar[str] = "pairs"

    def check(self) -> None:
        """Raise InputError if there is no loss at all."""
        super().check()
        if not self.gan_weight and not self.l1_weight:
            raise InputError("--gan-weight 0 --l1-weight 0: there is no loss; give one of them")

    @property
    def summary(self) -> str:
        """The losses with their weights."""
        return _sum({self.objective: self.gan_weight, "L1": self.l1_weight})


@dataclass(frozen=True)
class UnpairedRecipe(TranslationRecipe):
    """Two generators, one for each direction, that learn from two domains without pairs."""

    system: str = field(default="unpaired", init=False)
    cycle_weight: float = setting(
        10.0, "Weight of the L1 distance between an input and its translation there and back.", min=0.0, max=1e6
    )
    identity_weight: float = setting(
        5.0, "Weight of the L1 distance between an image of the target domain and its translation.", min=0.0, max=1e6
    )
    pool: int = setting(
        50, "Earlier translations, half of which the discriminators see in place of new ones.", min=0, max=10_000
    )

    learns_from: ClassVar[str] = "unpaired"

    def check(self) -> None:
        """Raise InputError without an adversarial loss: nothing else draws translations to the target domain."""
        super().check()
        if not self.gan_weight:
            raise InputError("--gan-weight 0: nothing else makes translations resemble the target domain; give more")

    @property
    def summary(self) -> str:
        """The losses with their weights."""
        weights = {"cycle": self.cycle_weight, "identity": self.identity_weight}
        return _sum({self.objective: self.gan_weight} | weights)


def _sum(weights: dict[str, float]) -> str:
    return " + ".join(name if weight == 1 else f"{weight:g} {name}" for name, weight in weights.items() if weight)
