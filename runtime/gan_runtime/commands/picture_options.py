"""From the flags of `terminal.picture_flags` to `PictureOptions`."""

from typing import Any

from gan_runtime.data import KNOWN, PictureOptions
from gan_runtime.errors import InputError


def picture_options(source: str, **flags: Any) -> PictureOptions | None:
    """The options given, by the names of `PictureOptions`, or None for a data set that is known by name.

    Raises:
        InputError: a value is out of range, or an option does not belong to `source`; naming the flag.
    """
    given = {name: value for name, value in flags.items() if value not in (None, False)}
    if source not in KNOWN:
        return PictureOptions(**given)
    if given:
        flag = f"--{next(iter(given)).replace('_', '-')}"
        raise InputError(f"{flag}: {source} is used as it is; a folder or .zip of images takes such options")
    return None
