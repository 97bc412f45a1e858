"""What is posted to a module, cut into messages: JSON, NDJSON, CloudEvents 1.0 (structured, binary, batch). Pure.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import unquote

import orjson

from actors.ends.input_lines import InputLines
from actors.gateway.http import HttpError
from actors.state.shown import MAX_MESSAGE_DEPTH, is_nested_deeper
from actors.state.tracing import ROOM_BYTES

JSON_TYPES = ("application/json", "text/json", "")
NDJSON_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
EVENT, EVENTS = "application/cloudevents+json", "application/cloudevents-batch+json"
BINARY_PREFIX, HEADER_PREFIX = "ce-", "x-ce-"
NEEDED = ("id", "source", "specversion", "type")
MAX_HEADER_BYTES = 4096  # of one message, runtimes/PROTOCOL.md
_KNOWN = f"{JSON_TYPES[0]}, {NDJSON_TYPES[0]}, {EVENT} or {EVENTS}"


class Posted(NamedTuple):
    """Encoded messages, and as many encoded headers if there are any; `id`: of one event, for which it is sent once."""

    messages: list[bytes]
    headers: list[bytes] | None = None
    id: str | None = None

    def under(self, traceparent: str) -> Posted:
        """With what the request comes from; an event says for itself where it comes from, if it does."""
        if any(len(one) > ROOM_BYTES for one in self.headers or ()):
            return self
        told = [
            {"traceparent": traceparent} | orjson.loads(one) for one in self.headers or [b"{}"] * len(self.messages)
        ]
        return self._replace(headers=[orjson.dumps(one) for one in told])


def posted(headers: Mapping[str, str], body: bytes) -> Posted:
    """The messages of a body. Raises HttpError."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == EVENT:
        return _events([_json(body)])
    if kind == EVENTS:
        events = _json(body)
        if not isinstance(events, list):
            raise _bad("a batch of events is an array")
        return _events(events, alone=False)
    if f"{BINARY_PREFIX}specversion" in headers:
        return _binary(headers, kind, body)
    if kind in NDJSON_TYPES:
        return Posted(_lines(body))
    if kind in JSON_TYPES or kind == "application/x-www-form-urlencoded":  # what curl says of any --data
        return Posted([_text(body)])
    raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"{kind[:100]!r} is not understood here; {_KNOWN} is")


def _lines(body: bytes) -> list[bytes]:
    lines = InputLines(raw=False)
    messages = [message for message in [*lines.feed(body), *lines.end()] if message.strip()]
    if lines.bad_count:
        raise _bad("; ".join(lines.named) + "; nothing was taken")
    for message in messages:
        _check_depth(message)
    return [message.strip() for message in messages]


def _text(body: bytes) -> bytes:
    """A body that is one message: as it is, but on one line."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _bad(f"the body is not JSON: {error}" if body else "the body is empty") from None
    except RecursionError:
        raise _too_deep() from None
    message = body.strip().replace(b"\n", b" ")  # no text has a line feed: there it is an escape
    _check_depth(message)
    return message


def _events(events: list[Any], alone: bool = True) -> Posted:
    messages, headers = [], []
    for event in events:
        if not isinstance(event, dict):
            raise _bad("an event is an object")
        attributes = {name: value for name, value in event.items() if name not in ("data", "data_base64")}
        _check(attributes)
        if "data_base64" in event and "data" in event:
            raise _bad("an event has `data` or `data_base64`, not both")
        data = event.get("data")
        if (text := event.get("data_base64")) is not None:
            data = _decoded(text, str(attributes.get("datacontenttype", "")))
        messages.append(_encoded(data))
        headers.append(_headers(attributes))
    return Posted(messages, headers, _id(events[0]) if alone else None)


def _decoded(text: Any, kind: str) -> Any:
    """What base64 stands for, if that is JSON; else it stays what it is."""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        raise _bad("`data_base64` is not base64") from None
    return _json(data) if kind.partition(";")[0].endswith("json") else text


def _binary(headers: Mapping[str, str], kind: str, body: bytes) -> Posted:
    """The attributes are headers, the body is the data."""
    attributes: dict[str, Any] = {
        name.removeprefix(BINARY_PREFIX): unquote(value)
        for name, value in headers.items() if name.startswith(BINARY_PREFIX)
    }  # fmt: skip
    _check(attributes)
    if kind:
        attributes["datacontenttype"] = headers["content-type"]
    if not body:
        data = None
    elif kind.endswith("json") or not kind:
        data = _json(body)
    else:
        try:
            data = body.decode()
        except UnicodeDecodeError:
            data = base64.b64encode(body).decode()
    return Posted([_encoded(data)], [_headers(attributes)], _id(attributes))


def _check(attributes: Mapping[str, Any]) -> None:
    missing = [name for name in NEEDED if not isinstance(attributes.get(name), str) or not attributes[name]]
    if missing:
        raise _bad(f"the event has no {' and no '.join(missing)}")
    if attributes["specversion"] != "1.0":
        raise _bad(f"specversion is {attributes['specversion'][:20]!r}; 1.0 is understood")
    for name, value in attributes.items():
        if not (name.isascii() and name.isalnum() and name == name.lower()):
            raise _bad(f"an attribute is called {name[:50]!r}; lower-case letters and digits are allowed")
        if not isinstance(value, (str, int, bool)) and value is not None:
            raise _bad(f"the attribute {name} is text, a whole number, true or false")


def _headers(attributes: Mapping[str, Any]) -> bytes:
    """As headers of a message, which modules see and hand on: `x-ce-type` and so on; `traceparent` by its own name."""
    told = {
        name if name == "traceparent" else HEADER_PREFIX + name: value if isinstance(value, str) else json.dumps(value)
        for name, value in attributes.items() if value is not None
    }  # fmt: skip
    encoded = orjson.dumps(told)
    if len(encoded) > MAX_HEADER_BYTES:
        raise _bad(f"the attributes of an event have {len(encoded)} bytes, at most {MAX_HEADER_BYTES} are taken")
    return encoded


def _id(attributes: Mapping[str, Any]) -> str:
    """What makes an event one of a kind, by the specification."""
    return json.dumps([attributes["source"], attributes["id"]])


def _json(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_no_constant) if body else _nothing()
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise _bad(f"the body is not JSON: {error}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no value of JSON")


def _nothing() -> Any:
    raise ValueError("it is empty")


def _encoded(value: Any) -> bytes:
    encoded = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    try:
        encoded.decode()
    except UnicodeDecodeError:
        raise _bad("a text has half a surrogate pair") from None
    _check_depth(encoded)
    return encoded


def _check_depth(message: bytes) -> None:
    if is_nested_deeper(message, MAX_MESSAGE_DEPTH):
        raise _too_deep()


def _too_deep() -> HttpError:
    return _bad(f"the message is nested deeper than {MAX_MESSAGE_DEPTH} levels")


def _bad(sentence: str) -> HttpError:
    return HttpError(HTTPStatus.BAD_REQUEST, sentence)
