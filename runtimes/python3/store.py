"""What a module keeps between its turns."""

from __future__ import annotations

from .codec import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MAX_VALUE_BYTES = 1 << 20
MAX_STORE_BYTES = 64 << 20
ABSENT: Any = type("Absent", (), {"__slots__": ()})()  # also: deleted


class Store:
    """The context of one slot: scalars as they are, everything else as its JSON (bytes)."""

    __slots__ = ("entries", "total_bytes")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.entries: dict[str, Any] = {}
        self.total_bytes = 0
        for key, value in values.items():
            self.put(key, value if type(value) in (str, int, float, bool) or value is None else encode(value))

    def put(self, key: str, entry: Any) -> None:
        """Set or, with ABSENT, remove."""
        old = self.entries.get(key, ABSENT)
        if old is not ABSENT:
            self.total_bytes -= weight(key, old)
        if entry is ABSENT:
            self.entries.pop(key, None)
        else:
            self.entries[key] = entry
            self.total_bytes += weight(key, entry)


def weight(key: str, entry: Any) -> int:
    """Bytes that an entry counts for."""
    return len(key) + (len(entry) if type(entry) in (bytes, str) else 20)
