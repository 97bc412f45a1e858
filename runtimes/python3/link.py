"""The two pipes: frames in, frames out, and LOG lines. It does not know what a frame means."""

from __future__ import annotations

import os
from _thread import allocate_lock
from struct import Struct
from time import perf_counter_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

HEADER = Struct("<IBBHIIQ")
PACK = HEADER.pack
MAX_BODY_BYTES = 64 << 20
READ_BYTES = 256 << 10
ALL_SLOTS, NO_INDEX = 0xFFFF, 0xFFFFFFFF
REDELIVERED, HEADERS, TURN_FLAG, DELETED, HELD = 1, 2, 4, 8, 16
LOAD, UNLOAD, WIRES, DATA, PULL, PAUSE, CALL, STOP, PING = range(1, 10)
HELLO, CONTEXT, ERROR, LOG, TURN, COMMIT, PAUSED, RESULT, FINISHED, PONG = range(16, 26)
LOG_INTERVAL_NS = 10_000_000
LOG_TEXT_CHARACTERS = 64 << 10

Frame = tuple[int, int, int, int, int, int, bytes]
"""kind, flags, slot, skip, count, first, body"""


def frame(
    kind: int, slot: int = 0, body: bytes = b"", flags: int = 0, skip: int = 0, count: int = 0, first: int = 0
) -> bytes:
    """The bytes of a frame."""
    return PACK(len(body), kind, flags, slot, skip, count, first) + body


class Link:
    """Both ends that the host holds. Writing is safe from any thread."""

    def __init__(self, input_path: str, output_path: str) -> None:
        self.input = os.open(input_path, os.O_RDONLY)
        self._output = os.open(output_path, os.O_WRONLY)
        self._lock = allocate_lock()
        self._parts: list[bytes] = []
        self._kept_bytes = 0
        self._needed_bytes = 24
        self.logs: list[bytes] = []
        self.drained = True  # the last read emptied the pipe
        self.only_data = True  # what the last read has brought: a turn may begin while the rest of it waits
        self._logs_lock = allocate_lock()
        self._logged_ns = 0
        self.wake: Callable[[], None] | None = None  # asks the main loop to call flush_logs

    def read(self) -> list[Frame]:
        """The frames that one read completes. The end of the input ends the process."""
        wanted = READ_BYTES if self._needed_bytes < READ_BYTES else 1 << 20
        data = os.read(self.input, wanted)
        if not data:
            os._exit(0)
        self.drained = len(data) < wanted
        if self._parts:
            self._parts.append(data)
            self._kept_bytes += len(data)
            if self._kept_bytes < self._needed_bytes:
                return []
            data = b"".join(self._parts)
            self._parts.clear()
        frames: list[Frame] = []
        only_data = True
        position, size = 0, len(data)
        self._needed_bytes = 24
        while size - position >= 24:
            body_bytes, kind, flags, slot, skip, count, first = HEADER.unpack_from(data, position)
            if body_bytes > MAX_BODY_BYTES or not 0 < kind < 10:
                os.write(2, f"host: frame of kind {kind} with {body_bytes} bytes\n".encode())
                os._exit(3)
            end = position + 24 + body_bytes
            if end > size:
                self._needed_bytes = 24 + body_bytes
                break
            if kind != DATA:
                only_data = False
            frames.append((kind, flags, slot, skip, count, first, data[position + 24 : end]))
            position = end
        self.only_data = only_data
        if position < size:
            self._parts.append(data[position:] if position else data)
            self._kept_bytes = size - position
        return frames

    def write(self, data: bytes) -> None:
        """Write all of `data`, in one call unless a signal cuts it short. A runner that is gone ends the process."""
        with self._lock:
            try:
                written = os.write(self._output, data)
                while written < len(data):
                    data = data[written:]
                    written = os.write(self._output, data)
            except BrokenPipeError:
                os._exit(0)

    def leave(self, end: Callable[..., Any]) -> None:
        """In a forked child: the pipes are the parent's, whatever would use them is the `end`."""
        os.close(self.input)
        os.close(self._output)
        self.read = self.write = end  # type: ignore[method-assign]
        self.log = lambda slot, level, text: os.write(2, f"{text}\n".encode("utf-8", "replace"))  # type: ignore[assignment]  # noqa: ARG005

    def log(self, slot: int, level: str, text: str) -> None:
        """A LOG frame: at once when the last is some time ago, else with the next flush (many lines, one write)."""
        import json

        entry = {"level": level, "text": text[:LOG_TEXT_CHARACTERS]}
        body = json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace")
        data = frame(LOG, slot, body)
        now = perf_counter_ns()
        with self._logs_lock:
            self.logs.append(data)
            kept = len(self.logs)
        if now - self._logged_ns > LOG_INTERVAL_NS or kept > 200:
            self._logged_ns = now
            self.flush_logs()
        elif kept == 1 and self.wake is not None:
            self.wake()

    def flush_logs(self) -> None:
        """Write what log() kept back."""
        if self.logs:
            with self._logs_lock:
                logs, self.logs = self.logs, []
            self.write(b"".join(logs))
