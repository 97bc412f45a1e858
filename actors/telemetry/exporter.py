"""The Exporter actor: sends spans to a collector, in the runner's own loop. One per runner, begun for the first flow
that is followed.

Nobody waits for it: its queue is bounded, and what does not fit is left out and counted.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable
from http import HTTPStatus

import h11
from thespian.actors import ActorAddress, WakeupMessage

from actors.counted import counted
from actors.messages.exporter_to_runner import ExporterClosed
from actors.messages.system_to_actor import Ready
from actors.messages.to_exporter import CloseExporter, SpansEnded, StartExporter
from actors.preparation.command import Command
from actors.preparation.watched import Watched
from actors.state.tracing import Span, TraceCounts
from actors.system.base import BaseActor
from actors.telemetry import otlp
from actors.telemetry.connection import Answer, Connection
from actors.telemetry.endpoint import Endpoint, endpoint

MAX_SPANS = 8192  # that wait
BATCH = 512
GATHER_S = 1.0  # for a batch that is not full
ANSWER_S = 10.0
FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 30.0  # after a failure
CLOSE_S = 2.0
SAY_AGAIN_S = 60.0
_LATER = (
    HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT,
)  # fmt: skip
_MULTIPLE = 300
log = logging.getLogger("runner.traces")
_Entry = tuple[Span, TraceCounts]


class ExporterActor(BaseActor):
    """One post is under way at a time: `batch`. `address`: of the collector's host, when it is known."""

    def receiveMsg_StartExporter(self, message: StartExporter, sender: ActorAddress) -> None:
        """Read where they go; nothing is opened before the first batch."""
        self.owner, self.runner = sender, message.runner
        self.waiting: deque[_Entry] = deque()
        self.batch: list[_Entry] = []
        self.connection: Connection | None = None
        self.lookup: Watched | None = None  # of the address
        self.resolved: str | None = None
        self.context: ssl.SSLContext | None = None
        self.gathering = self.pausing = False
        self.closer: ActorAddress | None = None
        self.tries = 0  # of posts, so far
        self.failures = 0  # since the last that was well
        self.said_at = float("-inf")
        self.unsaid = 0  # spans that were left out
        self.endpoint: Endpoint | None = None
        try:
            self.endpoint = endpoint(message.endpoint, os.environ)
        except ValueError as error:
            log.error("no traces are sent: %s", error)
            return
        try:
            self.resolved = str(ipaddress.ip_address(self.endpoint.host))
        except ValueError:
            if self.endpoint.host == "localhost":
                self.resolved = "127.0.0.1"

    # what comes ----------------------------------------------------------------------------------------------------

    def receiveMsg_SpansEnded(self, message: SpansEnded, _sender: ActorAddress) -> None:
        """They wait, if there is room."""
        counts = message.counts
        room = MAX_SPANS - len(self.waiting) if self.endpoint is not None and self.closer is None else 0
        self.waiting.extend([(span, counts) for span in message.spans[:room]])
        self._leave_out([(span, counts) for span in message.spans[room:]])
        if len(self.waiting) >= BATCH:
            self._send()
        elif not self.gathering:
            self.gathering = True
            self._after(GATHER_S, self._gathered)

    def _gathered(self) -> None:
        self.gathering = False
        self._send()

    def receiveMsg_CloseExporter(self, _message: CloseExporter, sender: ActorAddress) -> None:
        """What waits has a moment."""
        self.closer = sender
        self._after(CLOSE_S, self._close)
        if self.failures:
            self._close()
        else:
            self._send()

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        """Whoever has set the timer."""
        message.payload()

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        self.wakeupAfter(seconds, then)

    # to the collector ----------------------------------------------------------------------------------------------

    def _send(self) -> None:
        """The next batch, unless one is under way."""
        if self.batch or self.pausing or self.lookup is not None:
            return
        if not self.waiting:
            if self.closer is not None:
                self._close()
            return
        if self.resolved is None:
            self._look_up()
            return
        self.batch = [self.waiting.popleft() for _ in range(min(BATCH, len(self.waiting)))]
        self._post()

    def _post(self) -> None:
        assert self.endpoint is not None
        assert self.resolved is not None
        self.tries += 1
        try:
            if self.connection is None:
                self.connection = Connection(self.endpoint, self.resolved, self._tls())
            self.connection.post(otlp.encode((span for span, _ in self.batch), self.runner, self.endpoint.service))
        except (OSError, h11.ProtocolError) as error:
            self._failed(_words(error))
            return
        self._after(ANSWER_S, lambda tries=self.tries: self._late(tries))  # type: ignore[misc]
        self._watch()

    def _tls(self) -> ssl.SSLContext | None:
        assert self.endpoint is not None
        if self.endpoint.tls and self.context is None:
            self.context = ssl.create_default_context(cafile=os.environ.get("OTEL_EXPORTER_OTLP_CERTIFICATE"))
        return self.context

    def _watch(self) -> None:
        if self.connection is not None:
            self.system.watch(self.connection.fd, self.connection.events, self.address)

    def receiveMsg_Ready(self, message: Ready, _sender: ActorAddress) -> None:
        """The collector, or who looks up its address."""
        if self.lookup is not None and self.lookup.has(message.fd):
            self._looked_up(message.fd)
            return
        connection = self.connection
        if connection is None or connection.fd != message.fd:
            return
        try:
            answer = connection.ready()
        except (OSError, h11.ProtocolError) as error:
            self._broken(error)
            return
        if answer is not None:
            self._answered(answer)
        self._watch()

    def _broken(self, error: Exception) -> None:
        """The connection: one that was idle may be closed at any time, that is no failure."""
        connection = self.connection
        assert connection is not None
        had_served = connection.posts > 1
        self._disconnect()
        if self.batch and had_served:
            self._post()
        elif self.batch:
            self._failed(_words(error))

    def _late(self, tries: int) -> None:
        if self.batch and tries == self.tries:
            self._failed(f"it has not answered in {ANSWER_S:g} s")

    def _answered(self, answer: Answer) -> None:
        if not self.batch:
            self._disconnect()  # it talks without being asked
        elif answer.status in _LATER:
            self._failed(f"it has answered {answer.status}", answer.again_s)
        else:
            self._done(answer)

    def _done(self, answer: Answer) -> None:
        """The collector has taken them, or never will."""
        batch, self.batch = self.batch, []
        if self.connection is not None and not self.connection.is_idle:
            self._disconnect()
        if HTTPStatus.OK <= answer.status < _MULTIPLE:
            lost, why = otlp.rejected(answer.body)
        else:
            lost, why = len(batch), f"it has answered {answer.status}"
        taken = batch[: max(0, len(batch) - lost)]
        for counts, count in Counter(counts for _, counts in taken).items():
            counts.sent += count
        if self.failures and not lost:
            log.info("traces: %s takes spans again", self._url)
            self.said_at = float("-inf")
        self.failures = 0
        self._leave_out(batch[len(taken) :], why)
        self._send()

    def _failed(self, why: str, again_s: float | None = None) -> None:
        """The same spans go later, if there is room; whoever ends does not wait."""
        self._disconnect()
        self.failures += 1
        batch, self.batch = self.batch, []
        self.waiting.extendleft(reversed(batch))
        over = [self.waiting.pop() for _ in range(max(0, len(self.waiting) - MAX_SPANS))]
        self._leave_out(over)
        if self.closer is not None:
            self._close(why)
            return
        self._say(f"traces: {self._url}: {why}; {counted(len(self.waiting), 'span')} wait")
        pause_s = min(FIRST_PAUSE_S * 2 ** (self.failures - 1), LAST_PAUSE_S)
        self.pausing = True
        self._after(min(again_s, LAST_PAUSE_S) if again_s is not None else pause_s, self._go_on)

    def _go_on(self) -> None:
        self.pausing = False
        self._send()

    def _disconnect(self) -> None:
        if self.connection is not None:
            self.system.unwatch(self.connection.fd)
            self.connection.close()
            self.connection = None

    # its address: by a child process, for it may take long -----------------------------------------------------------

    def _look_up(self) -> None:
        assert self.endpoint is not None
        try:
            command = Command.of(("getent", "ahosts", self.endpoint.host))
        except OSError as error:
            self._failed(f"getent: {error.strerror}")
            return
        self.found: list[str] = []  # lines
        self.lookup = Watched(command, self.system, self.address, self.found.extend)

    def _looked_up(self, fd: int) -> None:
        assert self.lookup is not None
        if self.lookup.ready(fd):
            self.lookup = None
            self.resolved = next((line.split()[0] for line in self.found if line.strip()), None)
            if self.resolved is None:
                self._failed("no such host")
            else:
                self._send()

    def _end_lookup(self) -> None:
        if self.lookup is not None:
            self.lookup.end()
            self.lookup = None

    # what is left out ----------------------------------------------------------------------------------------------

    @property
    def _url(self) -> str:
        return "nowhere" if self.endpoint is None else self.endpoint.url

    def _leave_out(self, entries: list[_Entry], why: str = "") -> None:
        for _, counts in entries:
            counts.dropped += 1
        self.unsaid += len(entries)
        if entries and self.endpoint is not None:
            self._say(f"traces: {self._url}: {why or 'too many wait'}")

    def _say(self, sentence: str) -> None:
        """Not more often than once a minute; then also how many spans were left out."""
        now = time.monotonic()
        if now - self.said_at >= SAY_AGAIN_S:
            left_out = f"; {counted(self.unsaid, 'span')} left out" if self.unsaid else ""
            self.said_at, self.unsaid = now, 0
            log.warning("%s%s", sentence, left_out)

    # the end -------------------------------------------------------------------------------------------------------

    def _close(self, why: str = "the runner ends") -> None:
        if self.closer is None:
            return
        closer, self.closer = self.closer, None
        left, self.batch = [*self.batch, *self.waiting], []
        self.waiting.clear()
        if left:
            self.said_at = float("-inf")
            self._leave_out(left, why)
        self.endpoint = None
        self._disconnect()
        self._end_lookup()
        self.send(closer, ExporterClosed())

    def receiveMsg_ActorExitRequest(self, _message: object, _sender: ActorAddress) -> None:
        """At once, whatever is under way."""
        self._disconnect()
        self._end_lookup()


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate: {error.verify_message}"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
