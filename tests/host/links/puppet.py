"""A host without a process, on real pipes: it does what PROTOCOL.md says, until a test makes it write something else.

Its modules hand on what they get. It is moved by `Stage`, in the test's own thread: nothing waits, nothing races.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from actors.host import host
from actors.host.restarts import Restarts
from actors.messages import client_to_runner as api
from runtimes.frames import ALL_SLOTS, HEADERS, TURN_FLAG, Decoder, Frame, Kind, encode, join, split
from tests.harness import TIMEOUT_S, Harness

Change = Callable[["Puppet", Frame], list[Frame | bytes]]


def as_it_is(_puppet: Puppet, frame: Frame) -> list[Frame | bytes]:
    """What a host of honest modules writes."""
    return [frame]


class Puppet:
    """In place of a HostProcess. `change` decides what is written for each frame of an honest host."""

    started: list[Puppet]  # set by `on_stage`, all that were started
    change: Change

    def __init__(self, _command: Any, folder: Path, *_: Any) -> None:
        self.pid, self.folder, self.temp, self.cpu_s = os.getpid(), folder, folder / "tmp", 0.0
        self.temp.mkdir(parents=True)
        self._read_fd, self.input_fd = os.pipe()
        self.output_fd, self.output_end = os.pipe()
        self.log_fd, self.log_end = os.pipe()
        self.pid_fd, self._end_fd = os.pipe()
        self._fds = [self._read_fd, self.input_fd, self.output_fd, self.output_end, self.log_fd, self.log_end]
        self._fds += [self.pid_fd, self._end_fd]
        for fd in self._fds:
            os.set_blocking(fd, False)
        self._decoder = Decoder()
        self.unwritten = bytearray()
        self.is_dead = self.is_mute = False
        self.number = len(self.started)
        self.said: dict[int, int] = {}  # kind -> frames
        self.modules: dict[int, dict[str, Any]] = {}
        self.inputs: dict[int, int] = {}  # channel -> slot
        self.outputs: dict[int, dict[str, int]] = {}
        self.credit: dict[int, int] = {}
        self.sources: dict[int, deque[Any]] = {}
        self.heard: list[Frame] = []
        self.believed = 0  # commits; for whoever counts them
        self.started.append(self)
        self.say(Kind.HELLO, body=json.dumps({"protocol": 1, "runtime": "puppet", "version": "1", "pid": 1}).encode())

    # as a process --------------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """It ends at once; what it has written stays in the pipe."""
        self.exit()

    def exit(self) -> None:
        """End by itself."""
        if not self.is_dead:
            self.is_dead = True
            os.write(self._end_fd, b"x")

    def reap(self) -> str:
        """Close everything."""
        self.close()
        return "SIGKILL"

    def close(self) -> None:
        """Close everything."""
        self.is_dead = True
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()

    # as a host -----------------------------------------------------------------------------------------------------

    def say(self, kind: Kind, slot: int = 0, **fields: Any) -> None:
        """Write a frame, or what `change` makes of it."""
        if self.is_dead:
            return
        self.said[kind] = self.said.get(kind, 0) + 1
        for part in type(self).change(self, Frame(kind, slot, **fields)):
            self.write(encode(part) if isinstance(part, Frame) else part)

    def write(self, data: bytes) -> None:
        """Bytes, frames or not."""
        self.unwritten += data

    def commit(self, *rows: list[int]) -> None:
        """COMMIT."""
        self.say(Kind.COMMIT, body=json.dumps(rows, separators=(",", ":")).encode())

    def result(self, frame: Frame, **body: Any) -> None:
        """RESULT of a request."""
        self.say(Kind.RESULT, frame.slot, first=frame.first, body=json.dumps({"ok": True, **body}).encode())

    def pump(self) -> bool:
        """Read, do and write what can be; False if there was nothing."""
        if self.is_dead:
            return False
        worked = False
        while not self.is_mute:
            try:
                data = os.read(self._read_fd, 1 << 16)
            except BlockingIOError:
                break
            for frame in self._decoder.feed(data):
                worked = True
                self.heard.append(frame)
                if not self.is_dead:
                    self._do(frame)
        try:
            while self.unwritten and not self.is_dead:
                del self.unwritten[: os.write(self.output_end, self.unwritten[: 1 << 16])]
                worked = True
        except BlockingIOError:
            pass
        return worked

    def _do(self, frame: Frame) -> None:
        kind, slot = Kind(frame.kind), frame.slot
        body = json.loads(frame.body) if kind in (Kind.LOAD, Kind.WIRES, Kind.CALL) else None
        if kind == Kind.LOAD:
            self.modules[slot] = body
            hooks = [hook for hook in ("start", "stop", "migrate") if hook in body["code"]]
            self.result(frame, hooks=hooks)
        elif kind == Kind.UNLOAD:
            self.modules.pop(slot, None)
            self.result(frame)
        elif kind == Kind.WIRES:
            self.inputs.update(dict.fromkeys(map(int, body["in"]), slot))
            self.outputs[slot] = {
                port: out["channel"] for port, out in body["out"].items() if out["channel"] is not None
            }
        elif kind == Kind.CALL:
            self._call(frame, body)
        elif kind == Kind.PULL:
            self.credit[slot] = self.credit.get(slot, 0) + frame.count
            self.work(slot)
        elif kind == Kind.DATA:
            self._turns(frame)
        elif kind == Kind.PAUSE:
            for paused in self.modules if slot == ALL_SLOTS else [slot]:
                self.credit[paused] = 0
            self.say(Kind.PAUSED, slot, first=frame.first)
        elif kind == Kind.PING:
            self.say(Kind.PONG, first=frame.first)
        elif kind == Kind.STOP:
            self.exit()

    def _call(self, frame: Frame, body: dict[str, Any]) -> None:
        code, slot = self.modules[frame.slot]["code"], frame.slot
        if body["hook"] == "start" and "source" in code:
            self.sources[slot] = deque(range(20))
        if body["hook"] == "start" and "context" in code:
            self.say(Kind.CONTEXT, slot, body=b"started" + b"true", skip=7)
            self.commit([slot, 0, 0, 0, 0, 0, 0, 0, 0])
        self.result(frame, source=slot in self.sources)

    def work(self, slot: int) -> None:
        """A source's turns."""
        left = self.sources.get(slot)
        while left and self.credit[slot]:
            self.credit[slot] -= 1
            sent = self._output(slot, [json.dumps(left.popleft()).encode()], None)
            self.commit([slot, 0, 1, 0, 1, sent, 1 - sent, 3, 0])
        if left is not None and not left:
            del self.sources[slot]
            self.say(Kind.FINISHED, slot, body=b'{"ok":true}')

    def _turns(self, frame: Frame) -> None:
        slot = self.inputs[frame.slot]
        messages, headers = split(frame.body, frame.flags)
        end = frame.skip + frame.count
        messages, headers = messages[frame.skip : end], headers and headers[frame.skip : end]
        if frame.flags & TURN_FLAG:
            self.say(Kind.TURN, slot, first=frame.first)
        sent = self._output(slot, messages, headers)
        failed = sum(message == b'"bad"' for message in messages)
        for index, message in enumerate(messages):
            if message == b'"bad"':
                info = json.dumps({"error": {"type": "E", "message": "no"}, "port": "in", "id": "x", "headers": None})
                self.say(Kind.ERROR, slot, body=info.encode(), skip=len(info), count=index, first=frame.first + index)
        unwired = 0 if sent else len(messages) - failed
        self.commit([slot, len(messages), len(messages), failed, 0, sent, unwired, 5, 0])

    def _output(self, slot: int, messages: list[bytes], headers: list[bytes] | None) -> int:
        good = [index for index, message in enumerate(messages) if message != b'"bad"']
        channel = self.outputs.get(slot, {}).get("out")
        if channel is None or not good:
            return 0
        heads = [headers[index] for index in good] if headers else None
        body = join([messages[index] for index in good], heads)
        self.say(Kind.DATA, channel, body=body, count=len(good), flags=HEADERS if heads else 0)
        return len(good)


class Stage(Harness):
    """A runner whose hosts are puppets."""

    def wait(self, condition: Callable[[], Any], what: str = "the condition", timeout_s: float = TIMEOUT_S) -> Any:
        """Turn the system and move the puppets until `condition()` is true."""
        deadline = time.monotonic() + timeout_s
        while not (value := condition()):
            assert time.monotonic() < deadline, f"{what} did not come true within {timeout_s} s"
            self.move()
        return value

    def move(self) -> None:
        """A turn of everything."""
        for puppet in Puppet.started:
            puppet.pump()
        self.base.turn()

    def chain(self, flow_id: str, *modules: str, **fields: Any) -> None:
        """A flow of isolated modules, one behind the other; what stands for their code says which hooks they have."""
        names = "abcdefgh"[: len(modules)]
        document = {
            name: {"runtime": "python3", "code": code, "isolated": True, **fields}
            for name, code in zip(names, modules, strict=True)
        }
        self.add(flow_id, document, [f"{one} -> {other}" for one, other in pairwise(names)])

    def puppet(self, module: str) -> Puppet:
        """The living host of a module."""
        return next(
            puppet for puppet in reversed(Puppet.started)
            if not puppet.is_dead and any(load["module"] == module for load in puppet.modules.values())
        )  # fmt: skip

    def at_rest(self, flow_id: str) -> bool:
        """Whether nothing is queued, or the flow has stopped for good."""
        record = self.record(flow_id)
        if record.state == "failed":
            return True
        return all(self.actor(module).record.state.mailbox.queued == 0 for module in record.modules.values())


@contextmanager
def on_stage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A runner with puppets for hosts, which starts them again without a pause."""
    monkeypatch.setattr(host, "HostProcess", Puppet)
    died = Restarts.died

    def soon(self: Restarts, now: float, **how: bool) -> float | None:
        return None if died(self, now, **how) is None else 0.0

    monkeypatch.setattr(Restarts, "died", soon)
    Puppet.started, Puppet.change = [], as_it_is
    stage = Stage(folder)
    try:
        yield stage
        stage.audit()
        stage.close()
    except BaseException:
        Puppet.change = as_it_is
        stage.call(api.StopFlow, flow_id="f")
        stage.system.shutdown()
        stage.folder.close()
        raise
    finally:
        for puppet in Puppet.started:
            puppet.close()
