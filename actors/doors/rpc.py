"""JSON-RPC 2.0, a request or a batch a line: text to requests, replies to text. Knows no sockets and no actors."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from actors.messages.calls import BadRequestError, make_request
from actors.messages.client_to_runner import REQUESTS, Request
from actors.messages.runner_to_client import Reply

MAX_BATCH = 256
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, BAD_PARAMS, REFUSED = -32700, -32600, -32601, -32602, -32000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request and the id to answer it with; a notification is not answered."""

    id: Any
    request: Request
    notification: bool = False


class Asked(NamedTuple):
    """What a line has: calls, and the answers to those that are none. `together`: a batch, answered with one array."""

    calls: list[Call]
    answers: list[bytes]
    together: bool = False


def parse(line: bytes, next_id: Callable[[], str]) -> Asked:
    """The calls in a line; `next_id` gives their requests ids."""
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Asked([], [failure(None, PARSE_ERROR, f"this line is not JSON: {error}")])
    except RecursionError:
        return Asked([], [failure(None, PARSE_ERROR, "this line is nested too deep")])
    if not isinstance(message, list):
        return _asked([_call(message, next_id)], together=False)
    if not message:
        return Asked([], [failure(None, INVALID_REQUEST, "a batch without a request")])
    if len(message) > MAX_BATCH:
        text = f"a batch of {len(message)} requests: at most {MAX_BATCH} are taken, and none of these was"
        return Asked([], [failure(None, INVALID_REQUEST, text)])
    return _asked([_call(one, next_id) for one in message], together=True)


def _asked(found: list[Call | bytes | None], together: bool) -> Asked:
    calls = [one for one in found if isinstance(one, Call)]
    return Asked(calls, [one for one in found if isinstance(one, bytes)], together)


def _call(message: Any, next_id: Callable[[], str]) -> Call | bytes | None:
    """The call; or the answer to a bad one; or None for a bad notification."""
    if problem := _malformed(message):
        known = message.get("id") if isinstance(message, dict) else None
        return failure(known if _is_id(known) else None, INVALID_REQUEST, problem)
    method, given = message["method"], message.get("id")
    code = BAD_PARAMS if method in REQUESTS else METHOD_NOT_FOUND
    try:
        request = make_request(method, message.get("params", {}), next_id())
    except BadRequestError as error:
        return failure(given, code, str(error)) if "id" in message else None
    return Call(id=given, request=request, notification="id" not in message)


def _malformed(message: Any) -> str | None:
    if not isinstance(message, dict):
        return "a request is an object"
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


def batch(answers: list[bytes]) -> bytes:
    """The line that answers a batch."""
    return b"[" + b",".join(answer.rstrip(b"\n") for answer in answers) + b"]\n"


def notification(method: str, params: dict[str, Any]) -> bytes:
    """The line that tells something."""
    return _line({"jsonrpc": "2.0", "method": method, "params": params})


def progress(id: Any, text: str) -> bytes:
    """The line that says how far a call is: a notification."""
    return notification("progress", {"id": id, "text": text})


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
