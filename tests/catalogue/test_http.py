"""HTTP, WebSocket, mail and the timer, against servers that the tests are."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import queue
import socketserver
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.catalogue.running import lines, run, running, write_flow
from tests.harness import need

Answers = list[tuple[int, str, dict[str, str]]]


class Site(ThreadingHTTPServer):
    """Gives its answers one after the other, the last one again and again; keeps what it was asked."""

    daemon_threads = True

    def __init__(self, answers: Answers) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.answers, self.asked = answers, list[tuple[str, str, dict[str, str], str]]()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Page(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers, body))
        status, text, more = self.server.answers[min(len(self.server.asked), len(self.server.answers)) - 1]
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(text)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_PUT = do_GET

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def site(*answers: tuple[int, str] | tuple[int, str, dict[str, str]]) -> Iterator[Site]:
    with Site([(one[0], one[1], one[2] if len(one) == 3 else {}) for one in answers]) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_a_poll_sends_what_has_changed(tmp_path: Path) -> None:
    need("node")
    answers = (
        (200, '{"a":1}', {"etag": '"x"'}),
        (200, '{"a":1}'),
        (304, ""),
        (500, "no"),
        (200, "2", {"content-type": "text/plain"}),
    )
    with site(*answers) as it:
        config = {"url": it.url, "every_s": 0.01, "changes": True, "times": 5, "headers": {"x-key": "k"}}
        write_flow(
            tmp_path, {"ask": {"use": "http-poll", "config": config, "restart": {"times": 5, "backoff_s": 0}}}, []
        )
        with running(tmp_path, "-o", "ask.out=got") as flow:
            flow.wait_for(lambda: len(lines(tmp_path / "got")) == 2)
            flow.process.kill()
        assert it.asked[1][2]["if-none-match"] == '"x"' and it.asked[0][2]["x-key"] == "k"
    assert lines(tmp_path / "got") == [{"a": 1}, "2"]


def test_a_request_tries_again_only_what_may_get_better(tmp_path: Path) -> None:
    need("node")
    with site((503, "later"), (429, "", {"retry-after": "0"}), (201, '{"id":7}'), (404, "no such thing")) as it:
        config = {"url": it.url + "/orders/{order.id}?x=1", "method": "PUT", "backoff_s": 0.01, "per_s": 1000}
        write_flow(tmp_path, {"book": {"use": "http-request", "config": config}}, [])
        stdin = '{"order":{"id":"a b"}}\n{"order":{"id":2}}\n'
        run(tmp_path, "-i", "book.in=-", "-o", "book.out=got", "-o", "book.error=bad", stdin=stdin)
    assert lines(tmp_path / "got") == [{"status": 201, "body": {"id": 7}, "request": {"order": {"id": "a b"}}}]
    (bad,) = lines(tmp_path / "bad")
    assert "try 1: 404: no such thing" in bad["error"]["message"]
    assert [(method, path) for method, path, _, _ in it.asked] == [
        *[("PUT", "/orders/a%20b?x=1")] * 3, ("PUT", "/orders/2?x=1"),
    ]  # fmt: skip
    keys = [headers["idempotency-key"] for _, _, headers, _ in it.asked]
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_a_webhook_is_signed_and_repeated_until_it_is_taken(tmp_path: Path) -> None:
    need("node")
    with site((500, ""), (202, ""), (400, "not so")) as it:
        config = {"url": it.url, "secret": "sesame", "backoff_s": 0.01}
        write_flow(tmp_path, {"tell": {"use": "webhook", "config": config}}, [])
        run(tmp_path, "-i", "tell.in=-", "-o", "tell.error=bad", stdin='{"a":"ü"}\n2\n')
    (bad,) = lines(tmp_path / "bad")
    assert "400: not so" in bad["error"]["message"]
    (_, _, first, body), (_, _, second, again), (_, _, third, last) = it.asked
    assert json.loads(body) == {"a": "ü"} and body == again and last == "2"
    assert first["x-signature-256"] == "sha256=" + hmac.new(b"sesame", body.encode(), hashlib.sha256).hexdigest()
    assert first["ce-id"] == second["ce-id"] != third["ce-id"] and first["ce-type"] == "f.tell"


@contextmanager
def talking(talk: Callable[[ServerConnection], Awaitable[None]]) -> Iterator[int]:
    """The port of a WebSocket server."""
    loop, over = asyncio.new_event_loop(), asyncio.Event()
    port: queue.Queue[int] = queue.Queue()

    async def serving() -> None:
        async with serve(talk, "127.0.0.1", 0) as server:
            port.put(next(iter(server.sockets)).getsockname()[1])
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serving(),))
    thread.start()
    try:
        yield port.get(timeout=60)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def test_a_websocket_is_connected_again(tmp_path: Path) -> None:
    need("node")
    said: list[Any] = []

    async def talk(connection: ServerConnection) -> None:
        said.append(json.loads(await connection.recv()))
        for text in (f'{{"n":{len(said)}}}', "text", b"\x01\x02"):
            await connection.send(text)

    with talking(talk) as port:
        config = {"url": f"ws://127.0.0.1:{port}", "subscribe": [{"channel": "x"}]}
        source = {"use": "websocket", "config": config, "restart": {"times": 100, "backoff_s": 0.01}}
        write_flow(tmp_path, {"listen": source}, [])
        with running(tmp_path, "-o", "listen.out=got") as flow:
            flow.wait_for(lambda: len(lines(tmp_path / "got")) >= 6)
            flow.stop()
    octets = {"$bytes": base64.b64encode(b"\x01\x02").decode()}
    assert lines(tmp_path / "got")[:6] == [{"n": 1}, "text", octets, {"n": 2}, "text", octets]
    assert said[:2] == [{"channel": "x"}] * 2


class Smtp(socketserver.StreamRequestHandler):
    """As much of SMTP as one mail needs."""

    mails: list[str]

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper().strip()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b""
                while (line := self.rfile.readline()) != b".\r\n":
                    if not line:
                        return  # whoever sent it is dead
                    text += line
                line = text
            answer = self.answer(line)
            if word == b"DATA" and answer.startswith(b"250"):
                self.mails.append(text.decode())
            self.wfile.write(answer)
            if word == b"QUIT":
                return

    def answer(self, line: bytes) -> bytes:
        """To a command, or to a mail."""
        return {b"EHLO": b"250 here\r\n", b"QUIT": b"221 bye\r\n"}.get(line[:4].upper().strip(), b"250 ok\r\n")


def test_a_mail_for_each_message(tmp_path: Path) -> None:
    Smtp.mails = []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        config = {
            "host": "127.0.0.1", "port": server.server_address[1],
            "from": "a@example.org", "to": ["b@example.org", "c@example.org"],
            "subject": "{device.id} is hot", "text": "{celsius} degrees,\nnot {nothing}",
        }  # fmt: skip
        write_flow(tmp_path, {"tell": {"use": "mail", "config": config}}, [])
        run(tmp_path, "-i", "tell.in=-", stdin='{"device":{"id":"oven\\nBcc: x"},"celsius":41}\n')
        server.shutdown()
        thread.join()
    (mail,) = Smtp.mails
    head, _, text = mail.partition("\r\n\r\n")
    assert "Subject: oven Bcc: x is hot" in head and "To: b@example.org, c@example.org" in head and "\nBcc" not in head
    assert "Message-ID: <f-" in head and text.split("\r\n")[:2] == ["41 degrees,", "not "]


@pytest.mark.parametrize(
    "config", [{"every_s": 0.05, "times": 3}, {"cron": "* * * * * *", "times": 1, "message": {"a": 1}}]
)
def test_the_timer(tmp_path: Path, config: dict[str, Any]) -> None:
    write_flow(tmp_path, {"clock": {"use": "timer", "config": config}}, [])
    run(tmp_path, "-o", "clock.out=got")
    got = lines(tmp_path / "got")
    assert got == [{"a": 1}] if "message" in config else [one["n"] for one in got] == [1, 2, 3]
