"""A command whose lines and end come to an actor, by its Ready messages."""

from __future__ import annotations

import select
from collections.abc import Callable

from thespian.actors import ActorAddress

from actors.preparation.command import Command
from actors.system.in_process import ActorSystem


class Watched:
    """Of `said` each gets the lines that have come, of both descriptors."""

    def __init__(
        self, command: Command, system: ActorSystem, address: ActorAddress, said: Callable[[list[str]], None]
    ) -> None:
        """From now on `address` gets Ready."""
        self._command, self._system, self._said = command, system, said
        for fd in command.fds:
            system.watch(fd, select.EPOLLIN, address)

    def has(self, fd: int) -> bool:
        """Whether a descriptor is one of its."""
        return fd in self._command.fds

    def ready(self, fd: int) -> bool:
        """A descriptor is. True once the command has ended: nothing more is to be heard of it."""
        command = self._command
        if fd != command.pid_fd:
            lines, more = command.read(fd)
            self._said(lines)
            if not more:
                self._system.unwatch(fd)
            return False
        for rest in (command.out_fd, command.err_fd):
            self._said(command.read_last(rest))
        self._close()
        return True

    def kill(self) -> None:
        """End it; that it has ended is still to come."""
        self._command.kill()

    def end(self) -> None:
        """End it, and leave nothing of it."""
        self._command.kill()
        self._close()

    def _close(self) -> None:
        for fd in self._command.fds:
            self._system.unwatch(fd)
        self._command.reap()
