"""A python3 host, driven over its two FIFOs as the runner does it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

from runtimes.frames import (
    DELETED,
    Decoder,
    Frame,
    Kind,
    encode,
    join,
    split,
)

HOST = Path(__file__).parents[3] / "runtimes/python3/host.py"


WAIT_S = 60.0
GATED = """
import asyncio, os
async def run(m, c):
    c.log('info', f'begun {m}')
    while not os.path.exists('open'):
        await asyncio.sleep(0.001)
    return m
"""


class Host:
    """A host process and what it wrote."""

    def __init__(self, folder: str, library: str = "orjson") -> None:
        paths = [f"{folder}/in", f"{folder}/out"]
        for path in paths:
            os.mkfifo(path)
        self.input = os.open(paths[0], os.O_RDWR)
        self.output = os.open(paths[1], os.O_RDONLY | os.O_NONBLOCK)
        self.work = work = Path(folder) / "work"
        work.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(HOST), *paths],
            cwd=work,
            env={**os.environ, "RUNNER_HOST_JSON": library},
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        self.decoder = Decoder()
        self.frames: list[Frame] = []
        self.logs: list[tuple[int, str, str]] = []
        self.requests = 0
        self.hello = json.loads(self.next(Kind.HELLO).body)
        for path in paths:
            Path(path).unlink()

    def send(self, kind: Kind, slot: int = 0, body: Any = b"", **fields: int) -> None:
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.write(encode(Frame(kind, slot, body, **fields)))

    def write(self, data: bytes) -> None:
        os.set_blocking(self.input, False)
        limit = time.monotonic() + WAIT_S
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self.input, data) :]
            if data:
                self.poll(0.01)
                assert time.monotonic() < limit, "the host does not read"

    def poll(self, timeout: float) -> bool:
        if not select.select([self.output], [], [], timeout)[0]:
            return False
        data = os.read(self.output, 1 << 20)
        for frame in self.decoder.feed(data):
            if frame.kind == Kind.LOG:
                line = json.loads(frame.body)
                self.logs.append((frame.slot, line["level"], line["text"]))
            else:
                self.frames.append(frame)
        return bool(data)

    def next(self, kind: Kind | None = None, timeout: float = WAIT_S) -> Frame:
        limit = time.monotonic() + timeout
        while not self.frames:
            if not self.poll(max(0, limit - time.monotonic())):
                error = self.process.stderr.read() if self.process.poll() is not None and self.process.stderr else b""
                raise AssertionError(f"no frame; the host said {error.decode()!r}")
        frame = self.frames.pop(0)
        assert kind is None or frame.kind == kind, frame
        return frame

    def begun(self, *messages: Any) -> None:
        """Until a GATED module has begun the turns of these messages."""
        self.has_logged(len(messages))
        assert [text for _, _, text in self.logs] == [f"begun {message}" for message in messages]

    def has_logged(self, lines: int) -> None:
        """Until it has."""
        limit = time.monotonic() + WAIT_S
        while len(self.logs) < lines:
            self.poll(0.05)
            assert time.monotonic() < limit, self.logs

    def open(self) -> None:
        """Let the turns of GATED modules end, when the host has read all that was sent."""
        while int.from_bytes(fcntl.ioctl(self.input, termios.FIONREAD, bytes(4)), sys.byteorder):
            self.poll(0.005)
        (self.work / "open").touch()

    def quiet(self, seconds: float = 0.05) -> bool:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and not self.frames:
            self.poll(0.01)
        return not self.frames

    def result(self) -> dict[str, Any]:
        frame = self.next(Kind.RESULT)
        assert frame.first == self.requests
        return json.loads(frame.body)  # type: ignore[no-any-return]

    def load(self, slot: int, code: str, **more: Any) -> dict[str, Any]:
        self.requests += 1
        module = more.pop("module", f"m{slot}")
        load = {
            "flow": "f", "module": module, "name": f"{module}.py", "code": code, "files": {}, "config": None, "ports": None,  # noqa: E501
            "concurrency": 1, "retry": False, "version": 1, "max_turn_bytes": 16 << 20, "context": {}, **more,
        }  # fmt: skip
        self.send(Kind.LOAD, slot, load, first=self.requests)
        return self.result()

    def wire(self, slot: int, out: dict[str, Any] | None = None, channel: int | None = None) -> None:
        """in: channel = slot, wire `wSLOT`; out: port -> channel, or [channel, ids, fused slots]."""
        wires: dict[str, Any] = {"in": {str(slot if channel is None else channel): ["in", f"w{slot}"]}, "out": {}}
        for port, target in ({"out": slot} if out is None else out).items():
            number, ids, fused = target if isinstance(target, list) else [target, False, []]
            wires["out"][port] = {"channel": number, "ids": ids, "fused": [[t, "in", f"f{slot}-{t}"] for t in fused]}
        self.send(Kind.WIRES, slot, wires)

    def start(self, slot: int, code: str, out: dict[str, Any] | None = None, **more: Any) -> None:
        assert self.load(slot, code, **more)["ok"]
        self.wire(slot, out)

    def data(self, channel: int, *messages: Any, flags: int = 0, first: int = 0) -> None:
        parts = [m if isinstance(m, bytes) else json.dumps(m, separators=(",", ":")).encode() for m in messages]
        self.send(Kind.DATA, channel, join(parts), flags=flags, count=len(parts), first=first)

    def call(self, slot: int, hook: str, **more: Any) -> int:
        self.requests += 1
        self.send(Kind.CALL, slot, {"hook": hook, **more}, first=self.requests)
        return self.requests

    def transaction(self) -> Transaction:
        return Transaction(self)

    def until(self, handled: int) -> Transaction:
        """Transactions until so many handler calls have ended, as one."""
        whole = self.transaction()
        while sum(row[2] for row in whole.rows) < handled:
            whole.add(self.transaction())
        return whole

    def run(self, channel: int, *messages: Any, **more: Any) -> list[Any]:
        """Outputs on the channel of the same number for these messages."""
        self.data(channel, *messages, **more)
        return self.until(len(messages)).outputs.get(channel, [])

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT_S)
        assert self.process.stderr
        self.process.stderr.close()
        os.close(self.input)
        os.close(self.output)


class Transaction:
    """The frames up to a COMMIT."""

    def __init__(self, host: Host) -> None:
        self.outputs: dict[int, list[Any]] = {}
        self.raw: dict[int, list[bytes]] = {}
        self.headers: dict[int, list[Any]] = {}
        self.context: dict[tuple[int, str], Any] = {}
        self.errors: list[tuple[Frame, dict[str, Any], bytes]] = []
        self.data_frames = 0
        while (frame := host.next()).kind != Kind.COMMIT:
            if frame.kind == Kind.DATA:
                messages, headers = split(frame.body, frame.flags)
                assert len(messages) == frame.count
                self.data_frames += 1
                self.raw.setdefault(frame.slot, []).extend(messages)
                self.outputs.setdefault(frame.slot, []).extend(map(json.loads, messages))
                self.headers.setdefault(frame.slot, []).extend(map(json.loads, headers or [b"null"] * frame.count))
            elif frame.kind == Kind.CONTEXT:
                key = frame.body[: frame.skip].decode()
                deleted = frame.flags & DELETED
                self.context[frame.slot, key] = KeyError if deleted else json.loads(frame.body[frame.skip :])
            else:
                assert frame.kind == Kind.ERROR, frame
                self.errors.append((frame, json.loads(frame.body[: frame.skip]), frame.body[frame.skip :]))
        self.rows: list[list[int]] = json.loads(frame.body)

    def add(self, other: Transaction) -> None:
        for channel, values in other.outputs.items():
            self.outputs.setdefault(channel, []).extend(values)
            self.raw.setdefault(channel, []).extend(other.raw[channel])
            self.headers.setdefault(channel, []).extend(other.headers[channel])
        self.context.update(other.context)
        self.errors += other.errors
        self.data_frames += other.data_frames
        self.rows += other.rows

    def types(self) -> list[str]:
        return [info["error"]["type"] for _, info, _ in self.errors]

    def row(self, slot: int) -> list[int]:
        """[consumed, handled, failed, pulled, sent, unwired] of a slot, summed."""
        return [sum(column) for column in zip(*(row[1:7] for row in self.rows if row[0] == slot), strict=True)]


ECHO = "def run(m, c):\n    return m"
