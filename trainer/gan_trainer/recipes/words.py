"""Error messages name settings as the command line does, --batch-size; in Python they have the arguments' names."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from gan_runtime.errors import GanEdgeError, InputError

P = ParamSpec("P")
T = TypeVar("T")

FLAG = re.compile(r"(?P<command>\bgan-(?!edge)[a-z]+ [^;,()]*)|(?<![\w-])--(?P<off>no-)?(?P<name>[a-z][a-z-]*)")


def python_names(text: str) -> str:
    """`text` with batch_size for --batch-size and share_passes=False for --no-share-passes; commands are left alone."""

    def name(found: re.Match[str]) -> str:
        if found["command"]:
            return found[0]
        return found["name"].replace("-", "_") + ("=False" if found["off"] else "")

    return FLAG.sub(name, text)


class Refused(InputError):
    """Fields of a dataclass cannot work. `flags` is the message as the command line gives it."""

    def __init__(self, flags: str) -> None:
        super().__init__(python_names(flags))
        self.flags = flags


@contextmanager
def names_of_fields() -> Iterator[None]:
    """Errors within the block become `Refused`, which names fields in place of flags."""
    try:
        yield
    except InputError as error:
        raise Refused(str(error)) from None


def in_python(function: Callable[P, T]) -> Callable[P, T]:
    """`function` with errors that name settings as Python does."""

    @wraps(function)
    def renamed(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return function(*arguments, **named)
        except GanEdgeError as error:
            error.args = (python_names(str(error)),)
            raise

    return renamed
