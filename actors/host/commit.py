"""What a host commits: checked as a whole, numbered, handed out to its modules in one place."""

from __future__ import annotations

from collections.abc import Mapping

from thespian.actors import ActorAddress

from actors.system.port import Port
from runtimes.frames import Frame
from runtimes.transaction import Parts, Transaction


class Commits:
    """Of one start of a host. `number`: of the last one; they are 1, 2, ..."""

    def __init__(self, port: Port, transaction: Transaction, members: Mapping[int, ActorAddress]) -> None:
        """`members`: slot -> module actor."""
        self._port = port
        self._transaction = transaction
        self._members = members
        self.number = 0

    def take(self, frame: Frame) -> Parts:
        """A COMMIT: all of it or, with ProtocolError, nothing."""
        parts = self._transaction.commit(frame)
        self.number += 1
        for slot, part in parts:
            self._port.send(self._members[slot], part)
        return parts
