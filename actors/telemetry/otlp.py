"""Spans as OTLP/JSON, and what a collector answers. Pure.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: names of bytes in hex, 64 bits as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from actors import __version__
from actors.state.tracing import Span, SpanError

_ERROR = 2  # STATUS_CODE_ERROR
_FOLLOWED = 1  # trace flags


def encode(spans: Iterable[Span], runner: str, service: str | None) -> bytes:
    """An ExportTraceServiceRequest. A flow is a service, if they are not all called the same."""
    by_flow: dict[str, list[dict[str, Any]]] = {}
    for span in spans:
        by_flow.setdefault(span.flow, []).append(_span(span))
    scope = {"name": "polyglot-flow-runner", "version": __version__}
    resources = [
        {
            "resource": {"attributes": _attributes({
                "service.name": service or flow, "service.version": __version__, "service.instance.id": runner,
            })},
            "scopeSpans": [{"scope": scope, "spans": some}],
        }
        for flow, some in by_flow.items()
    ]  # fmt: skip
    return orjson.dumps({"resourceSpans": resources})


def rejected(body: bytes) -> tuple[int, str]:
    """Of an answer that is well: how many spans were not taken after all, and why."""
    try:
        said = (orjson.loads(body) or {}).get("partialSuccess") or {}
        return int(said.get("rejectedSpans") or 0), str(said.get("errorMessage") or "")
    except (ValueError, TypeError, AttributeError):  # protobuf, or nothing
        return 0, ""


def _span(span: Span) -> dict[str, Any]:
    told: dict[str, Any] = {
        "traceId": span.trace, "spanId": span.span, "flags": _FOLLOWED, "name": span.name, "kind": span.kind,
        "startTimeUnixNano": str(span.begun_ns), "endTimeUnixNano": str(span.ended_ns),
    }  # fmt: skip
    if span.parent:
        told["parentSpanId"] = span.parent
    if span.links:
        told["links"] = [{"traceId": span.trace, "spanId": other} for other in span.links]
    attributes = span.attributes
    if span.error is not None:
        attributes = {**attributes, "error.type": span.error.type}
        told["status"] = {"code": _ERROR, "message": span.error.message}
        told["events"] = [_event(span.error, span.ended_ns)]
    told["attributes"] = _attributes(attributes)
    return told


def _event(error: SpanError, at_ns: int) -> dict[str, Any]:
    said = {"exception.type": error.type, "exception.message": error.message, "exception.stacktrace": error.stack}
    attributes = _attributes({name: text for name, text in said.items() if text})
    return {"timeUnixNano": str(at_ns), "name": "exception", "attributes": attributes}


def _attributes(values: Mapping[str, str | int | bool]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items()]


def _value(value: str | int | bool) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
