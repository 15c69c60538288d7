"""Reads CIFAR's pickled files without Python's pickle module, which runs whatever a file asks for.

A file is a program for a small stack machine. Here that machine knows only the instructions that build dictionaries,
lists, tuples, bytes, texts and numbers, and the few steps by which NumPy writes an array of unsigned bytes. Classes and
functions are never looked up: four names are known as texts, any other name ends the reading. Every instruction adds at
most one object, and bytes are never made longer than they stand in the file, so memory is bounded by its size.

Source: The instructions are documented in Python's module `pickletools`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.data.download import DataError

LARGEST_FILE = 1 << 30
_MARK = object()
_FIXED = {b"N": None, b"\x88": True, b"\x89": False}
_NUMBERS = {b"J": "<i", b"K": "<B", b"M": "<H", b"G": ">d"}
"""Instruction to the number that follows it: whole numbers of four, one and two bytes, and a fraction."""
_BYTES = {b"U": "<B", b"T": "<i", b"C": "<B", b"B": "<I", b"\x8e": "<Q", b"\x96": "<Q"}
"""Instruction to the length of the bytes that follow; the first two are the strings of Python 2."""
_TEXTS = {b"\x8c": "<B", b"X": "<I", b"\x8d": "<Q"}
_PUT, _GET = {b"q": "<B", b"r": "<I"}, {b"h": "<B", b"j": "<I"}
_TUPLES = {b")": 0, b"\x85": 1, b"\x86": 2, b"\x87": 3}


@dataclass(frozen=True)
class _Name:
    """What a file means by one of the known names; nothing is imported and nothing of it is called."""

    name: str


_NAMES = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Name("array") for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Name("buffer") for core in ("core", "_core")},
    ("numpy", "ndarray"): _Name("ndarray"),
    ("numpy", "dtype"): _Name("type"),
    ("_codecs", "encode"): _Name("encode"),
}


@dataclass(eq=False)
class _Unsigned:
    """NumPy's type of unsigned bytes."""


@dataclass(eq=False)
class _Empty:
    """An array that is about to be filled."""


class _Refused(Exception):
    """Why a file is not read on."""


def read_plain_pickle(path: Path) -> dict[Any, Any]:
    """Reads a pickled dictionary of plain values.

    Args:
        path: The file, of pickle protocol 2 to 5.

    Returns:
        Texts or bytes to dictionaries, lists, tuples, bytes, texts, numbers, truth values, None and uint8 arrays.

    Raises:
        DataError: It cannot be read, holds anything else, or is cut short; names the file and the byte.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise DataError(f"{path} is too large. Expected at most {LARGEST_FILE:,} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    machine = _Machine(content)
    try:
        found = machine.run()
        if not isinstance(found, dict):
            raise _Refused(f"it holds a {type(found).__name__}, not a dictionary")
        return found
    except _Refused as error:
        raise DataError(
            f"{path} cannot be read as plain data, at byte {machine.place:,}: {error}. Expected dictionaries, lists, "
            "texts, numbers and arrays of unsigned bytes, as in CIFAR's Python version."
        ) from error


class _Machine:
    """The stack, the numbered values and the place in the file."""

    def __init__(self, content: bytes) -> None:
        self.place, self._content = 0, content
        self._stack: list[Any] = []
        self._numbered: dict[int, Any] = {}
        self._encoded = 0
        self._steps: dict[bytes, Callable[[], None]] = {
            b"\x80": self._protocol,
            b"\x95": lambda: self._skip(8),
            b"(": lambda: self._stack.append(_MARK),
            b"}": lambda: self._stack.append({}),
            b"]": lambda: self._stack.append([]),
            b"\x8a": lambda: self._stack.append(int.from_bytes(self._take(self._number("<B")), "little", signed=True)),
            b"\x94": lambda: self._numbered.__setitem__(len(self._numbered), self._top()),
            b"t": lambda: self._stack.append(tuple(self._to_mark())),
            b"a": lambda: self._extend([self._pop()]),
            b"e": lambda: self._extend(self._to_mark()),
            b"s": lambda: self._set([self._pop(), self._pop()][::-1]),
            b"u": lambda: self._set(self._to_mark()),
            b"c": lambda: self._named(self._line(), self._line()),
            b"\x93": self._stacked_name,
            b"R": self._reduce,
            b"b": self._fill,
        }

    def run(self) -> Any:
        """Follows the file to its end; the one value that is left."""
        while True:
            code = self._take(1)
            if code == b".":
                if len(self._stack) != 1:
                    raise _Refused("it ends with other than one value")
                return self._pop()
            if code in _FIXED:
                self._stack.append(_FIXED[code])
            elif code in _NUMBERS:
                self._stack.append(self._number(_NUMBERS[code]))
            elif code in _BYTES:
                self._stack.append(self._take(self._number(_BYTES[code])))
            elif code in _TEXTS:
                self._stack.append(self._text(self._take(self._number(_TEXTS[code]))))
            elif code in _PUT:
                self._numbered[self._number(_PUT[code])] = self._top()
            elif code in _GET:
                self._get(self._number(_GET[code]))
            elif code in _TUPLES:
                self._stack.append(tuple([self._pop() for _ in range(_TUPLES[code])][::-1]))
            elif code in self._steps:
                self._steps[code]()
            else:
                raise _Refused(f"the instruction {code!r} is not known")

    def _take(self, count: int) -> bytes:
        if not 0 <= count <= len(self._content) - self.place:
            raise _Refused("it is cut short")
        self.place += count
        return self._content[self.place - count : self.place]

    def _skip(self, count: int) -> None:
        self._take(count)

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _text(self, content: bytes) -> str:
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _Refused("a text is not UTF-8") from error

    def _line(self) -> str:
        end = self._content.find(b"\n", self.place, self.place + 100)
        if end < 0:
            raise _Refused("a name does not end")
        return self._text(self._take(end + 1 - self.place)[:-1])

    def _protocol(self) -> None:
        if not 2 <= self._number("<B") <= 5:
            raise _Refused("its pickle protocol is not 2 to 5")

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise _Refused("a value is missing")
        return self._stack[-1]

    def _pop(self) -> Any:
        self._top()
        return self._stack.pop()

    def _get(self, number: int) -> None:
        if number not in self._numbered:
            raise _Refused(f"it has no value number {number}")
        self._stack.append(self._numbered[number])

    def _to_mark(self) -> list[Any]:
        for place in range(len(self._stack) - 1, -1, -1):
            if self._stack[place] is _MARK:
                found = self._stack[place + 1 :]
                del self._stack[place:]
                return found
        raise _Refused("a mark is missing")

    def _extend(self, items: list[Any]) -> None:
        if not isinstance(self._top(), list):
            raise _Refused("items without a list")
        self._stack[-1].extend(items)

    def _set(self, items: list[Any]) -> None:
        # Other keys could be made to collide, and then take quadratic time.
        if (
            not isinstance(self._top(), dict)
            or len(items) % 2
            or not all(type(key) in (str, bytes) for key in items[::2])
        ):
            raise _Refused("entries without a dictionary, or with keys that are no texts")
        self._stack[-1].update(zip(items[::2], items[1::2]))

    def _named(self, module: str, name: str) -> None:
        if (module, name) not in _NAMES:
            raise _Refused(f"it asks for {module}.{name}, which is never loaded")
        self._stack.append(_NAMES[module, name])

    def _stacked_name(self) -> None:
        name, module = self._pop(), self._pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise _Refused("a name is no text")
        self._named(module, name)

    def _reduce(self) -> None:
        """Where a pickle would call a function: the four steps by which NumPy and Python write arrays and bytes."""
        given, function = self._pop(), self._pop()
        if not (isinstance(given, tuple) and isinstance(function, _Name)):
            raise _Refused("it asks for a call")
        if function.name == "type" and given[:1] in (("u1",), (b"u1",)):
            self._stack.append(_Unsigned())
        elif function.name == "array" and given[:1] == (_NAMES["numpy", "ndarray"],):
            self._stack.append(_Empty())
        elif function.name == "buffer" and len(given) == 4 and given[3] in ("C", b"C"):
            self._stack.append(self._array(given[2], given[1], given[0]))
        elif function.name == "encode" and len(given) == 2 and given[1] == "latin1" and isinstance(given[0], str):
            self._encoded += len(given[0])
            if self._encoded > len(self._content):
                raise _Refused("bytes are longer than the file")
            try:
                self._stack.append(given[0].encode("latin-1"))
            except UnicodeEncodeError as error:
                raise _Refused("bytes are no bytes") from error
        else:
            raise _Refused("it asks for a call")

    def _fill(self) -> None:
        """The state of a type, which is known, or of an array."""
        state, target = self._pop(), self._pop()
        if isinstance(target, _Empty) and isinstance(state, tuple) and len(state) == 5 and state[3] in (False, 0):
            self._stack.append(self._array(state[1], state[2], state[4]))
        elif isinstance(target, _Unsigned):
            self._stack.append(target)
        else:
            raise _Refused("it asks for an object to be filled")

    @staticmethod
    def _array(shape: Any, kind: Any, content: Any) -> np.ndarray:
        whole = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)
        if not (whole and len(shape) <= 8 and isinstance(kind, _Unsigned) and isinstance(content, bytes)):
            raise _Refused("it holds an array of another kind than unsigned bytes")
        if math.prod(shape) != len(content):
            raise _Refused(f"an array of {len(content):,} bytes has the shape {list(shape)}")
        return np.frombuffer(content, np.uint8).reshape(shape)
