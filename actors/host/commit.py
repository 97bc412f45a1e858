"""What a host commits: checked as a whole, numbered, handed out to its modules in one place.

A commit is applied when every module has done its part. That costs nothing to find out: the parts are put into the
system's queue one behind the other and are handled in that order, so a message put behind them comes when the last one
has been applied, and one put before them when none has. Whoever keeps a journal is told in this way; nothing else of
anybody's comes in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from thespian.actors import ActorAddress

from actors.messages import bridge_to_follower as to_follower
from actors.system.port import Port
from runtimes.frames import Frame
from runtimes.transaction import Parts, Transaction


class Commits:
    """Of one start of a host. `number`: of the last one; they are 1, 2, ..."""

    def __init__(
        self, port: Port, flow: str, key: str, start: int, transaction: Transaction,
        members: Mapping[int, ActorAddress], follower: ActorAddress | None, see: Callable[[Parts], None] | None,
    ) -> None:  # fmt: skip
        """`flow`, `key`, `start`: of the host; `members`: slot -> module actor; `follower`: is told of every commit;
        `see`: gets its parts before anybody, and may exchange them.
        """
        self._port = port
        self._flow, self._key, self._start = flow, key, start
        self._transaction = transaction
        self._members = members
        self._follower = follower
        self._see = see
        self.number = 0

    def take(self, frame: Frame) -> Parts:
        """A COMMIT: all of it or, with ProtocolError, nothing."""
        parts = self._transaction.commit(frame)
        self.number += 1
        if self._see is not None:
            self._see(parts)
        send, members, follower = self._port.send, self._members, self._follower
        if follower is not None:
            begun = to_follower.CommitHandedOut(
                flow=self._flow, key=self._key, start=self._start, number=self.number, parts=tuple(parts)
            )
            send(follower, begun)
        for slot, part in parts:
            send(members[slot], part)
        if follower is not None:
            applied = to_follower.CommitApplied(flow=self._flow, key=self._key, start=self._start, number=self.number)
            send(follower, applied)
        return parts
