"""Error messages name settings as the command line does, --batch-size; in Python they have the arguments' names."""

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from gan_runtime.errors import GanEdgeError

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
