"""GET /out/FLOW/MODULE.PORT: what leaves a port, as server-sent events or NDJSON. It never holds the flow: what a
client does not read in time is dropped, and counted.
"""

from __future__ import annotations

from actors.gateway import log
from actors.gateway.asking import Asking, refused
from actors.gateway.client import Client
from actors.gateway.http import HttpRequest
from actors.gateway.place import place_of
from actors.messages.client_to_runner import EndTap
from actors.messages.gateway_to_flow import ReadTapLines, TapLines
from actors.messages.runner_to_client import Reply

PREFIX = "/out/"
EVENTS, LINES = "text/event-stream", "application/x-ndjson"
RETRY_MS = 1000


class Outlet:
    """Lets clients look on."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def open(self, client: Client, request: HttpRequest, for_visitor: bool) -> None:
        """Answered when nothing can get past it any more."""
        place = place_of(request.head.path, PREFIX, "out")
        accepted = request.head.headers.get("accept", "")
        stream = _Stream(self._asking, client, str(place), EVENTS in accepted, for_visitor)
        tap = TapLines(flow_module_id=place.flow_module_id, port=place.port, for_visitor=for_visitor)
        self._asking.ask(tap, stream.opened)


class _Stream:
    """One client, one tap."""

    def __init__(self, asking: Asking, client: Client, name: str, as_events: bool, for_visitor: bool) -> None:
        self._asking, self._client, self._name, self._as_events = asking, client, name, as_events
        self._for_visitor = for_visitor
        self._tap = ""
        self._reading = False
        self._dropped = 0

    def opened(self, reply: Reply) -> None:
        """The tap is there, or cannot be."""
        if self._client.is_over:
            if reply.ok:
                self._end(reply.value)
        elif not reply.ok:
            self._client.refuse(refused(reply, self._for_visitor))
        else:
            self._tap = reply.value
            if self._as_events:
                self._client.begin(EVENTS, self._read, self._gone, beat=b":\n\n")
                self._client.more(b"retry: %d\n\n" % RETRY_MS)
            else:
                self._client.begin(LINES, self._read, self._gone)

    def _read(self) -> None:
        """The next; the client has room for it."""
        if not self._reading:
            self._reading = True
            self._asking.ask(ReadTapLines(tap_id=self._tap), self._came)

    def _came(self, reply: Reply) -> None:
        self._reading = False
        if self._client.is_over:
            return
        if not reply.ok:  # the module or its flow has been removed
            self._client.finish()
            return
        messages, dropped = reply.value
        text = b"".join(map(self._written, messages))
        if dropped:
            if not self._dropped:
                log.warning("a client of %s%s does not read in time; what it misses is counted", PREFIX, self._name)
            self._dropped += dropped
            if self._as_events:
                text += b'event: dropped\ndata: {"dropped":%d}\n\n' % dropped
        self._client.more(text)

    def _written(self, message: bytes) -> bytes:
        if self._as_events:
            return b"data: " + message.replace(b"\r", b" ") + b"\n\n"
        return message + b"\n"

    def _gone(self) -> None:
        self._end(self._tap)

    def _end(self, tap_id: str) -> None:
        self._asking.ask(EndTap(tap_id=tap_id), lambda _: None)
