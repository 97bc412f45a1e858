"""RunnerClient: the Runner API from Python, over the runner's Unix socket. Blocking calls, or futures.

    client = RunnerClient()
    client.start_flow("temperatures")
    future = client.flow("temperatures").module("parse").send.remote({"value": 41})
    future.result(timeout=5)

Every request class of actors.messages.client_to_runner is a method; nothing here knows what a call means.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.console.live_runners import LiveRunner, find_runner
from actors.doors.unix_socket import connect
from actors.messages.client_to_runner import REQUESTS, Command, Request
from actors.messages.parameters import camel

TIMEOUT_S = 60.0
READ_BYTES = 256 << 10


class RunnerError(Exception):
    """The runner refused a call; `code` and `data` as in the JSON-RPC error."""

    def __init__(self, message: str, code: int = 0, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class RunnerGoneError(RunnerError, ConnectionError):
    """There is no runner (any more) at the other end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answer to a call that returns true or false; truthy like `ok`. `data` comes with an error."""

    ok: bool
    value: Any = None
    error: str | None = None
    receipt: Any = None
    data: Any = None

    def __bool__(self) -> bool:
        return self.ok


class _Answer(Future[Any]):
    """The answer to a call. Waits so that Ctrl-C ends it at any moment.

    A Future waits in a Condition, which is written in Python: an exception between two of its lines leaves its lock
    in disorder ("cannot release un-acquired lock"). A plain lock is waited for in C.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_there = threading.Lock()
        self._is_there.acquire()
        self.add_done_callback(lambda _: self._is_there.release())

    def result(self, timeout: float | None = None) -> Any:
        """As of a Future; `timeout` in seconds."""
        if not self._is_there.acquire(timeout=-1 if timeout is None else timeout):
            raise TimeoutError
        self._is_there.release()
        return super().result()


class RemoteCall:
    """A call that is bound to its target: call it and wait, or `.remote()` for a future."""

    def __init__(self, begin: Callable[..., Future[Any]]) -> None:
        self._begin = begin

    def __call__(self, *args: Any, timeout: float | None = TIMEOUT_S, **params: Any) -> Any:
        """Wait for the answer."""
        return self._begin(*args, **params).result(timeout)

    def remote(self, *args: Any, **params: Any) -> Future[Any]:
        """Do not wait; `future.result(timeout)` is the answer."""
        return self._begin(*args, **params)


class ModuleHandle:
    """`client.flow("f").module("m")`: `send(message, port="in")` waits, `send.remote(...)` returns a future."""

    def __init__(self, client: RunnerClient, flow_id: str, module_id: str) -> None:
        self.id = f"{flow_id}/{module_id}"
        self.send = RemoteCall(
            lambda message, port="in": client.begin("sendMessage", flowModuleId=self.id, port=port, message=message)
        )


class FlowHandle:
    """`client.flow("f")`: `start()`, `stop()`, `remove()`, `state()`, `dead_letters()`, `module(id)`."""

    def __init__(self, client: RunnerClient, flow_id: str) -> None:
        self._client, self.id = client, flow_id
        for name, method in (
            ("start", "startFlow"), ("stop", "stopFlow"), ("remove", "removeFlow"), ("state", "flowState"),
            ("dead_letters", "deadLetters"),
        ):  # fmt: skip
            setattr(self, name, RemoteCall(lambda method=method: client.begin(method, flowId=flow_id)))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> RemoteCall: ...

    def module(self, module_id: str) -> ModuleHandle:
        """A module of this flow."""
        return ModuleHandle(self._client, self.id, module_id)


class RunnerClient:
    """A connection to one runner. Threads may share it; use it in a `with`, or `close()` it."""

    def __init__(
        self, state: str | Path | None = None, socket: str | Path | None = None, runner: str | int | None = None
    ) -> None:
        """Connect to `socket`, or to the live runner of the state directory; of several to the one called `runner`."""
        if socket is None:
            self.runner: LiveRunner | None = find_runner(state, runner)
            self._socket = connect(self.runner.socket)
        else:
            self.runner = None
            self._socket = connect(Path(socket))
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[type[Request], Future[Any]]] = {}
        self.on_progress: Callable[[str], None] | None = None  # called by the reading thread
        self.on_notification: Callable[[str, dict[str, Any]], None] | None = None  # method and params; by that, too
        self._count = 0
        self._gone: str | None = None
        self._reader = threading.Thread(target=self._read, name="runner-client", daemon=True)
        self._reader.start()

    if TYPE_CHECKING:  # the methods are made from the request classes, below

        def __getattr__(self, name: str) -> Callable[..., Any]: ...

    # calls ---------------------------------------------------------------------------------------------------------

    def call(self, method: str, *args: Any, timeout: float | None = TIMEOUT_S, **params: Any) -> Any:
        """A call by its API name with positional or camelCase parameters. An Outcome, or the value (or RunnerError)."""
        answer = self.begin(method, *args, **params).result(timeout)
        if method == "addOrUpdateFlow" and answer and isinstance(answer.value, dict):
            return replace(answer, value=True, receipt=answer.value)  # of a plan
        if method in ("addOrUpdateFlow", "rollbackFlow", "moveModule") and answer:
            first = args[0] if args else params.get("flow") or params.get("flowId") or params["flowModuleId"]
            flow_id = first["id"] if isinstance(first, dict) else first.partition("/")[0]
            return replace(answer, receipt=self.begin("lastReceipt", flow_id).result(timeout))
        return answer

    def begin(self, method: str, *args: Any, **params: Any) -> Future[Any]:
        """As `call`, but a future."""
        kind = REQUESTS[method]
        if args:
            params |= dict(zip(_parameters(kind), args, strict=False))
        future = _Answer()
        with self._lock:
            self._count += 1
            number = self._count
            request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            line = json.dumps(request, allow_nan=False, ensure_ascii=False).encode()
            if self._gone is not None:
                raise RunnerGoneError(self._gone)
            self._waiting[number] = kind, future
            with contextlib.suppress(OSError):  # it may have said why before it closed: the reading thread tells
                self._socket.sendall(line + b"\n")
        return future

    def flow(self, flow_id: str) -> FlowHandle:
        """A handle of a flow."""
        return FlowHandle(self, flow_id)

    def close(self) -> None:
        """End the connection; calls that wait fail."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join()

    def __enter__(self) -> RunnerClient:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # answers -------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        rest = bytearray()
        reason = "the runner has closed the connection"
        try:
            while data := self._socket.recv(READ_BYTES):
                rest += data
                if b"\n" in data:
                    *lines, rest = rest.split(b"\n")
                    for line in lines:
                        self._answered(json.loads(line))
        except OSError as error:
            reason = f"the runner has gone: {error.strerror}"
        except RunnerError as error:
            reason = str(error)
        with self._lock:
            self._gone = reason
            waiting, self._waiting = self._waiting, {}
            self._socket.close()
        for _, future in waiting.values():
            future.set_exception(RunnerGoneError(reason))

    def _answered(self, message: dict[str, Any]) -> None:
        if message.get("method") == "progress":
            if self.on_progress is not None:
                self.on_progress(message["params"]["text"])
            return
        if "method" in message:
            if self.on_notification is not None:
                self.on_notification(message["method"], message["params"])
            return
        error = message.get("error")
        if message["id"] is None:  # about a line, not about a call: which one, is not known
            raise RunnerError(error["message"] if error else "an answer to nothing")
        with self._lock:
            kind, future = self._waiting.pop(message["id"])
        if issubclass(kind, Command):
            refusal = {"error": error["message"], "data": error.get("data")} if error else {}
            value = message.get("result", False)
            future.set_result(Outcome(ok=not error, value=value, **refusal))
        elif error:
            future.set_exception(RunnerError(error["message"], error["code"], error.get("data")))
        else:
            future.set_result(message["result"])


def snake(method: str) -> str:
    """`addOrUpdateFlow` -> `add_or_update_flow`, as the client's methods are called."""
    return re.sub("([A-Z])", r"_\1", method).lower()


def _parameters(kind: type[Request]) -> list[str]:
    return [camel(name) for name in kind.__struct_fields__ if name != "request_id"]


def _add_method(method: str, kind: type[Request]) -> None:
    def call(self: RunnerClient, *args: Any, timeout: float | None = TIMEOUT_S, **params: Any) -> Any:
        return self.call(method, *args, timeout=timeout, **{camel(name): value for name, value in params.items()})

    names = [name for name in kind.__struct_fields__ if name != "request_id"]
    call.__name__ = snake(method)
    call.__doc__ = f"`{call.__name__}({', '.join(names)})`: {kind.__doc__}"
    setattr(RunnerClient, call.__name__, call)


for _method, _kind in REQUESTS.items():
    _add_method(_method, _kind)
