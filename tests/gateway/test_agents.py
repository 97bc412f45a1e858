"""What agents open over HTTP does not stay for ever. No sockets, no runner."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from actors.gateway.agents import FORGOTTEN_S, Agents
from actors.gateway.asking import Asking
from actors.gateway.client import Client
from actors.gateway.http import Head, HttpRequest
from actors.messages import client_to_runner as api
from actors.messages.runner_to_client import Reply


class Seat:
    """In the place of a client."""

    is_over = False

    def __init__(self) -> None:
        self.said: list[tuple[int, bytes]] = []

    def answer(self, status: int, _kind: str, body: bytes) -> None:
        self.said.append((status, body))


class Desk:
    """In the place of the gateway: what was asked is written down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr("actors.gateway.agents.time.monotonic", lambda: self.now)
        self.asked: list[Any] = []
        self.asking = Asking("gateway", self.asked.append)
        self.agents = Agents(self.asking)

    def call(self, tool: str, **arguments: Any) -> Seat:
        seat = Seat()
        params = {"name": tool, "arguments": arguments}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
        self.agents.post(cast(Client, seat), HttpRequest(Head("POST", "/mcp", {}, True), body))
        return seat

    def answer(self, value: Any) -> None:
        self.asking.answered(Reply(request_id=self.asked[-1].request_id, ok=True, value=value))


def test_a_tap_that_nobody_reads_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.call("tapPort", flowModuleId="f/m")
    desk.answer("f/tap1")
    desk.now = FORGOTTEN_S - 1
    seat = desk.call("readTap", tapId="f/tap1", waitS=1000)
    desk.now *= 5  # it waits: it is not forgotten
    desk.agents.look(desk.now)
    assert isinstance(desk.asked[-1], api.ReadTap)
    desk.answer({"messages": [], "dropped": 0})
    assert seat.said[0][0] == 200
    desk.agents.look(desk.now + FORGOTTEN_S - 1)
    assert isinstance(desk.asked[-1], api.ReadTap)
    for _ in range(2):
        desk.agents.look(desk.now + FORGOTTEN_S + 1)
    assert [type(one) for one in desk.asked] == [api.TapPort, api.ReadTap, api.EndTap]
    desk.answer(True)


def test_who_has_gone_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    seat = desk.call("listFlows")
    seat.is_over = True
    desk.answer([])
    assert seat.said == []
