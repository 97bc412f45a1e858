"""A flow that is served: `runner run --serve` in a process of its own, and what a test asks of its gateway."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from websockets.sync.client import ClientConnection, connect

FLOW = """
id: shop
modules:
  echo:
    runtime: python3
    code: |
      def run(message, context):
          context.set("n", context.get("n", 0) + 1)
          return message
  heads:
    runtime: python3
    code: |
      def run(message, context):
          return {"message": message, "headers": dict(context.headers or {})}
  stuck:
    runtime: python3
    code: |
      import threading
      def run(message, context):
          threading.Event().wait()
"""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    """The address, the tokens, and requests."""

    def __init__(self, state: Path, process: subprocess.Popen[str], host: str, port: int) -> None:
        self.state, self.process, self.host, self.port = state, process, host, port
        self.token = (state / "gateway.token").read_text().strip()
        self.client_token = (state / "gateway.client-token").read_text().strip()
        self.address = f"http://{host}:{port}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, token: str | None = "", **headers: str
    ) -> Answer:  # fmt: skip
        """A request; with the good token if none is given."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            told["Authorization"] = f"Bearer {token or self.token}"
        try:
            connection.request(method, path, body, told)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def post(self, path: str, value: Any, **headers: str) -> Answer:
        """JSON."""
        return self.ask("POST", path, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def call(self, method: str, *params: Any) -> Any:
        """A call of the API; its result."""
        answer = self.post("/rpc", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).json
        assert "result" in answer, answer
        return answer["result"]

    def websocket(self, token: str | None = "", **options: Any) -> ClientConnection:
        """A WebSocket on /rpc, as a browser opens it."""
        protocols = ["runner.v1"] + ([] if token is None else [f"token.{token or self.token}"])
        return connect(f"ws://{self.host}:{self.port}/rpc", subprotocols=protocols, compression=None, **options)

    def raw(self) -> socket.socket:
        """A connection that says nothing yet."""
        return socket.create_connection((self.host, self.port), timeout=60)


@contextmanager
def serving(folder: Path, flow: str = FLOW, *options: str) -> Iterator[Served]:
    """The flow, until the block is over; it ends in order."""
    (folder / "shop.yaml").write_text(flow)
    state = folder / "state"
    command = [sys.executable, "-m", "actors.console", "--state", str(state)]
    command += ["run", str(folder / "shop.yaml"), "--serve", "127.0.0.1:0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        said = ""
        while not (found := re.search(r"the gateway is at http://([\d.]+):(\d+);(?s:.*) started, ", said)):
            line = process.stderr.readline()
            assert line, said
            said += line
        try:
            yield Served(state, process, found[1], int(found[2]))
        finally:
            process.send_signal(signal.SIGTERM)
            rest = process.communicate(timeout=60)[1]
        assert process.returncode == 0, rest
        assert "Traceback" not in rest, rest
