"""The API socket: JSON-RPC lines, good and bad ones, many at once, and clients that do not read."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from actors.doors import caller, door
from actors.doors.door import open_door
from actors.doors.unix_socket import connect, listen
from tests.deployments import flow
from tests.harness import Harness


class Client:
    """A connection whose answers are waited for by turning the runner's system."""

    def __init__(self, runner: Harness) -> None:
        self.runner = runner
        self.socket = connect(runner.folder.path / "api.sock")
        self.socket.setblocking(False)
        self.got = bytearray()
        self.closed = False

    def send(self, data: bytes) -> None:
        while data:
            try:
                data = data[self.socket.send(data) :]
            except BlockingIOError:
                self.runner.base.turn()

    def _receive(self) -> None:
        try:
            data = self.socket.recv(1 << 20)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        self.closed = self.closed or not data
        self.got += data

    def _has_line(self) -> bool:
        self.runner.base.turn()
        self._receive()
        return b"\n" in self.got or self.closed

    def line(self) -> Any:
        self.runner.wait(self._has_line, "an answer")
        line, _, self.got = self.got.partition(b"\n")
        return json.loads(line) if line else None

    def ask(self, line: bytes) -> Any:
        self.send(line + b"\n")
        return self.line()

    def call(self, method: str, *params: Any) -> Any:
        return self.ask(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode())


@contextmanager
def client(runner: Harness) -> Iterator[Client]:
    opened = Client(runner)
    try:
        yield opened
    finally:
        opened.socket.close()


@pytest.fixture
def opened(runner: Harness) -> Iterator[Harness]:
    assert open_door(runner.system, runner.runner, runner.folder.path, "name") is None
    yield runner
    actor = next(r._inst for r in runner.base.actorRegistry.values() if isinstance(r._inst, door.DoorActor))
    for connection, of in list(actor.connections.values()):
        actor._drop(connection, of)
    runner.base.unwatch(actor.listener.fileno())
    actor.listener.close()


@pytest.mark.parametrize(
    ("line", "code", "id"),
    [
        (b"nonsense", -32700, None),
        (b'{"jsonrpc": "2.0", "id": 1', -32700, None),
        (b"\xff\xfe", -32700, None),
        (b"[" * 100_000, -32700, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"audit","params":[NaN]}', -32700, None),
        (b"[]", -32600, None),
        (b"5", -32600, None),
        (b'{"id": 1, "method": "audit"}', -32600, 1),
        (b'{"jsonrpc": "1.0", "id": "x", "method": "audit"}', -32600, "x"),
        (b'{"jsonrpc": "2.0", "id": 1}', -32600, 1),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 5}', -32600, 1),
        (b'{"jsonrpc": "2.0", "id": [], "method": "audit"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": true, "method": "audit"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "audit", "params": 5}', -32600, 1),
        (b'{"jsonrpc": "2.0", "id": 2, "method": "nope"}', -32601, 2),
        (b'{"jsonrpc": "2.0", "id": 2, "method": "command"}', -32601, 2),
        (b'{"jsonrpc": "2.0", "id": 3, "method": "startFlow"}', -32602, 3),
        (b'{"jsonrpc": "2.0", "id": 3, "method": "startFlow", "params": {"flow": "x"}}', -32602, 3),
        (b'{"jsonrpc": "2.0", "id": 3, "method": "startFlow", "params": ["x", "y"]}', -32602, 3),
        (b'{"jsonrpc": "2.0", "id": 3, "method": "startFlow", "params": [{}]}', -32602, 3),
        (b'{"jsonrpc": "2.0", "id": 3, "method": "addOrUpdateFlow", "params": ["x"]}', -32602, 3),
        (b'{"jsonrpc": "2.0", "id": null, "method": "startFlow", "params": ["x"]}', -32000, None),
        (b'{"jsonrpc": "2.0", "id": 4.5, "method": "startFlow", "params": ["x"]}', -32000, 4.5),
    ],
)
def test_bad_lines(opened: Harness, line: bytes, code: int, id: Any) -> None:
    with client(opened) as c:
        answer = c.ask(line)
        assert answer["error"]["code"] == code, answer
        assert answer["id"] == id and answer["jsonrpc"] == "2.0" and answer["error"]["message"]
        assert c.call("listFlows")["result"] == []  # the connection goes on


def test_calls(opened: Harness) -> None:
    with client(opened) as c:
        assert c.call("addOrUpdateFlow", flow())["result"] is True
        assert c.call("lastReceipt", "echo")["result"] == {"version": 1, "modules": {"a": {"did": "added"}}}
        assert c.call("startFlow", "echo")["result"] is True
        assert c.call("sendMessage", "echo/a", "in", "bad")["result"] is True
        opened.wait(lambda: opened.state("echo")["deadLetters"], "the dead letter")
        (letter,) = c.call("deadLetters", "echo")["result"]
        assert letter["message"] == "bad"
        refused = c.call("addOrUpdateFlow", flow() | {"wires": ["x -> y"], "nope": 1})["error"]
        assert refused["code"] == -32000 and len(refused["data"]) > 1  # every problem
        assert c.call("flowState", "echo")["result"]["state"] == "running"


def test_a_line_in_pieces_and_many_lines_at_once(opened: Harness) -> None:
    with client(opened) as c:
        for byte in b'{"jsonrpc":"2.0","id":7,"method":"listFlows"}\n':
            c.send(bytes([byte]))
            opened.base.turn()
        assert c.line() == {"jsonrpc": "2.0", "id": 7, "result": []}
        count = 3 * caller.MAX_CALLS_IN_FLIGHT
        c.send(b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"audit"}\n\n' % i for i in range(count)))
        assert [c.line()["id"] for _ in range(count)] == list(range(count))


def test_a_notification_is_done_and_not_answered(opened: Harness) -> None:
    with client(opened) as c:
        c.send(json.dumps({"jsonrpc": "2.0", "method": "addOrUpdateFlow", "params": [flow()]}).encode() + b"\n")
        c.send(b'{"jsonrpc":"2.0","method":"nope"}\n')
        assert [f["id"] for f in c.call("listFlows")["result"]] == ["echo"]


def test_a_half_closed_client_gets_its_answers(opened: Harness) -> None:
    with client(opened) as c:
        c.send(b'{"jsonrpc":"2.0","id":1,"method":"audit"}\n' * 1000 + b"half a line")
        c.socket.shutdown(socket.SHUT_WR)
        assert all(c.line()["id"] == 1 for _ in range(1000))
        assert c.line() is None and c.closed


def test_too_long_a_line_ends_the_connection(opened: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAX_LINE_BYTES", 100_000)
    with client(opened) as c, client(opened) as other:
        c.send(b"x" * 100_001)
        assert c.line()["error"]["code"] == -32600
        assert c.line() is None and c.closed
        assert other.call("listFlows")["result"] == []


def test_a_client_that_does_not_read_blocks_nobody(opened: Harness) -> None:
    big = {"id": "big", "modules": {"a": {"runtime": "python3", "code": "x" * 200_000 + " = 1\ndef run(m, c): pass"}}}
    with client(opened) as slow, client(opened) as other:
        assert other.call("addOrUpdateFlow", big)["result"] is True
        asked = 0
        line = b'{"jsonrpc":"2.0","id":1,"method":"listFlows"}\n' * 10
        for _ in range(400):  # 800 MB of answers, if they were made
            try:
                asked += slow.socket.send(line) // 46
            except BlockingIOError:
                break
            opened.base.turn()
        (actor,) = [r._inst for r in opened.base.actorRegistry.values() if isinstance(r._inst, door.DoorActor)]
        waiting = max(len(connection.output) for connection, _ in actor.connections.values())
        assert door.OUTPUT_HIGH_BYTES < waiting < door.MAX_OUTPUT_BYTES  # it did fall behind, and no further
        assert other.call("listRuntimes")["result"]
        assert all(len(slow.line()["result"]) == 1 for _ in range(50))  # and it can go on


def test_too_many_connections(opened: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAX_CONNECTIONS", 3)
    clients = [Client(opened) for _ in range(3)]
    assert all(c.call("listFlows")["result"] == [] for c in clients)
    with client(opened) as fourth:
        assert fourth.line()["error"]["code"] == -32000
        assert fourth.line() is None and fourth.closed
    clients.pop().socket.close()
    opened.wait(lambda: opened.base.turn() or len(door_of(opened).connections) == 2, "room")
    with client(opened) as another:
        assert another.call("listFlows")["result"] == []
    for c in clients:
        c.socket.close()


def door_of(runner: Harness) -> Any:
    return next(r._inst for r in runner.base.actorRegistry.values() if isinstance(r._inst, door.DoorActor))


def test_a_client_that_leaves_before_its_answer(opened: Harness) -> None:
    with client(opened) as c:
        c.send(b'{"jsonrpc":"2.0","id":1,"method":"audit"}\n' * 10)
    with client(opened) as other:
        assert other.call("listFlows")["result"] == []
    callers = door_of(opened).callers
    opened.wait(lambda: opened.base.turn() or len(callers) <= 1, "the calls of the one that left")


def test_long_paths_and_modes(tmp_path: Any) -> None:
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    with listen(folder / "s") as listener, connect(folder / "s"):
        assert (folder / "s").stat().st_mode & 0o777 == 0o600
        listener.accept()[0].close()
    with pytest.raises(ConnectionRefusedError):
        connect(folder / "s")
    with pytest.raises(FileNotFoundError):
        connect(folder / "nothing")


def test_a_client_that_has_ended_before_it_is_let_in(opened: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """It gave up a runner that was stopped, say: no reason to suspect a module."""
    code = (
        "import sys; from pathlib import Path; from actors.doors.unix_socket import connect; connect(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, opened.folder.path / "api.sock"], check=True)
    with client(opened) as other:
        assert "result" in other.ask(b'{"jsonrpc":"2.0","id":1,"method":"listFlows"}')
    assert "tried to use the API" not in caplog.text
