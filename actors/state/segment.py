"""Messages as a mailbox holds them: a part of a body that some host has written, as it came."""

from __future__ import annotations

from runtimes.frames import join, split

Handled = tuple[str, str, bytes, bytes | None]  # wire, port, message, headers, encoded


class Segment:
    """Consecutive messages of one wire, inside a body that is never cut: `skip, count` say which are meant."""

    __slots__ = ("arrived", "body", "count", "first", "flags", "skip", "wire")

    def __init__(self, wire: str, body: bytes, flags: int, skip: int, count: int, first: int, arrived: float) -> None:
        self.wire, self.body, self.flags = wire, body, flags
        self.skip, self.count, self.first, self.arrived = skip, count, first, arrived

    def has(self, wire: str, number: int) -> bool:
        """Whether the message of this number of the wire is meant here."""
        return self.wire == wire and self.first <= number < self.first + self.count

    def message(self, index: int) -> tuple[bytes, bytes | None]:
        """The encoded message `index` (of those meant) and its encoded headers."""
        messages, headers = split(self.body, self.flags)
        return messages[self.skip + index], headers[self.skip + index] if headers else None

    def singles(self) -> list[Segment]:
        """The same messages, a segment and a body each."""
        if self.count == 1 and self.skip == 0:
            return [self]
        messages, headers = split(self.body, self.flags)
        return [
            Segment(
                self.wire,
                join(messages[at : at + 1], headers[at : at + 1] if headers else None),
                self.flags, 0, 1, self.first + at - self.skip, self.arrived,
            )
            for at in range(self.skip, self.skip + self.count)
        ]  # fmt: skip
