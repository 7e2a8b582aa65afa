"""Settings of all systems whose generator draws images from latents."""

from dataclasses import dataclass

from gan_runtime.errors import InputError
from gan_trainer.recipes.base import Recipe, setting

NETWORKS = ("mlp", "conv", "dcgan", "resnet")
NORMS = ("none", "batch", "layer")


@dataclass(frozen=True)
class GenerateRecipe(Recipe):
    """The generator's latents, and whether it is conditioned on classes."""

    conditional: bool = setting(False, "Condition the networks on classes, if the data have them.")
    latent_dim: int = setting(100, "Dimension of the latents.", min=1, max=4096)
    latents: str = setting(
        "normal", "Distribution of the latents: normal, N(0, 1), or uniform, U(-1, 1).", ("normal", "uniform")
    )

    @property
    def on_classes(self) -> bool:
        """Whether the networks are conditioned on classes."""
        return self.conditional


@dataclass(frozen=True)
class BodyRecipe(Recipe):
    """The body of the networks, one of several."""

    network: str = setting("dcgan", "Body of the networks: mlp, conv, dcgan or resnet.", NETWORKS)
    width: int = setting(
        32, "Channels at half the image size. The layers of mlp have 8 to 32 times as many units.", min=2, max=4096
    )
    g_norm: str = setting("batch", "Normalisation of the generator: none, batch or layer.", NORMS)


@dataclass(frozen=True)
class LatentRecipe(GenerateRecipe, BodyRecipe):
    """The settings of generators with such a body."""


def latents_of(recipe: Recipe) -> GenerateRecipe:
    """`recipe`, which has latents. Raises InputError for a recipe of a system without latents."""
    if not isinstance(recipe, GenerateRecipe):
        raise InputError(f"--recipe {recipe.system}: it has no latents; its class must be a GenerateRecipe")
    return recipe
