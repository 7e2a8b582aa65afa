"""Files on disk: atomic writes, checks of output places, locks between processes, kinds of files."""

from gan_runtime.files.atomic import TEMPORARY, atomic_write, remove_leftovers, remove_leftovers_of
from gan_runtime.files.locks import lock
from gan_runtime.files.places import check_space, check_writable

__all__ = [
    "TEMPORARY",
    "atomic_write",
    "check_space",
    "check_writable",
    "lock",
    "remove_leftovers",
    "remove_leftovers_of",
]
