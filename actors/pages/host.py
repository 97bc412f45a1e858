"""What stands for a host whose process is in many places: the pages. To its bridge it is a host as any other; it says
yes to what concerns code, which every page loads for itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import orjson

from actors.definition.limits import HostLimits
from actors.host.host import Progress
from actors.host.link import LinkPort
from actors.messages.actor_to_itself import TakeFrames
from runtimes.conversation import Conversation
from runtimes.frames import PROTOCOL_VERSION, Frame, Kind
from runtimes.given import Given
from runtimes.transaction import Parts, Transaction

_OK = orjson.dumps({"ok": True, "hooks": []})
_NO_SOURCE = orjson.dumps({"ok": True, "source": False})


class _Committed(Transaction):
    """What has been checked and put together already."""

    def __init__(self, given: Mapping[int, Given], ports: Mapping[int, tuple[int, str]]) -> None:
        super().__init__(given, ports)
        self._of_pages = given
        self.ready: deque[Parts] = deque()

    def commit(self, frame: Frame) -> Parts:  # noqa: ARG002  # it says nothing
        """The next; what of it is for slots that are gone is not there any more."""
        parts = [(slot, part) for slot, part in self.ready.popleft() if slot in self._of_pages]
        for slot, part in parts:
            self._of_pages[slot].messages -= part.consumed
        return parts


class PagesHost:
    """A Host and its Link in one; `hears` gets DATA, PULL and PAUSE of slots, and is told that wires have changed."""

    def __init__(
        self, port: LinkPort, outputs: Mapping[int, tuple[int, str]], hears: Callable[[PagesHost, Frame], None],
        take: Callable[[Frame], None], ended: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._port, self._hears, self._take, self._ended = port, hears, take, ended
        self.conversation = Conversation(outputs)
        self._committed = _Committed(self.conversation.given, outputs)
        self.conversation.transaction = self._committed
        self.link = self
        self.watch = None
        self.cpu_s = 0.0
        self.pid = None
        self.killed_for: str | None = None
        self.broken_off = False
        self.is_there = False
        self._said: deque[Frame] = deque()
        self._status: str | None = None  # how it ends, when all has been heard

    def start(
        self, _command: Sequence[str], _folder: Path, _env: dict[str, str], _limits: HostLimits,
        _progress: Callable[[], Progress], _niceness: int = 0,
    ) -> None:  # fmt: skip
        """There is nothing to start."""
        self.is_there = True
        hello = {"protocol": PROTOCOL_VERSION, "runtime": "browser", "version": "1", "pid": 0}
        self._say(Frame(Kind.HELLO, body=orjson.dumps(hello)))

    def commit(self, parts: Parts) -> None:
        """Modules have done this."""
        self._committed.ready.append(parts)
        self._say(Frame(Kind.COMMIT))

    def paused(self, frame: Frame) -> None:
        """Nothing is under way of what PAUSE was said to."""
        self._say(Frame(Kind.PAUSED, frame.slot, first=frame.first))

    # what it is told -----------------------------------------------------------------------------------------------

    def write(self, frames: list[Frame]) -> None:
        """Answered in order, when the bridge has done what it is at."""
        for frame in frames:
            kind, slot, first = frame.kind, frame.slot, frame.first
            match kind:
                case Kind.LOAD | Kind.UNLOAD:
                    self._say(Frame(Kind.RESULT, slot, _OK, first=first))
                case Kind.CALL:
                    self._say(Frame(Kind.RESULT, slot, _NO_SOURCE, first=first))
                case Kind.PING:
                    self._say(Frame(Kind.PONG, first=first))
                case Kind.STOP:
                    self._end("exit status 0")
                case _:
                    self._hears(self, frame)

    def flush(self) -> None:
        """Everything has been written."""

    def ready(self, _fd: int) -> None:
        """There is no descriptor."""

    # what it says ---------------------------------------------------------------------------------------------------

    def _say(self, frame: Frame) -> None:
        self._said.append(frame)
        if len(self._said) == 1:
            self._port.send(self._port.address, TakeFrames())

    def take_frames(self) -> None:
        """What it has said since."""
        said, self._said = self._said, deque()
        for frame in said:
            if self.is_there:
                self._take(frame)
        if self._status is not None and not self._said and self.is_there:
            self.is_there = False
            self._ended(self._status)

    # the end --------------------------------------------------------------------------------------------------------

    def _end(self, status: str) -> None:
        self._status = status
        self._port.send(self._port.address, TakeFrames())

    def kill(self, reason: str | None = None) -> None:
        """It says nothing more."""
        self.killed_for = reason or self.killed_for
        self._said.clear()
        self._end("ended")

    def close(self) -> None:
        """Nobody asks any more."""
        self.is_there = False
