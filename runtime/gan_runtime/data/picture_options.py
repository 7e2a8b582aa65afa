"""Convert the flags of `terminal.picture_flags` to `PictureOptions`."""

from typing import Any

from gan_runtime.data.registry import KNOWN
from gan_runtime.errors import InputError
from gan_runtime.images.options import PictureOptions


def picture_options(source: str, **flags: Any) -> PictureOptions | None:
    """The given options as `PictureOptions`, or None if `source` is a known data set.

    Raises:
        InputError: a value is out of range, or an option does not apply to `source`. The message names the flag.
    """
    given = {name: value for name, value in flags.items() if value not in (None, False)}
    if source not in KNOWN:
        return PictureOptions(**given)
    if given:
        flag = f"--{next(iter(given)).replace('_', '-')}"
        raise InputError(
            f"{flag}: has no effect on the data set {source}, only on a folder or .zip of images; leave it out"
        )
    return None
