"""Labels that callers give: numbers or names of classes, checked against those of a model."""

import re
from functools import partial
from pathlib import Path
from unicodedata import normalize

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_runtime.errors import InputError
from gan_runtime.manifest import Labels

SHOWN = 20  # names of classes in a message


def check_labels(labels: ArrayLike, n: int, known: Labels | None, path: Path) -> NDArray[np.int64]:
    """`labels`, numbers or names of classes, [n] or one for all, as int64 [n].

    `known` are the classes of the model at `path`; None if it is unconditional. Raises InputError if they do not fit.
    """
    known = _conditional(known, path)
    y = np.asarray(labels)
    if isinstance(labels, list | tuple) and 0 < sum(isinstance(label, str) for label in labels) < len(labels):
        raise InputError("labels: numbers and names are mixed, and a number may be a name; give one or the other")
    if y.dtype.kind == "U":
        numbers = [find_class(name, known, path) for name in y.reshape(-1).tolist()]
        y = np.array(numbers, np.int64).reshape(y.shape)
    if y.dtype.kind not in "iu" or y.shape not in ((), (n,)):
        raise InputError(f"labels: expected {n} integers or names of classes, or one for all")
    if y.min() < 0 or y.max() >= known.classes:
        raise _no_class(int(y.min() if y.min() < 0 else y.max()), known)
    return np.broadcast_to(y.astype(np.int64), (n,))


def find_class(name: str, known: Labels | None, path: Path) -> int:
    """The number of the class called `name`, or `name` as a number if no class is called so.

    Raises InputError if there is no such class. The message names classes that are spelt alike.
    """
    known = _conditional(known, path)
    for form in (str, partial(normalize, "NFC")):  # macOS decomposes accented letters
        names = list(map(form, known.names))
        if form(name) in names:
            return names.index(form(name))
    if re.fullmatch(r"-?[0-9]+", name):
        number = int(name)
        if 0 <= number < known.classes:
            return number
        raise _no_class(number, known)
    if not known.names:
        raise InputError(f"label {name!r}: the classes of {path} have no names; give a number")
    from difflib import get_close_matches  # noqa: PLC0415

    alike = get_close_matches(name, known.names, cutoff=0.5) or known.names[:SHOWN]
    more = "" if len(alike) == known.classes else ", … (gan-info lists all)"
    raise InputError(f"label {name!r}: no class is called so; there are {', '.join(map(repr, alike))}{more}")


def _conditional(known: Labels | None, path: Path) -> Labels:
    if known is None:
        raise InputError(f"label: {path} is unconditional and takes none")
    return known


def _no_class(number: int, known: Labels) -> InputError:
    return InputError(f"label {number}: the model has the classes 0 to {known.classes - 1}")
