"""Inputs for the comparison of a generator with styles with its file."""

import numpy as np
import torch
from numpy.typing import NDArray

from gan_runtime.manifest import Latents
from gan_trainer.export.inputs import FAR, LABELS, LATENTS, generator_rows, other_blocks, usual_blocks
from gan_trainer.export.parity import Feeds, Rows
from gan_trainer.export.styled_parts import NOISE, STYLES, TRUNCATION
from gan_trainer.networks.stylegan2 import StyleGenerator

MOST_ROWS, LEAST_ROWS = 16, 2  # of a batch; fewer where images are large, which take seconds each
BATCH_VALUES = 2**20  # of its images: as many as five of 256x256 have
BLOCKS = 4  # batches of images that seed 0 draws
TRUNCATIONS = 1.0, 0.5, 0.0, 1.3


def latents_of(network: StyleGenerator) -> Latents:
    """The latents of all such generators: N(0, 1)."""
    return Latents(network.latent_dim, "normal")


def rows_of_images(network: StyleGenerator) -> int:
    """The number of images in a batch."""
    return max(LEAST_ROWS, min(MOST_ROWS, BATCH_VALUES // int(np.prod(network.size.shape))))


def image_feeds(network: StyleGenerator) -> list[Feeds]:
    """Batches of inputs to draw images from: usual latents, some from outside, and batches of one class."""
    latents, classes, n = latents_of(network), network.classes, rows_of_images(network)
    starts = (0, FAR, *range(n, n * (BLOCKS - 1), n))
    usual = [generator_rows(start, n, latents, classes) for start in starts]
    return [_named(network, tuple(x[:n] for x in rows)) for rows in (*usual, *other_blocks(latents, classes, n))]


def mapping_feeds(network: StyleGenerator) -> list[Feeds]:
    """The same to make styles from, with every class: styles cost little."""
    latents, classes = latents_of(network), network.classes
    blocks = usual_blocks(latents, classes, MOST_ROWS, network.layers * network.w_dim)
    return [_named(network, rows) for rows in (*blocks, *other_blocks(latents, classes, MOST_ROWS))]


@torch.no_grad()
def style_feeds(network: StyleGenerator) -> list[Feeds]:
    """Styles of `image_feeds`; the first batch has other ones in each layer, as mixed styles have."""
    found = []
    for feeds in image_feeds(network)[:BLOCKS]:
        inputs = [torch.from_numpy(feeds[name]) for name in (LATENTS, LABELS, TRUNCATION) if name in feeds]
        labels = inputs[1] if LABELS in feeds else None
        found.append(feeds | {STYLES: network.styles(inputs[0], labels, inputs[-1]).numpy()})
    first = found[0][STYLES]
    rows, layers = np.indices(first.shape[:2])
    found[0][STYLES] = first[(rows + layers) % len(first), layers]
    return found


def _named(network: StyleGenerator, rows: Rows) -> Feeds:
    """Latents and labels by name, with a truncation and noise for each of them."""
    n = len(rows[0])
    optional: Feeds = {TRUNCATION: np.resize(np.asarray(TRUNCATIONS, np.float32), n), NOISE: random_noise(network, n)}
    return dict(zip((LATENTS, LABELS), rows, strict=False)) | optional


def random_noise(network: StyleGenerator, n: int) -> NDArray[np.float32]:
    """The same N(0, 1) each time, float32 [n, noise_dim]."""
    return np.random.default_rng(0).standard_normal((n, network.noise_dim), np.float32)
