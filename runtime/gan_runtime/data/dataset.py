"""What every source of images becomes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Dataset:
    """Images uint8 [n, h, w, c], labels int64 [n] (zeros where there are no classes), and what each class is called.

    Points are "images" float32 [n, 1, 1, 2] in [-1, 1].

    `digest` is a SHA-256 of the content and of all that shaped it: the same digest, the same arrays. `modes` is the
    number of modes, equally likely by design, that `labels` tell apart where a data set was made to count them: no
    network is told those, they are for measuring. `names` are those of the files of pictures.
    """

    name: str
    split: str
    images: NDArray[Any]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    digest: str = ""
    modes: int = 0
    names: tuple[str, ...] = ()
