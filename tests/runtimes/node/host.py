"""The node host, driven over its two pipes as a runner does (runtimes/PROTOCOL.md): for the tests of it."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runtimes import frames
from runtimes.frames import Frame, Kind

HOST = Path(__file__).parents[3] / "runtimes" / "node" / "host.js"
TIMEOUT_S = 60.0
GATED = """const fs = require('fs')
module.exports = async (m, context) => {
  context.log('info', `begun ${m}`)
  while (!fs.existsSync('open')) await new Promise((done) => setTimeout(done, 1))
  return m
}
"""
SLEEP = "const sleep = (ms) => new Promise((done) => setTimeout(done, ms))\n"

NEEDS_NODE = pytest.mark.skipif(shutil.which("node") is None, reason="apt-get install nodejs")


class Host:
    """A started host and the runner's ends of its pipes."""

    def __init__(self, folder: Path, command: Sequence[str] = ("node", str(HOST))) -> None:
        self.work = work = folder / "work"
        work.mkdir()
        paths = [str(folder / name) for name in ("input", "output")]
        for path in paths:
            os.mkfifo(path)
        self.input = os.open(paths[0], os.O_RDWR | os.O_NONBLOCK)
        self.output = os.open(paths[1], os.O_RDONLY | os.O_NONBLOCK)
        environment = {"PATH": os.environ["PATH"], "TMPDIR": str(work), "HOME": str(work)}
        self.stderr = (folder / "stderr").open("wb")
        self.process = subprocess.Popen(
            [*command, *paths], cwd=work, env=environment, stdin=subprocess.DEVNULL, stderr=self.stderr
        )
        self.decoder = frames.Decoder()
        self.frames: list[Frame] = []
        self.requests = 0
        self.hello = json.loads(self.next(Kind.HELLO).body)
        for path in paths:
            Path(path).unlink()

    def send(self, kind: int, slot: int = 0, body: bytes = b"", **fields: int) -> None:
        data = memoryview(frames.encode(Frame(kind, slot, body, **fields)))
        while data:
            self._pump()
            _, writable, _ = select.select([], [self.input], [], 0.05)
            if writable:
                data = data[os.write(self.input, data) :]

    def _pump(self, timeout_s: float = 0) -> None:
        if select.select([self.output], [], [], timeout_s)[0]:
            data = os.read(self.output, 1 << 20)
            assert data or self.process.wait(TIMEOUT_S) is not None
            self.frames += self.decoder.feed(data)

    def read(self, timeout_s: float = TIMEOUT_S) -> Frame:
        """The next frame, whatever it is."""
        end = time.monotonic() + timeout_s
        while not self.frames:
            left = end - time.monotonic()
            assert left > 0, "the host does not answer"
            self._pump(left)
        return self.frames.pop(0)

    def next(self, kind: Kind) -> Frame:
        """The next frame, which is of this kind; logs fail with their text."""
        frame = self.read()
        assert frame.kind == kind, frame
        return frame

    def until(self, *kinds: Kind) -> list[Frame]:
        """All frames up to the first of one of these kinds."""
        seen = [self.read()]
        while seen[-1].kind not in kinds:
            seen.append(self.read())
        return seen

    def silent(self, seconds: float = 0.1) -> None:
        self._pump(seconds)
        assert not self.frames

    def load(self, code: str, slot: int = 0, **fields: Any) -> Any:
        spec = {
            "flow": "f",
            "module": f"m{slot}",
            "name": "m",
            "code": code,
            "files": {},
            "config": None,
            "ports": None,
        }
        spec |= {"concurrency": 1, "retry": False, "version": 1, "max_turn_bytes": 16 << 20, "context": {}} | fields
        self.requests += 1
        self.send(Kind.LOAD, slot, json.dumps(spec).encode(), first=self.requests)
        result = self.until(Kind.RESULT)[-1]
        assert (result.slot, result.first) == (slot, self.requests)
        return json.loads(result.body)

    def wires(self, slot: int = 0, out: dict[str, Any] | None = None, channel: int | None = None) -> None:
        """The in-port `in` on channel = slot; `out` maps ports to a channel or to (channel, fused slots[, ids])."""
        ports = {}
        for name, end in (out or {}).items():
            number, fused, *ids = end if isinstance(end, tuple) else (end, [])
            ports[name] = {
                "channel": number,
                "ids": bool(ids),
                "fused": [[target, "in", f"m{slot}.{name}->m{target}.in"] for target in fused],
            }
        body = {"in": {str(slot if channel is None else channel): ["in", f"w{slot}"]}, "out": ports}
        self.send(Kind.WIRES, slot, json.dumps(body).encode())

    def module(self, code: str, slot: int = 0, out: dict[str, Any] | None = None, **fields: Any) -> None:
        result = self.load(code, slot, **fields)
        assert result["ok"], result
        self.wires(slot, {"out": 100 + slot} if out is None else out)

    def data(self, *messages: Any, slot: int = 0, first: int = 1, **fields: int) -> None:
        body = frames.join([json.dumps(m, separators=(",", ":"), ensure_ascii=False).encode() for m in messages])
        self.send(Kind.DATA, slot, body, first=first, count=len(messages), **fields)

    def raw(self, body: bytes, count: int = 1, slot: int = 0, **fields: int) -> None:
        self.send(Kind.DATA, slot, body, first=1, count=count, **fields)

    def begun(self, *messages: Any) -> None:
        """Until a GATED module has begun the turns of these messages."""
        for message in messages:
            assert json.loads(self.next(Kind.LOG).body)["text"] == f"begun {message}"

    def open(self) -> None:
        """Let the turns of GATED modules end, when the host has read all that was sent."""
        while int.from_bytes(fcntl.ioctl(self.input, termios.FIONREAD, bytes(4)), sys.byteorder):
            select.select([], [], [], 0.005)
        (self.work / "open").touch()

    def pause(self, slot: int = 0, *, opens: bool = False) -> list[Frame]:
        """Frames up to PAUSED. `opens`: what is GATED ends when the PAUSE waits for it."""
        self.requests += 1
        self.send(Kind.PAUSE, slot, first=self.requests)
        if opens:
            self.send(Kind.PING, first=1)
            self.next(Kind.PONG)
            self.open()
        seen = self.until(Kind.PAUSED)
        assert (seen[-1].slot, seen[-1].first) == (slot, self.requests)
        return seen

    def call(self, hook: str, slot: int = 0, **fields: Any) -> tuple[Any, list[Frame]]:
        self.requests += 1
        self.send(Kind.CALL, slot, json.dumps({"hook": hook, "turns": 0} | fields).encode(), first=self.requests)
        seen = self.until(Kind.RESULT)
        return json.loads(seen[-1].body), seen[:-1]

    def collect(self, done: int, slot: int = 0) -> Account:
        """Transactions until a slot has consumed this many messages."""
        account = Account()
        while account.count(slot, "consumed") < done:
            account.add(self.until(Kind.COMMIT))
        return account

    def ask(self, *messages: Any, slot: int = 0) -> Account:
        self.data(*messages, slot=slot)
        return self.collect(len(messages), slot)

    def stop(self) -> int:
        self.send(Kind.STOP)
        return self.process.wait(TIMEOUT_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT_S)
        for fd in (self.input, self.output):
            os.close(fd)
        self.stderr.close()


COUNTS = ("consumed", "handled", "failed", "pulled", "sent", "unwired", "busy_us", "fused")


class Account:
    """What some transactions said."""

    def __init__(self) -> None:
        self.outputs: dict[int, list[Any]] = {}
        self.headers: dict[int, list[Any]] = {}
        self.context: dict[tuple[int, str], Any] = {}
        self.errors: list[tuple[Frame, Any, bytes]] = []
        self.indexes: list[int] = []  # of the errors' messages, over all commits
        self.logs: list[tuple[int, str, str]] = []
        self.counts: dict[int, list[int]] = {}
        self.commits = 0

    def count(self, slot: int, name: str) -> int:
        return self.counts.get(slot, [0] * 8)[COUNTS.index(name)]

    def add(self, seen: list[Frame]) -> Account:
        for frame in seen:
            if frame.kind == Kind.DATA:
                messages, headers = frames.split(frame.body, frame.flags)
                assert len(messages) == frame.count
                self.outputs.setdefault(frame.slot, []).extend(json.loads(m) for m in messages)
                headers = headers or [b"null"] * len(messages)
                self.headers.setdefault(frame.slot, []).extend(json.loads(h) for h in headers)
            elif frame.kind == Kind.CONTEXT:
                key, value = frame.body[: frame.skip].decode(), frame.body[frame.skip :]
                self.context[frame.slot, key] = json.loads(value) if value else "DELETED"
            elif frame.kind == Kind.ERROR:
                self.indexes.append(self.count(frame.slot, "consumed") + frame.count)
                self.errors.append((frame, json.loads(frame.body[: frame.skip]), frame.body[frame.skip :]))
            elif frame.kind == Kind.LOG:
                log = json.loads(frame.body)
                self.logs.append((frame.slot, log["level"], log["text"]))
            elif frame.kind == Kind.COMMIT:
                self.commits += 1
                for slot, *counts in json.loads(frame.body):
                    before = self.counts.get(slot, [0] * 8)
                    self.counts[slot] = [a + b for a, b in zip(before, counts, strict=True)]
        return self

    def error(self, index: int = 0) -> Any:
        return self.errors[index][1]["error"]
