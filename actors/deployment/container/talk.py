"""What a runner in a container and the actor that stands for it say to each other: messages with a length before them.

Addresses are numbers that the actor knows. What comes out of a container is read with care: of our messages, and of
what they are made of, no other class is made.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from enum import Enum
from typing import Any

from msgspec import Struct

MAX_BYTES = 64 << 20
_LENGTH = struct.Struct("<I")
_IN_PYTHON: Any = pickle._Unpickler
_MADE = ("msgspec._utils", "rebuild")  # what makes a Struct


class TalkError(Exception):
    """What has come is no message of ours. A whole sentence."""


class Talk:
    """One end. `number_of`: of an address, None for what is none; `address_of`: the other way."""

    def __init__(self, number_of: Callable[[Any], int | None], address_of: Callable[[int], Any]) -> None:
        self._number_of, self._address_of = number_of, address_of
        self._came = bytearray()

    def packed(self, message: Any) -> bytes:
        """For the other end."""
        out = io.BytesIO()
        pickler = pickle.Pickler(out, protocol=5)
        pickler.persistent_id = self._number_of  # type: ignore[method-assign]
        pickler.dump(message)
        return _LENGTH.pack(out.tell()) + out.getvalue()

    def feed(self, data: bytes) -> Iterator[Any]:
        """The messages that are whole by now. Raises TalkError."""
        self._came += data
        while len(self._came) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._came)
            if length > MAX_BYTES:
                raise TalkError(f"a message of {length} bytes has come")
            if len(self._came) < _LENGTH.size + length:
                return
            body = bytes(self._came[_LENGTH.size : _LENGTH.size + length])
            del self._came[: _LENGTH.size + length]
            try:
                yield _Reader(body, self._address_of).load()
            except Exception as error:
                raise TalkError(f"what has come is no message: {error}") from None


class _Reader(_IN_PYTHON):
    """Makes our own messages, dataclasses, tuples with names and enumerations; nothing else that has a name.

    The one written in Python: that in C takes a table as long as the largest number that a memo is given, which a few
    bytes can make larger than any machine.
    """

    dispatch = {key: load for key, load in _IN_PYTHON.dispatch.items() if key != pickle.BYTEARRAY8[0]}  # noqa: RUF012

    def __init__(self, body: bytes, address_of: Callable[[int], Any]) -> None:
        super().__init__(io.BytesIO(body))
        self._address_of = address_of

    def persistent_load(self, number: Any) -> Any:
        """An address."""
        return self._address_of(int(number))

    def find_class(self, module: str, name: str) -> Any:
        """Raises UnpicklingError for what is none of ours."""
        if (module, name) == _MADE:
            return super().find_class(module, name)
        if module.startswith(("actors.messages.", "actors.deployment.", "actors.definition.", "actors.state.")):
            found = super().find_class(module, name)
            if isinstance(found, type) and (is_dataclass(found) or issubclass(found, (Struct, tuple, Enum))):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is none of our messages")

    def load_build(self) -> None:
        """Raises UnpicklingError for what would change a class."""
        if isinstance(self.stack[-2], type):
            raise pickle.UnpicklingError(f"{self.stack[-2].__name__} is to be changed itself")
        super().load_build()

    dispatch[pickle.BUILD[0]] = load_build
