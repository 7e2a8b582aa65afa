"""One training step per family of systems, which reads like its paper.

Each takes (state, recipe, real, labels) and returns the losses of discriminator and generator, scalars without
gradients; None for one that made no step.
"""

from gan_trainer.systems import bigan as joint
from gan_trainer.systems import gan as latent
from gan_trainer.systems import vae as autoencoder

STEPS = {"latent": latent.train_step, "joint": joint.train_step, "autoencoder": autoencoder.train_step}
