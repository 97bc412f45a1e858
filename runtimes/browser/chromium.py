"""The browser's core as a host for `runner conformance browser`: in a Worker of a headless Chromium of its own.

Flows do not start this: their hosts are the pages that have joined. It passes bytes between the two pipes and a page,
which it serves itself, on loopback.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from http import HTTPStatus
from pathlib import Path

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

RUNTIMES = Path(__file__).parent.parent
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-extensions",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-background-networking",
)  # fmt: skip
READ_BYTES = 256 << 10
CONNECT_S = 60.0
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")  # whoever kills the host leaves no browser behind
PAGE = b"<!doctype html><script type=module src=/browser/conformance.mjs></script>"
STRICT = "default-src 'self'; script-src 'self' blob:; worker-src 'self' blob:; connect-src 'self' ws:"


def main() -> int:
    """Until the runner closes its pipe, or the page ends."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        print("there is no chromium: apt-get install chromium", file=sys.stderr)
        return 1
    source, sink = (os.open(path, flags) for path, flags in zip(sys.argv[-2:], (os.O_RDONLY, os.O_WRONLY), strict=True))
    link = Link(source, sink)
    with serve(link.talk, "127.0.0.1", 0, process_request=answer, compression=None, max_size=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with tempfile.TemporaryDirectory(prefix="chromium-", dir=Path.cwd(), ignore_cleanup_errors=True) as profile:
            return browse(program, profile, server, link)


def browse(program: str, profile: str, server: Server, link: Link) -> int:
    """Start the browser, wait for the end, leave nothing of it."""
    address = f"http://127.0.0.1:{server.socket.getsockname()[1]}/?pid={os.getpid()}"
    browser = subprocess.Popen(
        [*DIES_WITH_US, program, *OPTIONS, f"--user-data-dir={profile}", address],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    signal.signal(signal.SIGTERM, lambda *_: link.end(1))
    try:
        return link.wait()
    finally:
        browser.kill()
        browser.wait()


def answer(_connection: ServerConnection, request: Request) -> Response | None:
    """The page and the core's files; a WebSocket goes on to `talk`."""
    if request.path == "/link":
        return None
    path = request.path.partition("?")[0]
    file = (RUNTIMES / path.lstrip("/")).resolve()
    if path == "/":
        body, kind = PAGE, "text/html"
    elif file.suffix == ".mjs" and file.is_relative_to(RUNTIMES) and file.is_file():
        body, kind = file.read_bytes(), "text/javascript"
    else:
        return Response(HTTPStatus.NOT_FOUND, "Not Found", Headers({"Content-Length": "0"}))
    headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Content-Security-Policy": STRICT}
    return Response(HTTPStatus.OK, "OK", Headers(headers), body)


class Link:
    """Between the pipes and the page."""

    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink
        self._connected, self._over = threading.Event(), threading.Event()
        self._status = 0

    def talk(self, page: ServerConnection) -> None:
        """Of the one page that there is: bytes are the host's, a text is its end."""
        self._connected.set()
        threading.Thread(target=self._forward, args=(page,), daemon=True).start()
        try:
            for message in page:
                if isinstance(message, str):
                    status, _, why = message.partition(" ")
                    if why:
                        print(f"browser host: {why}", file=sys.stderr)
                    self.end(int(status))
                    return
                left = memoryview(message)
                while left:
                    left = left[os.write(self._sink, left) :]
        except (ConnectionClosed, BrokenPipeError):
            self.end(0)

    def _forward(self, page: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while data := os.read(self._source, READ_BYTES):
                page.send(data)
            self.end(0)

    def end(self, status: int) -> None:
        """It is over: exit with this status."""
        self._status = status
        self._over.set()

    def wait(self) -> int:
        """Until the end; returns the status to exit with."""
        if not self._connected.wait(CONNECT_S):
            print("browser host: the page has not come", file=sys.stderr)
            return 1
        self._over.wait()
        return self._status


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # threads may still read
