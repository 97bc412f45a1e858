"""All pages of a flow: who gets which message, what they have done, what waits. Pure but for `commit`.

A module of the runner waits for a page only as long as that shows that it works: messages of a page that is absent, or
silent for a second, count as done, and what comes of them later is taken as it comes.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.pages import log
from actors.pages.parcel import Entry, Piece, Place, pieces
from actors.pages.session import MAX_CONTEXT_BYTES, Session
from runtimes.frames import Frame
from runtimes.transaction import Parts
from runtimes.turns_committed import TurnsCommitted

RESUME_S = 60.0
PATIENCE_S = 1.0  # without a sign of work
MAX_SESSIONS = 1000


class CrowdError(Exception):
    """A page cannot join; the sentence says why."""


@dataclass(slots=True)
class Window:
    """What a module has given and is not told to be done yet; `waiting`: those of it that found no room so far."""

    given: deque[Entry] = field(default_factory=deque)
    waiting: deque[tuple[Place, Piece, Entry]] = field(default_factory=deque)

    def consumed(self) -> int:
        """How many more are done, in order."""
        count = 0
        while self.given:
            entry = self.given[0]
            count += entry.finished
            entry.count, entry.finished = entry.count - entry.finished, 0
            if entry.count:
                break
            self.given.popleft()
        return count


class Crowd:
    """Of one flow. `slots`: the modules that work, and the slot of each; `open`: those that may send what no message
    of the runner has caused; `undelivered`: messages for clients that were not there.
    """

    def __init__(self, told: Callable[[Session], None]) -> None:
        """`told` learns who has something to read; `commit` gets what modules have done, once there is a host."""
        self._told = told
        self.flow = ""
        self.commit: Callable[[Parts], None] = lambda _: None
        self.sessions: dict[str, Session] = {}  # by key
        self._names: dict[str, Session] = {}
        self._windows: dict[str, Window] = {}
        self._recalled: dict[str, tuple[Callable[[], None], float]] = {}  # until when pages are waited for
        self.slots: Mapping[str, int] = {}
        self.to_client: Mapping[str, str] = {}  # by wire
        self.open: set[str] = set()
        self.undelivered = 0
        self._is_described = False

    # sessions -------------------------------------------------------------------------------------------------------

    def facts(self) -> tuple[Any, ...]:
        """Of all sessions. Nothing is taken from pages until modules work again."""
        self._is_described = True
        return tuple(session.fact() for session in self.sessions.values())

    def adopt(self, facts: Iterable[tuple[Any, ...]]) -> None:
        """Sessions of another crowd, or of a time before."""
        for fact in facts:
            session = Session.of(fact, time.monotonic())
            self.sessions[session.key] = self._names[session.name] = session

    def session(self, key: str, name: str, had: str, now: float) -> tuple[Session, bool]:
        """The session of a key, or a new one; whether it is new. `had`: the name that the page had, which it keeps if
        nobody else has it. Raises CrowdError.
        """
        if (known := self.sessions.get(key)) is not None:
            return known, False
        if name and name in self._names:
            raise CrowdError(f"the name {name!r} is taken: another page has joined {self.flow} with it")
        if len(self.sessions) >= MAX_SESSIONS:
            raise CrowdError(f"{MAX_SESSIONS} pages have joined {self.flow}: no more can")
        name = name or had
        while not name or name in self._names:
            name = f"c{secrets.token_hex(4)}"
        session = Session(secrets.token_urlsafe(24), name, now)
        self.sessions[session.key] = self._names[name] = session
        return session, True

    def leave(self, session: Session) -> None:
        """Its socket has gone: nobody waits for it."""
        session.leave(time.monotonic())
        self._settle_all()

    def end(self, session: Session) -> None:
        """It does not come back."""
        session.give_up()
        self.sessions.pop(session.key, None)
        self._names.pop(session.name, None)
        self._settle_all()

    def look(self, now: float) -> None:
        """Twice a second: who is silent, and who has been away for too long?"""
        for session in list(self.sessions.values()):
            if not session.is_here and now - session.since > RESUME_S:
                log.info("%s: the page %s has not come back", self.flow, session.name)
                self.end(session)
            elif session.is_here and now - session.since > PATIENCE_S and session.is_waited_for:
                session.give_up()
                self._settle_all()
        for module, (_, until) in list(self._recalled.items()):
            if now > until:
                self._give_up(module)

    # to the pages ---------------------------------------------------------------------------------------------------

    def give(self, module: str, place: Place, frame: Frame) -> None:
        """Messages of a module of the runner."""
        window = self._windows.setdefault(module, Window())
        for piece in pieces(frame, self.to_client.get(place.wire) or "origin"):
            entry = Entry(piece.count)
            window.given.append(entry)
            window.waiting.append((place, piece, entry))
        self._distribute(module)

    def recall(self, module: str, done: Callable[[], None], now: float) -> None:
        """What has found no room is the runner's again. `done` when pages have finished what they have of it, or have
        been waited for long enough.
        """
        self.open.discard(module)
        window = self._windows.setdefault(module, Window())
        for _ in range(len(window.waiting)):
            window.given.pop()
        window.waiting.clear()
        self._recalled[module] = done, now + PATIENCE_S
        self._settle(module)

    def _give_up(self, module: str) -> None:
        for entry in self._windows[module].given:
            entry.give_up()
        for session in self.sessions.values():
            session.give_up(module)
        self._settle(module)

    def _distribute(self, module: str) -> None:
        window = self._windows[module]
        while window.waiting and self._put(*window.waiting[0]):
            window.waiting.popleft()
        self._settle(module)

    def _put(self, place: Place, piece: Piece, entry: Entry) -> bool:
        """Whether there was room, or no reason to wait for it."""
        now = time.monotonic()
        if piece.client is None:
            entry.give_up()
            if not self.sessions:
                self.undelivered += piece.count
            for session in self.sessions.values():
                self._put_into(session, place, piece, None, now)
            return True
        found = self._names.get(piece.client)
        if found is None:
            self.undelivered += piece.count
            entry.give_up()
        elif found.is_here:
            if found.is_full and found.is_waited_for:
                return False
            self._put_into(found, place, piece, entry, now)
        else:
            self._put_into(found, place, piece, None, now)
            entry.give_up()
        return True

    def _put_into(self, session: Session, place: Place, piece: Piece, entry: Entry | None, now: float) -> None:
        if not session.is_full:
            session.put(place, piece, entry, now)
            self._told(session)
            return
        if not session.dropped:
            log.warning("%s: the page %s does not keep up: what it misses is counted", self.flow, session.name)
        session.dropped += piece.count
        if entry is not None:
            entry.give_up()

    def _settle_all(self) -> None:
        for module in tuple(self._windows):
            if self._windows[module].waiting:
                self._distribute(module)
            else:
                self._settle(module)

    def _settle(self, module: str) -> None:
        window = self._windows[module]
        consumed = window.consumed()
        if consumed and module in self.slots:
            self.commit([(self.slots[module], TurnsCommitted(consumed, *_NOTHING, (), {}, ()))])
        if module in self._recalled and not window.given:
            self._recalled.pop(module)[0]()

    # from the pages -------------------------------------------------------------------------------------------------

    def apply(self, session: Session) -> None:
        """Take what a page has done, as far as the flow takes anything now."""
        took = False
        while session.waiting and not self._is_described and self._may(session):
            took = True
            parts: Parts = []
            for module, (row, outputs, context, errors) in session.take().work.items():
                session.done(module, row.consumed)
                if module not in self.slots:
                    continue  # it has been removed meanwhile
                session.keep(module, context)
                window = self._windows.get(module)
                part = TurnsCommitted(
                    0 if window is None else window.consumed(), row.handled, row.failed, 0, row.sent, row.unwired,
                    row.busy_us, row.local, outputs, {}, errors,
                )  # fmt: skip
                parts.append((self.slots[module], part))
            self.commit(sorted(parts, key=lambda part: part[1].consumed > 0))
        if took:
            if session.context_bytes > MAX_CONTEXT_BYTES:
                log.warning("%s: the contexts of the page %s are too large to be kept", self.flow, session.name)
                session.contexts.clear()
            self._told(session)
            self._settle_all()

    def _may(self, session: Session) -> bool:
        """Whether its next transaction can be applied: what no message has caused waits for a module that is held."""
        return all(
            not work.outputs or module in self.open or session.is_waited_for_by(work)
            for module, work in session.waiting[0].work.items()
            if module in self.slots or not self.slots
        )

    def apply_all(self) -> None:
        """The flow takes more than before."""
        for session in list(self.sessions.values()):
            if session.waiting:
                self.apply(session)

    def serve(self, slots: Mapping[str, int], to_client: Mapping[str, str]) -> None:
        """These modules work from now on."""
        self.slots, self.to_client = slots, to_client
        self._is_described = False
        for session in self.sessions.values():
            for module in tuple(session.modules()):
                if module not in slots:
                    session.forget(module)
        for module in self._windows.keys() - slots.keys():
            del self._windows[module]


_NOTHING = (0, 0, 0, 0, 0, 0, 0)  # handled ... fused
