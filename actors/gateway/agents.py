"""`/mcp`: the Model Context Protocol over HTTP. Each POST stands alone, nothing is told in between."""

from __future__ import annotations

import math
import time
from functools import partial
from http import HTTPStatus

from actors.gateway.asking import Asking
from actors.gateway.client import Client
from actors.gateway.http import HttpRequest
from actors.mcp.server import Done, McpServer
from actors.messages.client_to_runner import EndTap, ReadTap, Request, Subscribe, TapPort
from actors.messages.runner_to_client import Reply

FORGOTTEN_S = 120.0  # a tap that nobody has read for so long ends: no connection does that for it


class Agents:
    """Those that call this gateway; they are told apart by nothing."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._taps: dict[str, float] = {}  # by id, when it was read last

    def post(self, client: Client, request: HttpRequest) -> None:
        """A message, or several."""

        def say(line: bytes) -> None:
            if not client.is_over:
                client.answer(HTTPStatus.OK, "application/json", line)

        if not McpServer(self._ask, {}).take(request.body, say):
            client.answer(HTTPStatus.ACCEPTED, "", b"")

    def look(self, now: float) -> None:
        """Once a second: which taps are forgotten?"""
        for tap_id in [id for id, read in self._taps.items() if now - read > FORGOTTEN_S]:
            self._ask(EndTap(tap_id=tap_id), lambda _: None)

    def _ask(self, request: Request, done: Done) -> None:
        match request:
            case Subscribe():
                said = "over HTTP nobody can be told anything later: ask flowState again, or use `runner mcp`"
                done(Reply(request_id="", ok=False, error=said))
                return
            case TapPort():
                done = partial(self._opened, done)
            case ReadTap() if request.tap_id in self._taps:
                self._taps[request.tap_id] = math.inf  # while it waits
                done = partial(self._read, request.tap_id, done)
            case EndTap():
                self._taps.pop(request.tap_id, None)
        self._asking.ask(request, done)

    def _opened(self, done: Done, reply: Reply) -> None:
        if reply.ok:
            self._taps[reply.value] = time.monotonic()
        done(reply)

    def _read(self, tap_id: str, done: Done, reply: Reply) -> None:
        if tap_id in self._taps:
            self._taps[tap_id] = time.monotonic()
        done(reply)
