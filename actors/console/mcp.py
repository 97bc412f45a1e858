"""`runner mcp`: the Model Context Protocol on standard input and output, for a live runner and the files of here."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from actors.console.calls import choose
from actors.console.client import Outcome, RunnerClient, RunnerError, RunnerGoneError
from actors.console.errors import UserError
from actors.mcp.server import Done, McpServer, OwnTool, notification
from actors.mcp.tools import object_schema, tool
from actors.messages.client_to_runner import Request
from actors.messages.naming import flow_of
from actors.messages.parameters import method_of, parameters
from actors.messages.runner_to_client import Reply

FILE = {"type": "string", "description": "path of the file"}
END_S = 10.0  # for a child to end in order


def mcp(options: argparse.Namespace) -> int:
    """Until the client closes standard input."""
    output, lock = sys.stdout.buffer, threading.Lock()
    sys.stdout = sys.stderr  # whatever else is printed is no message

    def say(line: bytes) -> None:
        with lock, contextlib.suppress(BrokenPipeError, ValueError):  # the client has gone: so do we, at its end
            output.write(line + b"\n")
            output.flush()

    def tell(data: Any) -> None:
        if server.is_told:
            say(notification("notifications/message", {"level": "info", "logger": "runner", "data": data}))

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runners, commands = _Runners(options, tell), _Commands(options)
    server = McpServer(runners.ask, commands.tools())
    try:
        for line in sys.stdin.buffer:
            if line.strip():
                server.take(line, say)
    finally:
        commands.end()
        runners.close()
    return 0


class _Runners:
    """Connections, made when they are needed: a runner may come, go and come again while the client stays."""

    def __init__(self, options: argparse.Namespace, tell: Callable[[Any], None]) -> None:
        self._options, self._tell = options, tell
        self._clients: dict[int, RunnerClient] = {}  # by process id

    def ask(self, request: Request, done: Done) -> None:
        """`done` is called by another thread."""
        kind: Any = type(request)
        params = {one.camel: getattr(request, one.name) for one in parameters(kind)}
        try:
            future = self._begin(request, method_of(kind), params)
        except (UserError, RunnerError, OSError) as error:
            done(Reply(request_id="", ok=False, error=str(error)))
            return
        future.add_done_callback(lambda its: done(_reply(its)))

    def _begin(self, request: Request, method: str, params: dict[str, Any]) -> Future[Any]:
        try:
            flow_id = flow_of(request)
        except (ValueError, AttributeError):  # it is about no flow; or the runner will say what is wrong
            flow_id = None
        runner = choose(self._options, flow_id)
        for _ in range(2):
            client = self._clients.get(runner.pid)
            if client is None:
                client = self._clients[runner.pid] = RunnerClient(socket=runner.socket)
                client.on_progress = self._tell
                client.on_notification = lambda method, params: self._tell({"method": method, **params})
            try:
                return client.begin(method, **params)
            except RunnerGoneError as error:
                self._clients.pop(runner.pid).close()
                gone = error
        raise gone

    def close(self) -> None:
        """Their taps and subscriptions end."""
        for client in self._clients.values():
            client.close()


def _reply(future: Future[Any]) -> Reply:
    try:
        value = future.result()
    except RunnerError as error:
        return Reply(request_id="", ok=False, error=str(error), data=error.data)
    if isinstance(value, Outcome):
        return Reply(request_id="", ok=value.ok, value=value.value, error=value.error, data=value.data)
    return Reply(request_id="", ok=True, value=value)


class _Commands:
    """Tools that are verbs of the command line, in a process of their own: they read the files of here."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._begin = [sys.executable, "-m", "actors.console"]
        self._begin += [] if options.state is None else ["--state", options.state]
        self._runner = [] if options.runner is None else ["--runner", options.runner]
        self._live: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()

    def tools(self) -> dict[str, OwnTool]:
        """By name."""
        check = (
            "Is a flow file, or a deployment, right? Every module is loaded in a trial host; nothing starts. Every "
            "problem with its line. After each edit of a file, before test and apply."
        )
        test = (
            "Run the tests that a flow file carries, each in hosts of its own; what was expected and what came. After "
            "check, before apply."
        )
        apply = (
            "Add the flow of a file to the live runner, or update it, and start it if it is new; the files of its "
            "modules are read. Call it with plan true first, after check and test. rollbackFlow takes it back."
        )
        plan = {"type": "boolean", "description": "only say what it would do"}
        only = {"type": "string", "description": "only the tests whose name has this in it"}
        found = [
            OwnTool(
                tool("check", check, object_schema({"file": FILE}, ["file"])),
                lambda arguments, done: self._run(["check"], [], arguments, done),
            ),
            OwnTool(
                tool("test", test, object_schema({"file": FILE, "only": only}, ["file"])),
                lambda arguments, done: self._run(["test"], _if(arguments, "only", "-k"), arguments, done),
            ),
            OwnTool(
                tool("apply", apply, object_schema({"file": FILE, "plan": plan}, ["file"]), reads=False, destroys=True),
                lambda arguments, done: self._run(
                    ["apply", *self._runner], ["--plan"] if arguments.get("plan") else [], arguments, done
                ),
            ),
        ]  # fmt: skip
        return {one.shown["name"]: one for one in found}

    def _run(
        self, verb: list[str], options: list[str], arguments: dict[str, Any], done: Done
    ) -> Callable[[], None] | None:
        file = arguments.get("file")
        if not isinstance(file, str) or not file:
            done(Reply(request_id="", ok=False, error=f"{verb[0]} wants `file`, the path of a file"))
            return None
        command = [*self._begin, *verb, "--json", *options, "--", file]
        pipe = subprocess.PIPE
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)
        with self._lock:
            self._live.add(child)
        threading.Thread(target=self._wait, args=(child, done), daemon=True).start()
        return child.terminate

    def _wait(self, child: subprocess.Popen[str], done: Done) -> None:
        output, errors = child.communicate()
        with self._lock:
            self._live.discard(child)
        try:
            value = json.loads(output)
        except ValueError:
            value = output or errors
        if child.returncode == 0:
            done(Reply(request_id="", ok=True, value=value))
        else:
            done(Reply(request_id="", ok=False, error=errors.strip() or "refused", data=value if output else None))

    def end(self) -> None:
        """Those that still run end, with their hosts."""
        with self._lock:
            live = list(self._live)
        for child in live:
            child.terminate()
        for child in live:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(END_S)


def _if(arguments: dict[str, Any], name: str, option: str) -> list[str]:
    value = arguments.get(name)
    return [f"{option}={value}"] if value else []
