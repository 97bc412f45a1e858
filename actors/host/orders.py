"""What a host is given and asked, and by when it has to answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Mapping

from actors.host.commit import Commits
from actors.host.deadlines import LOOK_S, Deadlines, Owed
from actors.host.host import Host
from actors.system.port import Port
from runtimes.frames import ALL_SLOTS, TURN_FLAG, Frame, Kind
from runtimes.given import Given

_DATA = int(Kind.DATA)  # plain: an IntEnum's member costs more to look up
log = logging.getLogger("runner.host")


class Orders:
    """To one start of a host."""

    def __init__(
        self, port: Port, host: Host, commits: Commits, names: Mapping[int, str], late: Callable[[Owed], None]
    ) -> None:
        """`names`: slot -> module; `late` is told what has not been answered in time."""
        self._port = port
        self._host = host
        self._commits = commits
        self._names = names
        self._late = late
        self._given = host.conversation.given
        self._write = host.link.write
        self._last_given = -1  # the number of the commit before the last messages
        self._deadlines = Deadlines()
        self._timeouts_s: dict[int, float | None] = {}  # of the modules' turns

    def give(self, slot: int, frames: list[Frame]) -> None:
        """DATA, PULL and PAUSE of a module; dropped if the host has nothing of it any more."""
        given = self._given.get(slot)
        if given is None:
            return
        frame = frames[-1]
        if frame[0] == _DATA:
            self._last_given = self._commits.number
            if len(frames) == 1 and frame[3] < TURN_FLAG:  # the short way
                given.messages += frame[5]
                self._write(frames)
                return
        given.take(frames)
        if given.pausing:  # then PAUSE was the last one
            self.expect(("pause", slot), "pause", slot)
        self._write(frames)

    @property
    def unanswered(self) -> bool:
        """Whether it has been given messages, and has not committed anything since."""
        return self._last_given == self._commits.number

    def load(self, slot: int, given: Given, timeout_s: float | None, max_turn_bytes: int, body: bytes) -> None:
        """LOAD of a module; `timeout_s` is that of its turns."""
        self._timeouts_s[slot] = timeout_s
        self._given[slot] = given
        self._host.conversation.transaction.allow(max_turn_bytes)
        self.ask("load", slot, Kind.LOAD, body)

    def ask(self, what: str, slot: int, kind: Kind, body: bytes = b"") -> None:
        """Ask something of a module; the answer is a RESULT."""
        request = self._host.conversation.ask(what, slot)
        self.expect(request, what, slot)
        self._write([Frame(kind, slot, body, first=request)])

    def ping(self) -> None:
        """Ask whether it has taken its wires."""
        request = self._host.conversation.ask("ping", ALL_SLOTS)
        self.expect(request, "wires")
        self._write([Frame(Kind.PING, first=request)])

    def end(self) -> None:
        """Ask it to end."""
        self.expect("exit", "exit")
        self._write([Frame(Kind.STOP)])

    # deadlines -----------------------------------------------------------------------------------------------------

    def expect(self, key: Hashable, phase: str, slot: int | None = None) -> None:
        """It owes something from now on."""
        name, timeout_s = ("", None) if slot is None else (self._names[slot], self._timeouts_s.get(slot))
        if self._deadlines.expect(key, phase, name, timeout_s, time.monotonic()):
            self._port.wakeupAfter(LOOK_S, self._look)

    def met(self, key: Hashable) -> None:
        """It has done that."""
        self._deadlines.met(key)

    def _look(self) -> None:
        """Whether it is late."""
        if not self._host.is_there or self._host.link.killed_for is not None:
            return
        said, overdue = self._deadlines.look(time.monotonic(), self._host.conversation.works)
        for text in said:
            log.warning("%s", text)
        if overdue is not None:
            self._late(overdue)
        elif self._deadlines.any:
            self._port.wakeupAfter(LOOK_S, self._look)
