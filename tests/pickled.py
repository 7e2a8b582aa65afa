"""Pickles written instruction by instruction: with names that cannot be imported here, and with hostile ones."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STOP = b"."


@dataclass(frozen=True)
class Call:
    """The call of a name, "module.name", when Python reads the pickle; with `new`, of its __new__. `items` are set."""

    name: str
    arguments: tuple[Any, ...] = ()
    new: bool = False
    items: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Built:
    """An object that is given a state when it is read."""

    value: Any
    state: Any


@dataclass(frozen=True)
class Raw:
    """Instructions as they are."""

    code: bytes


def pickled(value: Any, protocol: int = 4) -> bytes:
    """A whole pickle."""
    return b"\x80" + bytes([protocol]) + code(value, protocol) + STOP


def code(value: Any, protocol: int = 4) -> bytes:  # noqa: PLR0911, PLR0912
    """The instructions that put a value on the stack."""
    match value:
        case Raw():
            return value.code
        case Call():
            called = name_code(value.name, protocol) + code(value.arguments, protocol)
            return called + (b"\x81" if value.new else b"R") + _items(value.items, protocol)
        case Built():
            return code(value.value, protocol) + code(value.state, protocol) + b"b"
        case bool() | None:
            return {True: b"\x88", False: b"\x89", None: b"N"}[value]
        case int():
            return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case bytes():
            return b"B" + struct.pack("<I", len(value)) + value
        case dict():
            return b"}" + _items(value, protocol)
        case list():
            return b"](" + b"".join(code(item, protocol) for item in value) + b"e"
        case set() if protocol < 4:
            return code(Call("builtins.set", (list(value),)), protocol)
        case set():
            return b"\x8f(" + b"".join(code(item, protocol) for item in value) + b"\x90"
        case tuple():
            return b"(" + b"".join(code(item, protocol) for item in value) + b"t"
    raise TypeError(type(value))


def _items(items: Mapping[Any, Any], protocol: int) -> bytes:
    return b"(" + b"".join(code(value, protocol) for pair in items.items() for value in pair) + b"u" if items else b""


def name_code(name: str, protocol: int = 4) -> bytes:
    """The instructions that put what a name means on the stack."""
    module, _, last = name.rpartition(".")
    if protocol < 4:
        return f"c{module}\n{last}\n".encode()
    return code(module) + code(last) + b"\x93"
