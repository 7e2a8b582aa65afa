"""One training step per family of systems, which reads like its paper.

Each takes (state, recipe, real, labels) and returns the losses of discriminator and generator, scalars without
gradients; None for one that made no step.
"""

from gan_trainer.steps import autoencoder, joint, latent

STEPS = {"latent": latent.train_step, "joint": joint.train_step, "autoencoder": autoencoder.train_step}
