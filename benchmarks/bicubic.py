"""Bicubic interpolation of test photos by the protocol of super-resolution, beside the published means of Set14.

    python3 benchmarks/bicubic.py set14.zip

Published for Set14: 30.24 / .8688, 27.55 / .7742 and 26.00 / .7027 (as in Lim et al. 2017; x2, x3 and x4).
"""

import io
import sys
import zipfile

import numpy as np
from PIL import Image

from gan_runtime.evaluation.metrics.luminance import PROTOCOL, on_luma
from gan_runtime.images.resample import cropped, enlarged, reduced


def pictures(path: str) -> list[np.ndarray]:
    """The pictures of an archive, uint8 [h, w, 1 or 3], as they are stored."""
    with zipfile.ZipFile(path) as archive:
        arrays = [np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in archive.namelist()]
    return [array if array.ndim == 3 else array[..., None] for array in arrays]


def main() -> None:
    """Print PSNR and SSIM for each scale."""
    photos = pictures(sys.argv[1])
    print(PROTOCOL)
    for scale in (2, 3, 4):
        found = [on_luma(enlarged(reduced(one, scale), scale), cropped(one, scale), scale) for one in photos]
        psnr, ssim = np.mean(found, axis=0)
        print(f"x{scale}: {psnr:.2f} dB, {ssim:.4f}, mean of {len(photos)} pictures")


if __name__ == "__main__":
    main()
