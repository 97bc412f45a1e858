"""What goes to a page: messages of one wire, and the place in the module's window that waits for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from runtimes.frames import HEADER, HEADERS, Frame, join, split

# Frames that only a page gets: who it is and what runs, the names of a number, what has been taken, what to try.
FLOW, WIRE, ACK, TRY = 32, 33, 34, 35


class Place(NamedTuple):
    """Where messages go in a page."""

    module: str
    port: str
    wire: str


@dataclass(slots=True)
class Entry:
    """Messages that the module has given; `finished` of the first `count` are done and not said yet."""

    count: int
    finished: int = 0

    def give_up(self) -> None:
        """Nobody waits for them any more."""
        self.finished = self.count


@dataclass(slots=True)
class Parcel:
    """Messages of a wire in order, for one page; `number`: of the parcel in its session."""

    number: int
    place: Place
    body: bytes
    flags: int
    count: int
    first: int
    entry: Entry | None
    done: int = 0  # of `count`

    @property
    def left(self) -> int:
        """How many of them the page has not done."""
        return self.count - self.done

    def finish(self, count: int) -> int:
        """The page has done that many, at most, of those that are left. Returns how many."""
        count = min(count, self.left)
        self.done += count
        if self.entry is not None:
            self.entry.finished = min(self.entry.count, self.entry.finished + count)
        return count

    def frame(self, channel: int, flags: int = 0) -> bytes:
        """DATA, of what is left."""
        body = self.body
        return HEADER.pack(
            len(body), 4, self.flags | flags, channel, self.done, self.left, self.first + self.done
        ) + body  # fmt: skip


class Piece(NamedTuple):
    """Consecutive messages of a frame that go to the same client: its name, or None for all."""

    client: str | None
    body: bytes
    flags: int
    count: int  # type: ignore[assignment]  # the tuple's own count() is not missed
    first: int


def pieces(frame: Frame, to_client: str) -> Iterator[Piece]:
    """What a frame brings, by client. `to_client`: as the wire says. Nobody gets a message that is another's."""
    _, _, body, flags, skip, count, first = frame
    flags &= HEADERS
    whole = skip == 0 and (body.count(b"\n") == count - 1 if not flags else False)
    if whole and to_client != "origin":
        yield Piece(_named(to_client), body, 0, count, first)
        return
    if whole:
        yield Piece(None, body, 0, count, first)
        return
    messages, headers = split(body, flags)
    messages = messages[skip : skip + count]
    columns = headers[skip : skip + count] if headers is not None else None
    if columns is None:
        yield Piece(_named(to_client), join(messages), 0, count, first)
        return
    clients = [_client(column) if to_client == "origin" else _named(to_client) for column in columns]
    begin = 0
    for end in range(1, count + 1):
        if end == count or clients[end] != clients[begin]:
            body = join(messages[begin:end], columns[begin:end])
            yield Piece(clients[begin], body, HEADERS, end - begin, first + begin)
            begin = end


def _named(to_client: str) -> str | None:
    return None if to_client in ("all", "origin") else to_client


def _client(column: bytes) -> str | None:
    if column == b"null":
        return None
    client: str | None = orjson.loads(column).get("client")
    return client
