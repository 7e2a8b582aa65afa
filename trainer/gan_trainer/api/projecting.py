"""`project`: what draws given images, found by the generator of a run."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_trainer.api.run import FolderPath, Run
from gan_trainer.projection import STEPS, Projection, project_images
from gan_trainer.projection.generators import open_generator
from gan_trainer.recipes.words import in_python


@in_python
def project(
    source: Run | FolderPath,
    images: NDArray[np.uint8],
    *,
    space: str | None = None,
    label: str | None = None,
    steps: int = STEPS,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    runs_dir: FolderPath = "runs",
) -> Projection:
    """Find what draws given images: styles, or latents of a generator without styles.

    Args:
        source: what `train` returned, a run folder, the name of a run in `runs_dir`, or a file with published weights
            of StyleGAN2. Of a run, the best checkpoint is taken.
        images: uint8 [n, h, w, c], of the generator's size.
        space, label, steps, seed, device, threads: as `gan_trainer.projection.project_images` takes them.
        runs_dir: the folder of the runs.

    Returns:
        Latents as `Generator.sample` and gan-sample take them, what they draw, and its PSNR.

    Raises:
        GanEdgeError: there is no such run, or it is damaged.
        InputError: the images or the source cannot be used, or an argument is out of range or has no effect.
        DeviceError: CUDA is asked for and does not work.
    """
    folder, own = (source.folder, source.networks) if isinstance(source, Run) else (Path(source), {})
    generator = open_generator(folder, Path(runs_dir), own)
    return project_images(generator, images, space, label, steps, seed, device, threads)
