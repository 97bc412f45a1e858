"""The Journal actor: one per runner. It brackets the units of its flows and owns the process that writes journals.

If that process ends, whatever the reason, nothing is acknowledged any more: what waits for a group waits for ever, and
whoever owns the runner is told why, to end it. Nothing is tried again: after a failed fsync nobody knows what is on
the disk.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
from collections import deque
from functools import partial

from thespian.actors import ActorAddress, WakeupMessage

from actors.journal.gathering import MAX_GROUP_S, Gathering
from actors.journal.group import End, encode
from actors.journal.writer import Writer
from actors.messages import bridge_to_follower as from_bridge
from actors.messages import to_journal
from actors.messages.from_journal import JournalEnded, JournalsClosed, JournalSynced
from actors.messages.system_to_actor import Ready
from actors.system.base import BaseActor

log = logging.getLogger("runner.journal")


class JournalActor(BaseActor):
    """Starts the process when there is the first group to write."""

    def receiveMsg_OpenJournals(self, message: to_journal.OpenJournals, _sender: ActorAddress) -> None:
        """Where, and who is told when it goes wrong."""
        self.folder, self.lost = message.folder, message.lost
        self.gatherings: dict[str, Gathering] = {}
        self.locks: dict[str, int] = {}
        self.ending: deque[tuple[str, ActorAddress]] = deque()
        self.writer: Writer | None = None
        self.broken = False
        self.closing: ActorAddress | None = None
        self.failures: dict[tuple[str, str], int] = {}  # those of the system when a commit was handed out

    def receiveMsg_AddJournal(self, message: to_journal.AddJournal, _sender: ActorAddress) -> None:
        """A flow is there."""
        self.gatherings[message.flow], self.locks[message.flow] = message.gathering, message.lock

    # units ---------------------------------------------------------------------------------------------------------

    def receiveMsg_CommitHandedOut(self, message: from_bridge.CommitHandedOut, _sender: ActorAddress) -> None:
        """Until it is applied, no group of the flow goes."""
        self.failures[message.flow, message.key] = self.system.failures
        self.gatherings[message.flow].begin()

    def receiveMsg_CommitApplied(self, message: from_bridge.CommitApplied, _sender: ActorAddress) -> None:
        """It is complete; or a module has raised on its part: nobody knows what the flow is now."""
        if self.failures.pop((message.flow, message.key)) == self.system.failures:
            self.gatherings[message.flow].end()
        else:
            self._break(f"{message.flow} has failed within a commit")

    def receiveMsg_EndUnit(self, message: to_journal.EndUnit, _sender: ActorAddress) -> None:
        """The same, of something else."""
        self.gatherings[message.flow].end()

    # groups --------------------------------------------------------------------------------------------------------

    def receiveMsg_GroupBegun(self, message: to_journal.GroupBegun, _sender: ActorAddress) -> None:
        """It goes when its time is up."""
        self.wakeupAfter(MAX_GROUP_S, (message.flow, message.number))

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """The time of a group is up, unless it has gone."""
        flow, number = message.payload
        if flow in self.gatherings:
            self.gatherings[flow].hurry(number)

    def receiveMsg_WriteGroup(self, message: to_journal.WriteGroup, _sender: ActorAddress) -> None:
        """Hand a group to the process that writes."""
        if message.flow in self.gatherings:
            self._write(encode(message.flow, message.group))

    def _write(self, parts: list[bytes | memoryview]) -> None:
        if self.broken:
            return
        if self.writer is None:
            try:
                self.writer = Writer(self.folder)
            except OSError as error:
                self._break(f"the process that writes them cannot be started: {error.strerror}")
                return
            self.system.watch(self.writer.pid_fd, select.EPOLLIN, self.address)
            self.system.watch(self.writer.fd, select.EPOLLIN, self.address)
        with contextlib.suppress(OSError):  # it has gone: the pidfd will tell
            self.writer.put(parts)
            self._watch()

    def _watch(self) -> None:
        assert self.writer is not None
        if self.writer.is_full != self.writer.watched_full:
            self.writer.watched_full = self.writer.is_full
            events = select.EPOLLIN | (select.EPOLLOUT if self.writer.is_full else 0)
            self.system.watch(self.writer.fd, events, self.address)

    def receiveMsg_Ready(self, message: Ready, _sender: ActorAddress) -> None:
        """Of the process: groups are durable, it takes more, or it has ended."""
        if self.writer is None:
            return
        if message.fd == self.writer.pid_fd:
            self._ended()
            return
        try:
            if message.events & select.EPOLLOUT:
                self.writer.flush()
                self._watch()
            for flow, number in self.writer.durable():
                if not number:
                    ended, sender = self.ending.popleft()
                    os.close(self.locks.pop(ended))
                    self.send(sender, JournalEnded(flow=ended))
                elif flow in self.gatherings:
                    self.gatherings[flow].durable(number)
        except OSError:
            self.system.unwatch(self.writer.fd)  # the pidfd will tell

    def _ended(self) -> None:
        assert self.writer is not None
        self.system.unwatch(self.writer.fd)
        self.system.unwatch(self.writer.pid_fd)
        status = self.writer.reap()
        self.writer = None
        if self.closing is not None and status is None:
            self._closed()
        else:
            self._break(status or "the process that writes them has ended")

    def _break(self, reason: str) -> None:
        if not self.broken:
            self.broken = True
            self.lost(f"the journals in {self.folder} cannot be written: {reason}; nothing more is acknowledged")

    # the end -------------------------------------------------------------------------------------------------------

    def receiveMsg_SyncJournal(self, message: to_journal.SyncJournal, sender: ActorAddress) -> None:
        """All that has happened in a flow so far."""
        synced = JournalSynced(flow=message.flow)
        self.gatherings[message.flow].when_durable(lambda: self.send(sender, synced))

    def receiveMsg_EndJournal(self, message: to_journal.EndJournal, sender: ActorAddress) -> None:
        """What is being written of it comes first."""
        del self.gatherings[message.flow]
        self.ending.append((message.flow, sender))
        self._write(encode(message.flow, End.REMOVE if message.remove else End.CLOSE))

    def receiveMsg_CloseJournals(self, _message: to_journal.CloseJournals, sender: ActorAddress) -> None:
        """When everything is durable, the process that writes may end."""
        self.closing = sender
        waiting = {*self.gatherings}

        def synced(flow: str) -> None:
            waiting.discard(flow)
            if not waiting:
                self._close()

        for flow, gathering in [*self.gatherings.items()]:
            gathering.when_durable(partial(synced, flow))
        if not self.gatherings:
            self._close()

    def _close(self) -> None:
        if self.writer is not None:
            self.writer.close()  # then it ends, and the pidfd tells
        else:
            self._closed()

    def _closed(self) -> None:
        assert self.closing is not None
        for lock in self.locks.values():
            os.close(lock)
        self.locks.clear()
        self.send(self.closing, JournalsClosed())
