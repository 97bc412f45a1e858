"""A collector of OpenTelemetry: a real HTTP server, which reads what it gets with the official parser."""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

NAMES = ("traceId", "spanId", "parentSpanId")  # hex in OTLP/JSON, where JSON of protobuf has base64


def in_base64(value: Any) -> Any:
    """The same as protobuf's own JSON."""
    if isinstance(value, list):
        return [in_base64(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(item)).decode() if key in NAMES else in_base64(item)
        for key, item in value.items()
    }


def parsed(body: bytes) -> ExportTraceServiceRequest:
    """Unknown fields and wrong types are errors."""
    return json_format.ParseDict(in_base64(json.loads(body)), ExportTraceServiceRequest())


class Collector:
    """`answer` gets the number of a post, from 1, and returns status and body; it may take its time."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, str], ExportTraceServiceRequest]] = []
        self.answer: Callable[[int], tuple[int, bytes]] = lambda _: (200, b"{}")
        self.connections = 0
        self.lock = threading.Lock()
        self.came = threading.Condition(self.lock)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with outer.lock:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    outer.posts.append((self.path, headers, parsed(body)))
                    number = len(outer.posts)
                    outer.came.notify_all()
                status, said = outer.answer(number)
                self.send_response(status)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who has gone does not read
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def spans(self) -> list[Span]:
        """All that have come."""
        with self.lock:
            requests = [request for _, _, request in self.posts]
        return [
            span for request in requests for resource in request.resource_spans
            for scope in resource.scope_spans for span in scope.spans
        ]  # fmt: skip

    def tree(self) -> list[tuple[str, str]]:
        """Every span and the span it comes from, by name; "" if it comes from none. A parent that is missing raises."""
        names = {span.span_id: span.name for span in self.spans} | {b"": ""}
        return sorted((span.name, names[span.parent_span_id]) for span in self.spans)

    def wait(self, count: int, timeout_s: float = 30.0) -> list[Span]:
        """Until so many spans have come; for what runs in another process."""
        with self.came:
            enough = lambda: sum(_count(request) for _, _, request in self.posts) >= count  # noqa: E731
            assert self.came.wait_for(enough, timeout_s), self.posts
        return self.spans


def _count(request: ExportTraceServiceRequest) -> int:
    return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)


def attributes(span: Any) -> dict[str, Any]:
    """Of a span, a resource or an event."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}


@contextmanager
def collecting(tls: Path | None = None) -> Iterator[Collector]:
    """A collector that listens; `tls`: a folder with its certificate and key."""
    collector = Collector()
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "c.pem", tls / "k.pem")
        collector.server.socket = context.wrap_socket(collector.server.socket, server_side=True)
        collector.url = collector.url.replace("http:", "https:")
    thread = threading.Thread(target=collector.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield collector
    finally:
        collector.server.shutdown()
        collector.server.server_close()
        thread.join()
