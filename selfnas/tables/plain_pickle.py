"""Reads the data in a pickle without unpickling it: instruction by instruction, containers, text and numbers alone.

The standard library's disassembler splits the instructions; none of them is executed. Nothing is imported, no class is
made, no function is called. `OrderedDict()` is read as a dict, a NumPy scalar as a number; whatever else names
something of Python's is refused by that name.
"""

from __future__ import annotations

import pickletools
import struct
from dataclasses import dataclass, field

from selfnas.errors import InputError

__all__ = ["read_plain"]

_SCALARS = {"f8": "d", "f4": "f", "i8": "q", "i4": "i"}
_NAMES = {
    "collections OrderedDict": "dict",
    "numpy.core.multiarray scalar": "scalar",
    "numpy._core.multiarray scalar": "scalar",
    "numpy dtype": "dtype",
    "_codecs encode": "bytes",  # how the oldest protocols write bytes
}
_VALUES = (
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG", "BINFLOAT", "FLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "SHORT_BINSTRING", "BINSTRING", "STRING"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_PUTS = frozenset(("BINPUT", "LONG_BINPUT", "PUT"))
_GETS = frozenset(("BINGET", "LONG_BINGET", "GET"))
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read_plain(content: bytes, *, name: str) -> object:
    """The dicts, lists, tuples, text, bytes and numbers of a pickle.

    Args:
        name: stands for it in messages.

    Raises:
        InputError: not a pickle, cut off, or with anything else in it.

    Example:
        >>> read_plain(bytes.fromhex("80025d71002858010000006171014b0165") + b".", name="x")
        ['a', 1]
    """
    machine = _Machine(name)
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name == "STOP":
                return machine.pop()
            machine.step(opcode.name, argument)
    except InputError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, struct.error, OverflowError) as error:
        raise InputError(f"{name}: not a whole pickle of plain data: {type(error).__name__}: {error}") from error
    raise InputError(f"{name}: not a whole pickle of plain data: it ends too early")


@dataclass(frozen=True, slots=True)
class _Named:
    """One of `_NAMES`, or the type of a NumPy scalar."""

    what: str


class _Mark:
    """Where a group on the stack begins."""


@dataclass(slots=True)
class _Machine:
    """Stack and memo, as the pickle machine has them."""

    name: str
    stack: list[object] = field(default_factory=list)
    memo: dict[int, object] = field(default_factory=dict)

    def pop(self) -> object:
        """The top of the stack."""
        return self.stack.pop()

    def step(self, opcode: str, argument: object) -> None:
        """One instruction."""
        if opcode in ("PROTO", "FRAME"):
            return
        if opcode in _VALUES:
            self.stack.append(argument)
        elif opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode])
        elif opcode in ("EMPTY_DICT", "EMPTY_LIST"):
            self.stack.append({} if opcode == "EMPTY_DICT" else [])
        elif opcode in _TUPLES:
            count = _TUPLES[opcode]
            self.stack.append(tuple(self.pop() for _ in range(count))[::-1])
        elif opcode == "MARK":
            self.stack.append(_Mark())
        elif opcode in ("TUPLE", "LIST", "DICT"):
            group = self._group()
            self.stack.append(tuple(group) if opcode == "TUPLE" else group if opcode == "LIST" else _pairs(group))
        elif opcode in ("SETITEM", "SETITEMS", "APPEND", "APPENDS"):
            self._fill(opcode)
        elif opcode in _PUTS or opcode == "MEMOIZE":
            self.memo[len(self.memo) if opcode == "MEMOIZE" else int(str(argument))] = self.stack[-1]
        elif opcode in _GETS:
            self.stack.append(self.memo[int(str(argument))])
        elif opcode in ("GLOBAL", "STACK_GLOBAL"):
            self._named(str(argument) if opcode == "GLOBAL" else " ".join(map(str, self._last_two())))
        elif opcode == "REDUCE":
            self._made()
        elif opcode == "BUILD" and isinstance(self.stack[-2], _Named):
            self.pop()  # byte order and the like of a scalar's type, which its letters say already
        else:
            raise InputError(f"{self.name}: pickle instruction {opcode} is refused: only plain data is read")

    def _group(self) -> list[object]:
        start = max(place for place, value in enumerate(self.stack) if isinstance(value, _Mark))
        group = self.stack[start + 1 :]
        del self.stack[start:]
        return group

    def _last_two(self) -> list[object]:
        last, before = self.pop(), self.pop()
        return [before, last]

    def _fill(self, opcode: str) -> None:
        if opcode.endswith("S"):
            group = self._group()
        elif opcode == "APPEND":
            group = [self.pop()]
        else:
            group = self._last_two()
        target = self.stack[-1]
        if isinstance(target, dict) and opcode.startswith("SET"):
            target.update(_pairs(group))
        elif isinstance(target, list) and opcode.startswith("APPEND"):
            target.extend(group)
        else:
            raise InputError(f"{self.name}: pickle instruction {opcode} is refused: only dicts and lists are filled")

    def _named(self, name: str) -> None:
        if name not in _NAMES:
            raise InputError(f"{self.name}: the pickle names {name.replace(' ', '.')}, which is refused")
        self.stack.append(_Named(_NAMES[name]))

    def _made(self) -> None:
        arguments, maker = self.pop(), self.pop()
        if not isinstance(maker, _Named) or not isinstance(arguments, tuple):
            raise InputError(f"{self.name}: a call in the pickle is refused: only plain data is read")
        if maker.what == "dict" and not arguments:
            self.stack.append({})
        elif maker.what == "bytes" and len(arguments) == 2 and arguments[1] == "latin1":
            self.stack.append(str(arguments[0]).encode("latin-1"))
        elif maker.what == "dtype" and arguments and arguments[0] in _SCALARS:
            self.stack.append(_Named(str(arguments[0])))
        elif maker.what == "scalar" and len(arguments) == 2 and isinstance(arguments[0], _Named):
            self.stack.append(struct.unpack(f"<{_SCALARS[arguments[0].what]}", arguments[1])[0])
        else:
            raise InputError(f"{self.name}: a {maker.what} in the pickle is not of a known form")


def _pairs(group: list[object]) -> dict[object, object]:
    return dict(zip(group[::2], group[1::2], strict=True))
