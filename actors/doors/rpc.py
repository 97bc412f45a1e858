"""JSON-RPC 2.0, one object a line: text to requests, replies to text. Knows no sockets and no actors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import orjson

from actors.messages.client_to_runner import REQUESTS, BadRequestError, Request, make_request
from actors.messages.runner_to_client import Reply

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, BAD_PARAMS, REFUSED = -32700, -32600, -32601, -32602, -32000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request and the id to answer it with; a notification is not answered."""

    id: Any
    request: Request
    notification: bool = False


def parse(line: bytes, request_id: str) -> Call | bytes | None:
    """The call in a line; or the line that answers a bad one; or None for a bad notification."""
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return failure(None, PARSE_ERROR, f"this line is not JSON: {error}")
    except RecursionError:
        return failure(None, PARSE_ERROR, "this line is nested too deep")
    if problem := _malformed(message):
        known = message.get("id") if isinstance(message, dict) else None
        return failure(known if _is_id(known) else None, INVALID_REQUEST, problem)
    method, given = message["method"], message.get("id")
    code = BAD_PARAMS if method in REQUESTS else METHOD_NOT_FOUND
    try:
        request = make_request(method, message.get("params", {}), request_id)
    except BadRequestError as error:
        return failure(given, code, str(error)) if "id" in message else None
    return Call(id=given, request=request, notification="id" not in message)


def _malformed(message: Any) -> str | None:
    if not isinstance(message, dict):
        return "a line holds one request, an object; for several send several lines"
    if message.get("jsonrpc") != "2.0":
        return 'a request has "jsonrpc": "2.0"'
    if not isinstance(message.get("method"), str):
        return "a request has a method, which is text"
    if not isinstance(message.get("params", {}), (dict, list)):
        return "params must be an object or a list"
    if not _is_id(message.get("id")):
        return "an id must be text, a number or null"
    return None


def _is_id(value: Any) -> bool:
    return value is None or (isinstance(value, (str, int, float)) and not isinstance(value, bool))


def answer(id: Any, reply: Reply) -> bytes:
    """The line that answers a call."""
    if reply.ok:
        return _line({"jsonrpc": "2.0", "id": id, "result": reply.value})
    return failure(id, REFUSED, reply.error or "refused", reply.data)


def progress(id: Any, text: str) -> bytes:
    """The line that says how far a call is: a notification."""
    return _line({"jsonrpc": "2.0", "method": "progress", "params": {"id": id, "text": text}})


def failure(id: Any, code: int, message: str, data: Any = None) -> bytes:
    """The line that says no."""
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return _line({"jsonrpc": "2.0", "id": id, "error": error})


def _line(value: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(value) + b"\n"
    except TypeError:  # an integer beyond 64 bits, or half a surrogate pair: rare, and the standard library can
        pass
    try:
        return json.dumps(value, default=str).encode() + b"\n"
    except (RecursionError, ValueError) as error:
        return failure(value.get("id"), REFUSED, f"the answer cannot be written as JSON: {error}")
