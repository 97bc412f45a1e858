"""`runner dap`: the Debug Adapter Protocol on standard input and output, or on a port of this machine."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.console.calls import choose
from actors.console.client import Outcome, RunnerClient, RunnerError, RunnerGoneError
from actors.console.debug_text import step_text
from actors.console.errors import UserError
from actors.console.own_deployment import OwnDeployment
from actors.console.run import read_checked
from actors.dap.places import Places, of_document
from actors.dap.session import Session
from actors.dap.target import DapError, GoneError
from actors.dap.wire import Frames, WireError, frame
from actors.definition.model import FlowError
from actors.definition.text_files import text_of

TICK_S = 0.1
UP_S = 60.0
READ_BYTES = 64 << 10
Write = Callable[[bytes], object]


def dap(options: argparse.Namespace) -> int:
    """Until the client has gone; with `--port` until a signal, any number of clients."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.port is not None:
        return _listen(options)
    output = sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever else is printed is no message

    def write(data: bytes) -> None:
        output.write(data)
        output.flush()

    return _serve(options, lambda count: os.read(0, count), write)


def _listen(options: argparse.Namespace) -> int:
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        print(f"runner: waiting for an editor at 127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve_socket, args=(options, client), daemon=True).start()


def _serve_socket(options: argparse.Namespace, client: socket.socket) -> None:
    with client:
        _serve(options, client.recv, client.sendall)


def _serve(options: argparse.Namespace, read: Callable[[int], bytes], write: Write) -> int:
    lock, gone = threading.Lock(), threading.Event()

    def say(message: dict[str, Any]) -> None:
        with lock, contextlib.suppress(OSError, ValueError):  # the client has gone: that is seen where it is read
            write(frame(message))

    def tick() -> None:
        while not gone.wait(TICK_S):
            session.tick()

    session = Session(lambda kind, arguments: _open(options, kind, arguments), say, step_text)
    frames = Frames()
    ticking = threading.Thread(target=tick, daemon=True)
    ticking.start()
    try:
        while not session.is_over and (data := read(READ_BYTES)):
            for message in frames.feed(data):
                session.handle(message)
    except WireError as error:
        session.output(f"this is not the Debug Adapter Protocol: {error}", "important")
        return 1
    except OSError:
        pass
    finally:
        gone.set()
        ticking.join()
        session.close()
    return 0


# what is debugged ----------------------------------------------------------------------------------------------------


def _open(options: argparse.Namespace, kind: str, arguments: dict[str, Any]) -> _Debugged:
    program, flow = arguments.get("program"), arguments.get("flow")
    for name, value in (("program", program), ("flow", flow), ("state", arguments.get("state"))):
        if value is not None and not isinstance(value, str):
            raise DapError(f"{name} is a text, not {json.dumps(value)[:80]}")
    try:
        if kind == "launch":
            return _launched(program, arguments)
        return _attached(options, program, flow, arguments)
    except (UserError, FlowError, RunnerError) as error:
        raise DapError(str(error)) from None
    except OSError as error:
        raise DapError(f"{error.filename or ''}: {error.strerror}") from None


def _attached(
    options: argparse.Namespace, program: str | None, flow_id: str | None, arguments: dict[str, Any]
) -> _Debugged:
    """To a flow that runs; the file says where its modules stand."""
    options = argparse.Namespace(
        state=arguments.get("state") or options.state, runner=arguments.get("runner") or options.runner
    )
    path = None if program is None else Path(program).resolve()
    if flow_id is None and path is not None:
        flow_id = str(read_checked(str(path))[0].sent["id"])
    client = RunnerClient(socket=choose(options, flow_id).socket)
    try:
        flows = {flow["id"]: flow for flow in client.list_flows()}
        if flow_id is None and len(flows) != 1:
            raise DapError(f"which flow? there are {', '.join(sorted(flows)) or 'none'}: `flow` names one")
        flow_id = flow_id or next(iter(flows))
        if flow_id not in flows:
            raise DapError(f"there is no flow {flow_id!r}; there are {', '.join(sorted(flows)) or 'none'}")
        flow = flows[flow_id]
        origin = flow.get("origin", {}).get("file")
        if path is None and origin is not None and Path(origin).is_file():
            path = Path(origin).resolve()
        places = of_document(flow) if path is None else Places(path, text_of(path, str(path)), flow["modules"])
        return _Debugged(client, flow_id, places)
    except BaseException:
        client.close()
        raise


def _launched(program: str | None, arguments: dict[str, Any]) -> _Debugged:
    """A runner of its own, in a state folder of its own: nothing of other runs is touched."""
    if program is None:
        raise DapError("launch wants `program`, the path of a flow file; attach is for a flow that runs")
    send = arguments.get("send", {})
    if not isinstance(send, dict) or not all(isinstance(messages, list) for messages in send.values()):
        raise DapError('`send` is like {"MODULE.PORT": [message, ...]}')
    path = Path(program).resolve()
    source, flow = read_checked(str(path))
    folder = Path(tempfile.mkdtemp(prefix="runner-debug-"))
    try:
        own = OwnDeployment(folder, {"name": "debug", "runners": {"main": {}}, "flows": []})
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        client = own.reached(UP_S)
        debugged = _Debugged(client, flow.id, Places(path, text_of(path, str(path)), flow.modules), own, send)
        debugged.call("addOrUpdateFlow", flow=source.sent)
    except BaseException:
        _ended(own)
        raise
    return debugged


def _ended(own: OwnDeployment) -> None:
    own.end()
    shutil.rmtree(own.state.parent, ignore_errors=True)


class _Debugged:
    """A flow of a live runner; of one that was launched with its deployment and first messages."""

    def __init__(
        self, client: RunnerClient, flow_id: str, places: Places, own: OwnDeployment | None = None,
        send: dict[str, list[Any]] | None = None,
    ) -> None:  # fmt: skip
        self._client, self.flow_id, self.places = client, flow_id, places
        self._own, self._send = own, send or {}

    def call(self, method: str, **params: Any) -> Any:
        """A call of the Runner API."""
        try:
            answer = self._client.call(method, timeout=None, **params)
        except RunnerGoneError as error:
            raise GoneError(str(error)) from None
        except RunnerError as error:
            raise DapError(str(error)) from None
        if isinstance(answer, Outcome):
            if not answer:
                problems = answer.data if isinstance(answer.data, list) else [answer.error]
                raise DapError("\n".join(map(str, problems)))
            return answer.value
        return answer

    def begin(self) -> None:
        """Start what was launched, and send it what the launch has for it."""
        if self._own is None:
            return
        self.call("startFlow", flowId=self.flow_id)
        for place, messages in self._send.items():
            module, _, port = place.partition(".")
            for message in messages:
                self.call("sendMessage", flowModuleId=f"{self.flow_id}/{module}", port=port or "in", message=message)

    def close(self) -> None:
        """A runner that was launched ends: nobody else knows of it."""
        self._client.close()
        if self._own is not None:
            _ended(self._own)
