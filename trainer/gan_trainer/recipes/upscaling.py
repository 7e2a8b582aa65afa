"""Settings of the systems that enlarge images: by L1 alone, and against a discriminator (ESRGAN)."""

from dataclasses import dataclass, field
from typing import ClassVar

from gan_runtime.errors import InputError
from gan_trainer.recipes.base import Recipe, setting
from gan_trainer.recipes.checks import flag

UPSCALERS = ("compact", "edsr", "rrdb")
DEGRADATIONS = ("bicubic", "real")
GENERAL = "general"  # the convolutions of the general features
LEAST_JUDGED = 32  # pixels; the side of the crops in high resolution that a discriminator can judge


@dataclass(frozen=True)
class UpscalingRecipe(Recipe):
    """A network from photos in low resolution to photos in high resolution."""

    network: str = setting("edsr", "Network: compact, edsr or rrdb.", UPSCALERS)
    width: int = setting(64, "Channels of the network's features.", min=4, max=1024)
    blocks: int = setting(
        8, "Convolutions of compact, residual blocks of edsr, residual dense blocks of rrdb.", min=1, max=64
    )
    scale: int = setting(4, "Factor between the resolutions: 2, 3 or 4.", min=2, max=4)
    crop: int = setting(32, "Side of the training crops in low resolution, in pixels.", min=8, max=512)
    degradation: str = setting(
        "bicubic",
        "How low resolution is made: bicubic, as MATLAB's imresize; or real, with random blur, noise and JPEG.",
        DEGRADATIONS,
    )
    batch_size: int = setting(8, "Crops per batch.", min=1, max=65536)

    task: ClassVar[str] = "upscale"
    learns_from: ClassVar[str] = "photos"
    adversarial: ClassVar[bool] = False  # whether detail is rewarded that the photo need not have
    only_images: ClassVar[str] = "enlarges pictures"


@dataclass(frozen=True)
class SrRecipe(UpscalingRecipe):
    """A network that minimises the L1 distance, which maximises PSNR: stage 1 of ESRGAN."""

    system: str = field(default="sr", init=False)

    @property
    def summary(self) -> str:
        """The loss."""
        return "L1"


@dataclass(frozen=True)
class EsrganRecipe(UpscalingRecipe):
    """A network that also makes what a discriminator takes for real: stage 2 of ESRGAN, best begun with stage 1."""

    system: str = field(default="esrgan", init=False)
    adversarial: ClassVar[bool] = True
    l1_weight: float = setting(1.0, "Weight of the L1 distance.", min=0.0, max=1e6)
    perceptual_weight: float = setting(0.03, "Weight of the L1 distance of features.", min=0.0, max=1e6)
    gan_weight: float = setting(0.005, "Weight of the adversarial loss.", above=0.0, max=1e6)
    phase_weight: float = setting(
        1.0, "Weight of the penalty on a grid of the pitch of the enlargement.", min=0.0, max=1e6
    )
    perceptual: str = setting(
        GENERAL,
        "These features: general, or a file with the weights of VGG19 (torchvision's vgg19-dcbb9e9d.pth).",
    )
    d_width: int = setting(32, "Channels of the discriminator's first layer.", min=2, max=1024)
    d_lr: float = setting(1.0, "Learning rate of the discriminator, as a fraction of --lr.", above=0.0, max=100.0)

    def check(self) -> None:
        """Raise InputError for crops that the discriminator cannot judge."""
        super().check()
        if self.crop * self.scale < LEAST_JUDGED:
            least = -(-LEAST_JUDGED // self.scale)
            raise InputError(f"{flag('crop', self.crop)}: too small for the discriminator; choose {least} or more")

    def idle(self) -> dict[str, str]:
        """The file of a perceptual loss that is not used."""
        return super().idle() | ({} if self.perceptual_weight else {"perceptual": "--perceptual-weight is 0"})

    def share_of_rate(self, optimizer: str) -> float:
        """The share `d_lr` for the discriminator."""
        return self.d_lr if optimizer == "d" else 1.0

    @property
    def summary(self) -> str:
        """The losses with their weights."""
        weights = {
            "L1": self.l1_weight,
            "perceptual": self.perceptual_weight,
            "relativistic average GAN": self.gan_weight,
            "phase": self.phase_weight,
        }
        return " + ".join(name if weight == 1 else f"{weight:g} {name}" for name, weight in weights.items() if weight)
