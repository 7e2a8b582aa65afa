"""Pickles read as data: no module is imported, and no function but those of a table is called.

Python's own reader calls whatever a pickle names. This one carries out the instructions for values and containers
(https://docs.python.org/3/library/pickletools.html decodes them) and refuses all others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pickletools import genops
from typing import IO, Any, BinaryIO, TypeAlias, cast

MOST = 2**20  # instructions in a file; a snapshot of StyleGAN2 with 1,024 pixels has some 40,000
KEYS = (str, int, float, bool, type(None))  # types of keys; to hash nested tuples would overflow the stack
LONGEST = 200  # characters of a key
SHOWN = 80  # characters of a name in a message

PERSISTENT = "persistent"  # no name of Python, which has a module and a dot
Names: TypeAlias = Mapping[str, Callable[..., Any]]


class RefusedError(ValueError):
    """A pickle wants more than values; the message says what."""


@dataclass(frozen=True)
class Stateful:
    """An object that a pickle may give a state, which is dropped; `value` stands for the object."""

    value: Any = None


@dataclass(frozen=True)
class Known:
    """A name of the table, as a value: what is there in place of the function or class."""

    make: Callable[..., Any]


def read_values(file: BinaryIO, size: int, names: Names) -> Any:
    """What a pickle holds: containers, numbers, text, bytes, and what `names` makes of the rest.

    Sets become lists. The memory in use is bounded by some hundred bytes per instruction and the size of the file.

    Args:
        file: at the start of the pickle. Nothing behind its end is read.
        size: bytes of the whole file.
        names: what a call of a name gives, by "module.name"; it gets the arguments that the pickle gives. `PERSISTENT`
            gets what stands for an object outside of the pickle.

    Raises:
        RefusedError: the pickle asks for another name, or for an instruction that values do not need.
        ValueError, LookupError, TypeError: it is damaged; whatever `names` raises.
    """
    machine = _Machine(names)
    for number, (opcode, argument, _) in enumerate(genops(cast(IO[bytes], _Bounded(file, size)))):
        if number >= MOST:
            raise RefusedError(f"has more than {MOST:,} instructions")
        step = STEPS.get(opcode.name)
        if step is None:
            raise RefusedError(f"has the instruction {opcode.name}, which values do not need")
        step(machine, argument)
    return machine.pop()


class _Bounded:
    """A file that is never asked for more bytes than it has: Python would make room for them first."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self.tell = file.tell

    def read(self, count: int) -> bytes:
        return self._file.read(min(count, self._size))

    def readline(self) -> bytes:
        return self._file.readline(4 * SHOWN)


class _Machine:
    """The stack and the memo of a pickle that is being read."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._stack: list[Any] = []
        self._outer: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        return self._stack.pop()

    def push_tuple(self, length: int) -> None:
        values = [self.pop() for _ in range(length)]
        self.push(tuple(reversed(values)))

    def mark(self) -> None:
        self._outer.append(self._stack)
        self._stack = []

    def pop_to_mark(self) -> list[Any]:
        values, self._stack = self._stack, self._outer.pop()
        return values

    def memoize(self, place: int | None) -> None:
        self._memo[len(self._memo) if place is None else place] = self._stack[-1]

    def recall(self, place: int) -> None:
        self.push(self._memo[place])

    def add(self, values: list[Any]) -> None:
        if type(self._stack[-1]) is not list:
            raise TypeError("values are added to what is no list")
        self._stack[-1].extend(values)

    def set_items(self, values: list[Any]) -> None:
        if type(self._stack[-1]) is not dict or len(values) % 2 or not all(map(_is_key, values[::2])):
            raise TypeError("values are set in what is no dictionary with plain keys")
        self._stack[-1].update(zip(values[::2], values[1::2], strict=True))

    def find(self, name: str) -> None:
        if name not in self._names:
            raise RefusedError(f"asks for {repr(name)[1:-1][:SHOWN]}, which may run code")
        self.push(Known(self._names[name]))

    def find_outside(self) -> None:
        if PERSISTENT not in self._names:
            raise RefusedError("has the instruction BINPERSID, which values do not need")
        self.push(self._names[PERSISTENT](self.pop()))

    def find_on_stack(self) -> None:
        name, module = self.pop(), self.pop()
        if type(name) is not str or type(module) is not str:
            raise TypeError("a name is no text")
        self.find(f"{module}.{name}")

    def call(self) -> None:
        arguments, called = self.pop(), self.pop()
        if type(called) is not Known or type(arguments) is not tuple:
            raise RefusedError("calls what is no name")
        self.push(called.make(*arguments))

    def set_state(self) -> None:
        self.pop()
        if type(self._stack[-1]) is not Stateful:
            raise RefusedError("sets the state of an object that has none")


def _is_key(key: Any) -> bool:
    return type(key) in KEYS and (type(key) is not str or (len(key) <= LONGEST and key.isprintable()))


def _at_once(opcodes: str, step: Callable[[_Machine, Any], None]) -> "dict[str, Step]":
    return dict.fromkeys(opcodes.split(), step)


Step: TypeAlias = Callable[[_Machine, Any], None]
STEPS: dict[str, Step] = (
    _at_once("BININT BININT1 BININT2 LONG1 BINFLOAT", _Machine.push)
    | _at_once("SHORT_BINUNICODE BINUNICODE BINUNICODE8 SHORT_BINBYTES BINBYTES BINBYTES8", _Machine.push)
    | _at_once("PROTO FRAME STOP", lambda machine, _: None)
    | _at_once("BINPUT LONG_BINPUT MEMOIZE", _Machine.memoize)
    | _at_once("BINGET LONG_BINGET", _Machine.recall)
    | {
        "NONE": lambda machine, _: machine.push(None),
        "NEWTRUE": lambda machine, _: machine.push(True),
        "NEWFALSE": lambda machine, _: machine.push(False),
        "EMPTY_LIST": lambda machine, _: machine.push([]),
        "EMPTY_SET": lambda machine, _: machine.push([]),
        "EMPTY_DICT": lambda machine, _: machine.push({}),
        "EMPTY_TUPLE": lambda machine, _: machine.push(()),
        "TUPLE1": lambda machine, _: machine.push_tuple(1),
        "TUPLE2": lambda machine, _: machine.push_tuple(2),
        "TUPLE3": lambda machine, _: machine.push_tuple(3),
        "MARK": lambda machine, _: machine.mark(),
        "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_to_mark())),
        "APPEND": lambda machine, _: machine.add([machine.pop()]),
        "APPENDS": lambda machine, _: machine.add(machine.pop_to_mark()),
        "ADDITEMS": lambda machine, _: machine.add(machine.pop_to_mark()),
        "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
        "SETITEMS": lambda machine, _: machine.set_items(machine.pop_to_mark()),
        "GLOBAL": lambda machine, name: machine.find(name.replace(" ", ".", 1)),
        "STACK_GLOBAL": lambda machine, _: machine.find_on_stack(),
        "BINPERSID": lambda machine, _: machine.find_outside(),
        "REDUCE": lambda machine, _: machine.call(),
        "NEWOBJ": lambda machine, _: machine.call(),
        "BUILD": lambda machine, _: machine.set_state(),
    }
)
