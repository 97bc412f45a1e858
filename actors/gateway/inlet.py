"""POST /in/FLOW/MODULE.PORT: messages into a flow, each once for an idempotency key."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from http import HTTPStatus

from actors.gateway.asking import Asking, Done, refused
from actors.gateway.bodies import Posted, posted
from actors.gateway.client import Client
from actors.gateway.http import HttpError, HttpRequest
from actors.gateway.place import Place, place_of
from actors.messages.gateway_to_flow import SendBatch
from actors.messages.runner_to_client import Reply
from actors.state.tracing import is_traceparent

PREFIX = "/in/"
KEY_HEADER, REPEATED_HEADER = "idempotency-key", "idempotency-replayed"
MAX_KEYS, MAX_KEY_BYTES, KEY_S = 10_000, 255, 600.0


@dataclass(slots=True)
class _Sent:
    """A request that is known by its key: how many messages it has, and whether they were taken."""

    count: int
    until: float
    is_taken: bool = False
    also: list[Client] = field(default_factory=list)  # who has asked the same meanwhile


class Inlet:
    """Takes what is posted. Keys are remembered for ten minutes, at most 10,000 of them, and not over a restart."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._known: OrderedDict[tuple[Place, str, bool], _Sent] = OrderedDict()

    def post(self, client: Client, request: HttpRequest, for_visitor: bool) -> None:
        """Answered when the module has accepted all: 202, or 429 when its mailbox is full and none was taken."""
        place = place_of(request.head.path, PREFIX, "in")
        found = posted(request.head.headers, request.body)
        if is_traceparent(traceparent := request.head.headers.get("traceparent", "")):
            found = found.under(traceparent)
        key = request.head.headers.get(KEY_HEADER) or found.id
        if key is not None and len(key) > MAX_KEY_BYTES:
            raise HttpError(HTTPStatus.BAD_REQUEST, f"a key has at most {MAX_KEY_BYTES} characters")
        if not found.messages:
            _accepted(client, 0)
        elif key is None:
            self._send(
                place, found, for_visitor, lambda reply: _answer(client, len(found.messages), reply, for_visitor)
            )
        else:
            self._send_once(client, place, key, found, for_visitor)

    def _send_once(self, client: Client, place: Place, key: str, found: Posted, for_visitor: bool) -> None:
        self._forget()
        named = place, key, for_visitor  # no visitor uses up somebody else's key
        known = self._known.get(named)
        if known is not None:
            if known.is_taken:
                _accepted(client, known.count, repeated=True)
            else:
                known.also.append(client)
            return
        sent = self._known[named] = _Sent(len(found.messages), time.monotonic() + KEY_S)

        def done(reply: Reply) -> None:
            sent.is_taken = reply.ok
            if not reply.ok:
                self._known.pop(named, None)
            _answer(client, sent.count, reply, for_visitor)
            for other in sent.also:
                _answer(other, sent.count, reply, for_visitor, repeated=True)
            sent.also.clear()

        self._send(place, found, for_visitor, done)

    def _send(self, place: Place, found: Posted, for_visitor: bool, done: Done) -> None:
        batch = SendBatch(
            flow_module_id=place.flow_module_id, port=place.port, messages=found.messages, headers=found.headers,
            for_visitor=for_visitor,
        )  # fmt: skip
        self._asking.ask(batch, done)

    def _forget(self) -> None:
        now = time.monotonic()
        while self._known:
            first = next(iter(self._known.values()))
            if first.until > now and len(self._known) < MAX_KEYS:
                return
            self._known.popitem(last=False)


def _answer(client: Client, count: int, reply: Reply, for_visitor: bool, repeated: bool = False) -> None:
    if client.is_over:
        return
    if reply.ok:
        _accepted(client, count, repeated)
    else:
        client.refuse(refused(reply, for_visitor))


def _accepted(client: Client, count: int, repeated: bool = False) -> None:
    headers = {REPEATED_HEADER: "true"} if repeated else {}
    client.answer(HTTPStatus.ACCEPTED, "application/json", b'{"accepted":%d}\n' % count, headers)
