"""What an MCP client says, and what it is answered: JSON-RPC 2.0, one message at a time. No sockets, no clock.

https://modelcontextprotocol.io/specification: the revisions that begin with `initialize`, and the one whose requests
each stand alone (`server/discover`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from actors import __version__
from actors.mcp import resources
from actors.mcp.tools import INSTRUCTIONS, api_tools
from actors.messages.calls import BadRequestError
from actors.messages.client_to_runner import ListFlows, Request
from actors.messages.runner_to_client import Reply

HANDSHAKE = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
ALONE = ("2026-07-28",)
VERSIONS = (*ALONE, *HANDSHAKE)
VERSION_KEY, SERVER_KEY = "io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/serverInfo"
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, BAD_PARAMS, INTERNAL, NO_RESOURCE, BAD_VERSION = (
    -32700, -32600, -32601, -32602, -32603, -32002, -32022,
)  # fmt: skip
MAX_BATCH = 256
SERVER = {"name": "polyglot-flow-runner", "title": "Polyglot flow runner", "version": __version__}

Say = Callable[[bytes], None]
Done = Callable[[Reply], None]
Ask = Callable[[Request, Done], None]


@dataclass(frozen=True, slots=True)
class OwnTool:
    """A tool that no call of the API is. `run(arguments, done)` returns what ends it before its time."""

    shown: dict[str, Any]
    run: Callable[[dict[str, Any], Done], Callable[[], None] | None]


class _McpError(Exception):
    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.data = code, data


class McpServer:
    """`ask` passes a request to the runner and calls back with its reply; `own` are further tools, by name."""

    def __init__(self, ask: Ask, own: Mapping[str, OwnTool]) -> None:
        self._ask, self._own = ask, own
        self._tools = api_tools()
        self.is_told = False  # the client can be sent notifications that belong to no call
        self._cancelled: dict[str, Callable[[], None]] = {}  # by id as JSON: what lets go of a call under way

    def take(self, line: bytes, say: Say) -> bool:
        """A message; `say` gets the answer, now or later. Returns whether there is one to come."""
        try:
            message = orjson.loads(line)
        except (orjson.JSONDecodeError, RecursionError) as error:
            say(_failure(None, _McpError(PARSE_ERROR, f"this is not JSON: {error}")))
            return True
        if not isinstance(message, list):
            return self._take(message, say)
        if not 0 < len(message) <= MAX_BATCH:
            say(_failure(None, _McpError(INVALID_REQUEST, f"a batch has 1 to {MAX_BATCH} messages")))
            return True
        answered: list[bytes] = []
        wanted = sum(1 for one in message if _is_answered(one))

        def gather(answer: bytes) -> None:
            answered.append(answer)
            if len(answered) == wanted:
                say(b"[" + b",".join(answered) + b"]")

        for one in message:
            self._take(one, gather)
        return wanted > 0

    def _take(self, message: Any, say: Say) -> bool:
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            say(_failure(None, _McpError(INVALID_REQUEST, 'a message is an object with "jsonrpc": "2.0"')))
            return True
        method, id, params = message.get("method"), message.get("id"), message.get("params")
        if not _is_answered(message):
            if method == "notifications/cancelled" and isinstance(params, dict):
                self._cancel(json.dumps(params.get("requestId")))
            return False  # any other notification; or an answer, though nothing was asked
        try:
            if not isinstance(method, str) or isinstance(id, (bool, dict, list)) or id is None:
                raise _McpError(INVALID_REQUEST, "a request has a method, and an id that is text or a number")
            if not isinstance(params, (dict, type(None))):
                raise _McpError(INVALID_REQUEST, "params are an object")
            self._request(method, id, params or {}, say)
        except _McpError as error:
            say(_failure(id if isinstance(id, (str, int, float)) else None, error))
        except Exception as error:  # a fault of ours: the client is not left waiting for an answer
            say(_failure(id, _McpError(INTERNAL, f"internal error: {type(error).__name__}: {error}")))
        return True

    def _cancel(self, key: str) -> None:
        if (let_go := self._cancelled.pop(key, None)) is not None:
            let_go()

    def _request(self, method: str, id: Any, params: dict[str, Any], say: Say) -> None:
        meta = params.get("_meta")
        version = meta.get(VERSION_KEY) if isinstance(meta, dict) else None
        if version is not None and version not in VERSIONS:
            supported = {"supported": list(VERSIONS), "requested": version}
            raise _McpError(BAD_VERSION, f"the protocol version {version!r} is not understood", supported)

        def answer(result: dict[str, Any]) -> None:
            if version in ALONE:
                result = {"resultType": "complete", "_meta": {SERVER_KEY: SERVER}, **result}
                if method in _CACHEABLE:
                    result = {"ttlMs": 0, "cacheScope": "private", **result}
            say(_line({"jsonrpc": "2.0", "id": id, "result": result}))

        match method:
            case "initialize":
                answer(self._initialized(params))
            case "server/discover":
                answer({**_abilities(), "supportedVersions": list(VERSIONS)})
            case "ping":
                answer({})
            case "tools/list":
                own = [one.shown for one in self._own.values()]
                answer({"tools": own + [one.shown for one in self._tools.values()]})
            case "tools/call":
                self._call(id, params, answer)
            case "resources/templates/list":
                answer({"resourceTemplates": resources.TEMPLATES})
            case "resources/list":
                self._flows(lambda flows, _: answer({"resources": resources.listed(flows)}))
            case "resources/read":
                self._read(id, _text(params, "uri"), answer, say)
            case "logging/setLevel":
                answer({})
            case _:
                raise _McpError(METHOD_NOT_FOUND, f"there is no method {method[:80]!r} here")

    def _initialized(self, params: dict[str, Any]) -> dict[str, Any]:
        self.is_told = True
        wanted = params.get("protocolVersion")
        version = wanted if wanted in HANDSHAKE else HANDSHAKE[0]
        return {**_abilities(), "protocolVersion": version, "serverInfo": SERVER}

    # tools ---------------------------------------------------------------------------------------------------------

    def _call(self, id: Any, params: dict[str, Any], answer: Callable[[dict[str, Any]], None]) -> None:
        name, arguments = _text(params, "name"), params.get("arguments") or {}
        if not isinstance(arguments, dict):
            raise _McpError(BAD_PARAMS, "arguments are an object")
        if name not in self._own and name not in self._tools:
            raise _McpError(BAD_PARAMS, f"there is no tool {name[:80]!r}; tools/list has them")
        key, is_over = json.dumps(id), False

        def done(reply: Reply) -> None:
            if not is_over:
                self._cancelled.pop(key, None)
                answer(_result(reply))

        def let_go() -> None:
            nonlocal is_over
            is_over = True
            if stop is not None:
                stop()

        stop: Callable[[], None] | None = None
        self._cancelled[key] = let_go
        if name in self._own:
            stop = self._own[name].run(arguments, done)
            return
        try:
            self._ask(self._tools[name].request(arguments), done)
        except BadRequestError as error:  # the model shall read it, and mend its call
            done(Reply(request_id="", ok=False, error=str(error)))

    # resources -----------------------------------------------------------------------------------------------------

    def _flows(self, then: Callable[[list[dict[str, Any]], str | None], None]) -> None:
        """The flows there are; none, and why, if nobody answers."""
        self._ask(ListFlows(), lambda reply: then(reply.value if reply.ok else [], reply.error))

    def _read(self, id: Any, uri: str, answer: Callable[[dict[str, Any]], None], say: Say) -> None:
        def then(flows: list[dict[str, Any]], problem: str | None) -> None:
            found = resources.content(uri, flows)
            if found is None:
                text = problem or f"there is no resource {uri[:200]!r}; resources/list has them"
                say(_failure(id, _McpError(NO_RESOURCE, text, {"uri": uri})))
            else:
                answer({"contents": [found]})

        self._flows(then)


_CACHEABLE = ("server/discover", "tools/list", "resources/list", "resources/templates/list", "resources/read")


def _abilities() -> dict[str, Any]:
    return {"capabilities": {"tools": {}, "resources": {}, "logging": {}}, "instructions": INSTRUCTIONS}


def _result(reply: Reply) -> dict[str, Any]:
    """What a call has given, for a model to read; a refusal is a result, too: it says what to do."""
    if reply.ok:
        return {"content": [{"type": "text", "text": _json(reply.value)}], "isError": False}
    text = reply.error or "refused"
    if reply.data is not None:
        text += f"\n{_json(reply.data)}"
    return {"content": [{"type": "text", "text": text}], "isError": True}


def _is_answered(message: Any) -> bool:
    """Notifications and answers are not."""
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return True
    return "id" in message and not ("method" not in message and ("result" in message or "error" in message))


def _text(params: dict[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str):
        raise _McpError(BAD_PARAMS, f"{name} is missing, or no text")
    return value


def notification(method: str, params: dict[str, Any]) -> bytes:
    """The message that tells something."""
    return _line({"jsonrpc": "2.0", "method": method, "params": params})


def _failure(id: Any, error: _McpError) -> bytes:
    told = {"code": error.code, "message": str(error)} | ({} if error.data is None else {"data": error.data})
    return _line({"jsonrpc": "2.0", "id": id, "error": told})


def _line(message: dict[str, Any]) -> bytes:
    return _json(message).encode()


def _json(value: Any) -> str:
    return json.dumps(value, default=str)
