"""What the systems that translate images share: networks from a recipe, and passes through them."""

from torch import Tensor, nn

from gan_runtime.manifest import ImageSize
from gan_trainer.losses.adversarial import OBJECTIVES
from gan_trainer.networks.patch import new_patch_discriminator
from gan_trainer.networks.translator import Translator, new_translator
from gan_trainer.recipes.translation import PATCHES, TranslationRecipe
from gan_trainer.training.average import fit_statistics, share_of_new
from gan_trainer.training.state import TrainState, update_averages
from gan_trainer.training.step import autocast

FIT_EVERY = 4  # steps between batches that the averages see
FIT_SPEED = 4  # their statistics follow their weights with a quarter of the weights' half-life


def generator(recipe: TranslationRecipe, source: ImageSize, size: ImageSize) -> Translator:
    """A new generator from images of the size `source` to images of `size`."""
    return new_translator(
        recipe.network,
        source,
        size,
        recipe.downs,
        recipe.blocks,
        skip=recipe.skip,
        width=recipe.width,
        norm=recipe.norm,
        up=recipe.up,
        dropout=recipe.dropout,
    )


def discriminator(recipe: TranslationRecipe, size: ImageSize, channels: int) -> nn.Module:
    """A new discriminator of patches of images of `size` that have so many channels together."""
    judged = ImageSize(size.height, size.width, channels)
    return new_patch_discriminator(judged, PATCHES[recipe.patch], recipe.d_width, recipe.d_norm)


def translate(state: TrainState, recipe: TranslationRecipe, name: str, images: Tensor) -> Tensor:
    """The images as the generator `name` translates them, float32 [n, c, h, w]."""
    with autocast(images, recipe):
        translated: Tensor = state.networks[name](images)
    return translated.float()


def judge(state: TrainState, recipe: TranslationRecipe, name: str, images: Tensor) -> Tensor:
    """Logits of the patches of images, float32 [n, 1, h', w']."""
    with autocast(images, recipe):
        logits: Tensor = state.networks[name](images)
    return logits.float()


def discriminator_loss(state: TrainState, recipe: TranslationRecipe, name: str, real: Tensor, fake: Tensor) -> Tensor:
    """The loss of the discriminator `name` on real and translated images, which are separate batches for batch norm."""
    return OBJECTIVES[recipe.objective].d_loss(judge(state, recipe, name, real), judge(state, recipe, name, fake))


def generator_loss(state: TrainState, recipe: TranslationRecipe, name: str, fake: Tensor) -> Tensor:
    """The adversarial loss of a generator whose images the discriminator `name` judges; no objective uses the real."""
    logits = judge(state, recipe, name, fake)
    return OBJECTIVES[recipe.objective].g_loss(logits, logits)


def update_translators(state: TrainState, recipe: TranslationRecipe, **inputs: Tensor) -> None:
    """Update the averages of generators. At intervals, their statistics are fitted to a batch of their `inputs`."""
    update_averages(state, recipe, recipe.batch_size, statistics=False)
    if not state.averages or state.step % FIT_EVERY:
        return
    seen = state.images_before + state.images_seen + recipe.batch_size
    share = share_of_new(recipe.ema_half_life, seen, FIT_SPEED * FIT_EVERY * recipe.batch_size)
    for name, average in state.averages.items():
        with autocast(inputs[name], recipe):
            fit_statistics(average, inputs[name], share)
