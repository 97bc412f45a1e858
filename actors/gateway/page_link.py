"""The link to a page that has joined a flow: its WebSocket on one side, requests to the flow on the other.

It knows nothing of what is said: the first message is the page's HELLO, all others are passed on. One request for what
there is to be told is always under way, as long as the page reads.
"""

from __future__ import annotations

from collections import deque

from actors.gateway.asking import Asking
from actors.gateway.client import Client
from actors.messages.gateway_to_flow import JoinPage, LeavePage, ReadPage, SayPage
from actors.messages.runner_to_client import Reply

PREFIX = "/join/"
MAX_SAYING = 8  # messages of a page that the flow has not answered
REFUSED, FENCED, ENDED, LEFT = 4000, 4001, 4004, 4100  # how a WebSocket ends; LEFT: the page says it, for good


class PageLink:
    """Of one WebSocket. `module`: any browser module of the flow."""

    def __init__(self, client: Client, asking: Asking, module: str) -> None:
        self._client, self._asking, self._module = client, asking, module
        self._session, self._socket = "", 0
        self._early: deque[bytes] = deque()
        self._greeted = self._reading = self._is_over = False
        self._saying = 0

    @property
    def is_full(self) -> bool:
        """Whether the flow has not answered what it has been told."""
        return self._saying >= MAX_SAYING

    def take(self, message: bytes) -> None:
        """The page has said something."""
        if not self._greeted:
            self._greeted = True
            self._saying += 1
            self._asking.ask(JoinPage(flow_module_id=self._module, hello=message), self._joined)
        elif not self._socket:
            self._saying += 1
            self._early.append(message)
        else:
            self._saying += 1
            self._say(message)

    def _say(self, message: bytes) -> None:
        say = SayPage(flow_module_id=self._module, session=self._session, socket=self._socket, data=message)
        self._asking.ask(say, self._said)

    def _said(self, reply: Reply) -> None:
        self._saying -= 1
        if not reply.ok:
            self._refused(reply)
        self._client.go_on_later()

    def _joined(self, reply: Reply) -> None:
        self._saying -= 1
        if not reply.ok:
            is_for_good = isinstance(reply.data, dict) and reply.data.get("never")
            self._client.turn_away(REFUSED if is_for_good else ENDED, reply.error or "refused")
            return
        self._session, self._socket = reply.value["session"], reply.value["socket"]
        if self._is_over:
            self.leave(None)
            return
        early, self._early = self._early, deque()
        for message in early:
            self._say(message)
        self._client.go_on_later()

    def read(self) -> None:
        """There is room for what it is to be told."""
        if self._socket and not self._reading and not self._is_over:
            self._reading = True
            read = ReadPage(flow_module_id=self._module, session=self._session, socket=self._socket)
            self._asking.ask(read, self._came)

    def _came(self, reply: Reply) -> None:
        self._reading = False
        if self._is_over:
            return
        if reply.ok:
            self._client.push(reply.value)
        else:
            self._refused(reply)

    def _refused(self, reply: Reply) -> None:
        ended = isinstance(reply.data, dict) and reply.data.get("ended", True)
        self._client.turn_away(ENDED if ended or reply.data is None else FENCED, reply.error or "refused")

    def leave(self, code: int | None) -> None:
        """Its socket has gone."""
        self._is_over = True
        if self._socket:
            left = LeavePage(
                flow_module_id=self._module, session=self._session, socket=self._socket, for_good=code == LEFT
            )  # fmt: skip
            self._asking.ask(left, lambda _: None)
