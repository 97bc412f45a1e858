"""One start of a host: its process, the link to it, what it may say and what it uses. Bridges and trials have one."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from thespian.actors import ActorAddress

from actors.definition.limits import HostLimits
from actors.host.link import Link, LinkPort
from actors.host.module_log import ModuleLog
from actors.host.printed import HostLog
from actors.host.process import HostProcess
from actors.host.watch import WATCH_S, HostWatch
from actors.messages.to_sweeper import SweepFolders
from runtimes.conversation import Conversation
from runtimes.frames import Frame


class Progress(NamedTuple):
    """How often a host has committed, whether it has been given more to do, and whether its time counts at all."""

    commits: int
    busy: bool
    working: bool


class Host:
    """Made, then started once. `ended` is told how, when everything that it said before has been taken."""

    def __init__(
        self, port: LinkPort, flow: str, key: str, sweeper: ActorAddress, outputs: Mapping[int, tuple[int, str]],
        stderr: deque[str], take: Callable[[Frame], None], ended: Callable[[str], None],
    ) -> None:  # fmt: skip
        """`outputs`: channel -> (slot, port); `stderr`: gets the lines that it prints; `sweeper`: gets its folder;
        `take`: gets every frame but DATA, CONTEXT and ERROR, which wait for a COMMIT.
        """
        self._port = port
        self._sweeper = sweeper
        self._ended = ended
        self.conversation = Conversation(outputs)
        hear = partial(self.conversation.hear, take)
        self.log = ModuleLog(port, flow)
        printed = HostLog(stderr, lambda line: self.log.say(key, logging.WARNING, line))
        self.link = Link(port, f"{flow}: the host {key}", printed, hear, self._closed)
        self.watch: HostWatch | None = None  # if it has limits
        self.cpu_s = 0.0  # once it has ended

    def start(
        self, command: Sequence[str], folder: Path, env: dict[str, str], limits: HostLimits,
        progress: Callable[[], Progress], niceness: int = 0,
    ) -> None:  # fmt: skip
        """Raises OSError if it cannot be."""
        try:
            process = HostProcess(command, folder, env, limits, niceness)
        except OSError:
            self._sweep(folder)
            raise
        self._process, self._progress = process, progress
        self.link.begin(process)
        if limits.watched:
            self.watch = HostWatch(process.pid, process.temp, limits)
            self._port.wakeupAfter(WATCH_S, self._look)

    @property
    def is_there(self) -> bool:
        """Whether its process has been started and has not ended."""
        return self.link.process is not None

    @property
    def pid(self) -> int:
        """The process's number, also after its end."""
        return self._process.pid

    def _look(self) -> None:
        """What it uses, if it has limits."""
        if self.watch is None or not self.is_there or self.link.killed_for is not None:
            return
        reason = self.watch.check(**self._progress()._asdict())
        if reason is None:
            self._port.wakeupAfter(WATCH_S, self._look)
        else:
            self.link.kill(reason)

    def kill(self) -> None:
        """End it, for no fault of its own."""
        self.link.kill()

    def _closed(self, status: str) -> None:
        self.cpu_s = self._process.cpu_s
        self.log.say_rest()
        self._sweep(self._process.folder)
        self._ended(status)

    def close(self) -> None:
        """Leave no process behind, and tell nobody."""
        self.log.say_rest()
        folder = self.link.close()
        if folder is not None:
            self._sweep(folder)

    def _sweep(self, folder: Path) -> None:
        """Nobody needs the folder any more, nor what the host has left running."""
        self._port.send(self._sweeper, SweepFolders(folders=(folder,)))
