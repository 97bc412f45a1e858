"""The exporter disturbs nobody, whatever the collector does; what is left out is counted."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.messages.exporter_to_runner import ExporterClosed
from actors.messages.to_exporter import CloseExporter, SpansEnded, StartExporter
from actors.state.tracing import Tracing
from actors.system.in_process import ActorSystem
from actors.telemetry import exporter
from actors.telemetry.endpoint import endpoint
from actors.telemetry.exporter import BATCH, ExporterActor
from tests.gateway.test_tls import make_certificate
from tests.harness import running
from tests.telemetry.collector import Collector, collecting


class Bench:
    """An exporter alone."""

    def __init__(self, url: str) -> None:
        self.system = ActorSystem()
        self.base = self.system.base
        self.address = self.system.createActor(ExporterActor)
        self.actor: ExporterActor = self.base.actorRegistry[self.address.actorAddressString].instance
        self.tracing = Tracing("f")
        self.counts = self.tracing.counts
        self.system.tell(self.address, StartExporter(runner="r", endpoint=url))
        self.base.turn()

    def spans(self, count: int) -> None:
        spans = [self.tracing.root("a.in") for _ in range(count)]
        self.system.tell(self.address, SpansEnded(spans=spans, counts=self.counts))

    def until(self, done: Callable[[], object], timeout_s: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < deadline, vars(self.actor)
            self.base.wakeupAfter(self.system.systemAddress, 0.02, None)  # the collector's thread does not wake us
            self.base.turn(block=True)

    def close(self) -> None:
        said = self.system.ask(self.address, CloseExporter(), 5)
        assert isinstance(said, ExporterClosed)
        assert not self.base.failures
        self.system.shutdown()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def bench(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(exporter, "GATHER_S", 0.05)
    monkeypatch.setattr(exporter, "FIRST_PAUSE_S", 0.05)
    bench = Bench(collector.url)
    yield bench
    bench.close()


def test_batches_on_one_connection(bench: Bench, collector: Collector) -> None:
    bench.spans(3 * BATCH + 5)
    bench.until(lambda: bench.counts.sent == 3 * BATCH + 5)
    assert [len(r.resource_spans[0].scope_spans[0].spans) for _, _, r in collector.posts] == [BATCH, BATCH, BATCH, 5]
    assert collector.connections == 1
    assert len({span.span_id for span in collector.spans}) == 3 * BATCH + 5


def test_a_full_queue(bench: Bench, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector that does not answer: what does not fit is left out, and memory is bounded."""
    monkeypatch.setattr(exporter, "MAX_SPANS", 1000)
    go_on = threading.Event()
    collector.answer = lambda _: ((go_on.wait(20) and 200) or 500, b"{}")
    bench.spans(BATCH)
    bench.until(lambda: collector.posts)
    for _ in range(5):
        bench.spans(250)
    bench.until(lambda: bench.counts.dropped == 250)
    assert len(bench.actor.waiting) == 1000
    go_on.set()
    bench.until(lambda: bench.counts.sent == 1000 + BATCH)


@pytest.mark.parametrize("status", [429, 503])
def test_later(bench: Bench, collector: Collector, status: int) -> None:
    """The same spans come again."""
    collector.answer = lambda number: (status if number < 3 else 200, b"")
    bench.spans(2)
    bench.until(lambda: bench.counts.sent == 2)
    first, *_, last = collector.posts
    assert len(collector.posts) == 3 and first[2] == last[2]


@pytest.mark.parametrize(
    ("status", "body", "sent"), [(400, b"no", 0), (200, b'{"partialSuccess": {"rejectedSpans": "2"}}', 1)]
)
def test_never(bench: Bench, collector: Collector, status: int, body: bytes, sent: int) -> None:
    """What the collector does not want is not sent again."""
    collector.answer = lambda _: (status, body)
    bench.spans(3)
    bench.until(lambda: bench.counts.sent + bench.counts.dropped == 3)
    assert bench.counts.sent == sent
    assert len(collector.posts) == 1


def test_an_idle_connection_that_is_closed(bench: Bench) -> None:
    """It is no failure: another is made."""
    bench.spans(1)
    bench.until(lambda: bench.counts.sent == 1)
    assert bench.actor.connection is not None
    bench.actor.connection._socket.shutdown(socket.SHUT_RD)  # as if it had said so
    bench.until(lambda: bench.actor.connection is None)
    bench.spans(1)
    bench.until(lambda: bench.counts.sent == 2)
    assert bench.actor.failures == 0


def test_away_then_there(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(exporter, "FIRST_PAUSE_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    bench = Bench(f"http://localhost:{port}")
    with caplog.at_level(logging.INFO, "runner.traces"):
        bench.spans(BATCH)
        bench.until(lambda: bench.actor.failures == 3)
        assert len(caplog.records) == 1, "it is said once"
        assert f"http://localhost:{port}/v1/traces: Connection refused; 512 spans wait" in caplog.text
        with collecting() as collector:
            bench.actor.endpoint = endpoint(collector.url, {})
            bench.until(lambda: bench.counts.sent == BATCH)
    assert "takes spans again" in caplog.text
    bench.close()


def test_a_name_is_looked_up_by_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never in the loop: it may take long."""
    getent = tmp_path / "getent"
    getent.write_text('#!/bin/sh\n[ "$2" = collector ] && sleep 0.3 && echo "127.0.0.1  STREAM collector"\n')
    getent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with collecting() as collector:
        bench = Bench(collector.url.replace("127.0.0.1", "collector"))
        turns = itertools.count()
        bench.spans(BATCH)
        bench.until(lambda: next(turns) and bench.counts.sent == BATCH)
        assert next(turns) > 5, "the loop went on"
        bench.close()


def test_a_name_that_is_none() -> None:
    bench = Bench("http://no-such-host.invalid:4318")
    bench.spans(BATCH)
    bench.until(lambda: bench.actor.failures)
    bench.close()
    assert bench.counts.dropped == BATCH


def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Batches larger than a record; a certificate that nobody vouches for is refused."""
    make_certificate(tmp_path)
    with collecting(tmp_path) as collector:
        bench = Bench(collector.url)
        bench.spans(BATCH)
        bench.until(lambda: bench.actor.failures)
        assert "its certificate: self-signed certificate" in caplog.text
        bench.close()
        assert not collector.posts
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tmp_path / "c.pem"))
        bench = Bench(collector.url)
        bench.spans(3 * BATCH)
        bench.until(lambda: bench.counts.sent == 3 * BATCH)
        bench.close()
        assert len(collector.spans) == 3 * BATCH


@pytest.mark.parametrize("kind", ["silent", "garbage", "endless"])
def test_a_server_that_is_no_collector(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "ANSWER_S", 0.3)
    says = {"silent": b"", "garbage": b"220 smtp ready\r\n\r\n", "endless": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000}
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client, contextlib.suppress(ConnectionError):  # who has not read everything resets it
                client.sendall(says[kind])
                while client.recv(65536):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        bench = Bench(f"http://127.0.0.1:{server.getsockname()[1]}")
        bench.spans(BATCH)
        bench.until(lambda: bench.actor.failures)
        thread.join()
    bench.close()


def test_the_end_waits_for_a_moment_only(monkeypatch: pytest.MonkeyPatch, collector: Collector) -> None:
    monkeypatch.setattr(exporter, "CLOSE_S", 0.2)
    go_on = threading.Event()
    collector.answer = lambda _: ((go_on.wait(20) and 200) or 500, b"{}")
    bench = Bench(collector.url)
    bench.spans(3)
    begun = time.monotonic()
    bench.close()
    assert time.monotonic() - begun < 5
    assert (bench.counts.sent, bench.counts.dropped) == (0, 3)
    go_on.set()


def test_a_flow_goes_on_without_a_collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages, order and accounts are those of a flow that nobody follows; the runner says what is left out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    with running(tmp_path / "state") as runner:
        code = "def run(message, context): return message"
        modules = {"a": {"runtime": "python3", "code": code}, "b": {"runtime": "node", "code": "m => m"}}
        runner.add("f", modules, ["a -> b"], tracing=True)
        out = runner.collect("f", "b")
        runner.start("f")
        runner.send("f/a", *range(200))
        runner.wait_idle("f")
        assert out.got == [*range(200)]
        runner.audit()
        tracing = runner.state("f")["tracing"]
        assert tracing["spansSent"] == 0


@pytest.mark.parametrize(
    ("given", "env", "url"),
    [
        (None, {}, "http://localhost:4318/v1/traces"),
        ("http://c:1/", {}, "http://c:1/v1/traces"),
        (None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/otlp"}, "https://c:443/otlp/v1/traces"),
        (None, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/x"}, "http://c:80/x"),
        ("http://[::1]:4318", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/x"}, "http://[::1]:4318/v1/traces"),
    ],
)
def test_endpoints(given: str | None, env: dict[str, str], url: str) -> None:
    assert endpoint(given, env).url == url


def test_variables() -> None:
    env = {"OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=a%20b, x=1=2,", "OTEL_SERVICE_NAME": "plant"}
    found = endpoint(None, env)
    assert found.headers == (("api-key", "a b"), ("x", "1=2")) and found.service == "plant"
    for bad in ("collector:4318", "grpc://c:4317", "http://:1", "http://c:99999"):
        with pytest.raises(ValueError, match="no URL of a collector"):
            endpoint(bad, {})
