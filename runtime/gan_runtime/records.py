"""Frozen dataclasses that are defined quickly, for the modules that every short command imports.

`dataclass(frozen=True)` compiles six methods of each class, which takes 0.2 to 0.5 ms. Here only `__init__` is
compiled, and the others are the same functions for all.
"""

from dataclasses import FrozenInstanceError, fields
from typing import TYPE_CHECKING, Any

__all__ = ["record"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:
    from dataclasses import dataclass

    def record(*, frozen: bool, kw_only: bool = False) -> Any:
        """As `dataclass`, which type checkers take it for; `frozen` must be True."""
        assert frozen

        def define(kind: type) -> type:
            for name in _METHODS.keys() - vars(kind):  # its own stay
                setattr(kind, name, _METHODS[name])
            inherited = [vars(base)[_PARAMETERS] for base in kind.__mro__[1:] if _PARAMETERS in vars(base)]
            for parameters in inherited:
                parameters.frozen = False  # else `dataclass` would want to make this one frozen in its own way
            made = dataclass(kind, eq=False, repr=False, kw_only=kw_only)
            for parameters in (*inherited, vars(made)[_PARAMETERS]):
                parameters.frozen = True  # so that usual frozen dataclasses can inherit from it
            return made

        return define


_PARAMETERS = "__dataclass_params__"


def _set(self: Any, name: str, value: Any) -> None:
    if name in self.__dict__ or name not in self.__dataclass_fields__:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    self.__dict__[name] = value


def _delete(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _values(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, field.name) for field in fields(self) if field.compare)


def _equal(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _shown(self: Any) -> str:
    values = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self) if field.repr)
    return f"{type(self).__qualname__}({values})"


_METHODS = {
    "__setattr__": _set, "__delattr__": _delete, "__eq__": _equal, "__hash__": _hash, "__repr__": _shown,
}  # fmt: skip
