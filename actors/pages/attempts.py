"""New versions that pages try to load before anybody has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from thespian.actors import ActorAddress

from actors.messages.trial_and_pages import PageTried, TryInPage
from actors.pages.crowd import Crowd
from actors.pages.parcel import TRY
from actors.pages.session import Session
from actors.system.port import Port
from runtimes import host_bodies as bodies
from runtimes.frames import HEADER, Frame, ProtocolError

GOOD = b'{"ok":true}'


class _Attempt(NamedTuple):
    """Of these pages the last one tries it now."""

    message: TryInPage
    trial: ActorAddress
    pages: tuple[Session, ...]


class Attempts:
    """Of the pages of one flow. `told` learns who has something to read."""

    def __init__(self, port: Port, crowd: Crowd, told: Callable[[Session], None]) -> None:
        self._port, self._crowd, self._told = port, crowd, told
        self._under_way: dict[int, _Attempt] = {}
        self._count = 0

    def begin(self, message: TryInPage, trial: ActorAddress) -> None:
        """The page that was heard of last tries it; what nobody can try is good."""
        here = [session for session in self._crowd.sessions.values() if session.is_here]
        if here:
            self._try(_Attempt(message, trial, (max(here, key=lambda session: session.since),)))
        else:
            self._port.send(trial, PageTried(number=message.number, body=GOOD))

    def _try(self, attempt: _Attempt) -> None:
        self._count += 1
        self._under_way[self._count] = attempt
        message, session = attempt.message, attempt.pages[-1]
        session.ask(HEADER.pack(len(message.body), TRY, message.window, 0, 0, 0, self._count) + message.body)
        self._told(session)

    def tried(self, session: Session, frame: Frame) -> None:
        """A page says how it went. Raises ProtocolError."""
        attempt = self._under_way.get(frame.first)
        if attempt is None or attempt.pages[-1] is not session:
            raise ProtocolError(f"RESULT {frame.first}, which was not asked")
        result = bodies.result(frame.body, "load")
        del self._under_way[frame.first]
        sessions = self._crowd.sessions.values()
        others = (other for other in sessions if other.is_here and other not in attempt.pages)
        # What one browser cannot load, or says so to spite us, is not for it alone to refuse: the oldest decides.
        if not result.ok and len(attempt.pages) == 1 and (oldest := next(others, None)) is not None:
            self._try(attempt._replace(pages=(session, oldest)))
        else:
            self._port.send(attempt.trial, PageTried(number=attempt.message.number, body=frame.body))

    def leave(self, key: str) -> None:
        """The page of this session tries nothing any more."""
        for number, attempt in list(self._under_way.items()):
            if attempt.pages[-1].key == key:
                del self._under_way[number]
                self._port.send(attempt.trial, PageTried(number=attempt.message.number, body=GOOD))
