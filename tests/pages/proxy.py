"""Something between a page and the gateway that can be cut."""

from __future__ import annotations

import contextlib
import select
import socket
import threading


class Proxy:
    """Listens on a port of its own; what it passes on seems to come from the gateway's own page."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._cut = False
        self._thread = threading.Thread(target=self._run)
        self._wake, self._woken = socket.socketpair()
        self._thread.start()

    def _run(self) -> None:
        peers: dict[socket.socket, socket.socket] = {}
        while True:
            ready, _, _ = select.select([self._listener, self._woken, *peers], [], [])
            if self._woken in ready:
                if self._woken.recv(1) == b"q":
                    break
                for one in peers:
                    one.close()
                peers.clear()
                self._wake_done.set()
                continue
            for one in ready:
                if one is self._listener:
                    client = one.accept()[0]
                    if self._cut:
                        client.close()
                        continue
                    server = socket.create_connection(("127.0.0.1", self._target))
                    peers[client], peers[server] = server, client
                elif one in peers:
                    self._pass(one, peers)
        for one in peers:
            one.close()

    def _pass(self, one: socket.socket, peers: dict[socket.socket, socket.socket]) -> None:
        other = peers[one]
        try:
            data = one.recv(1 << 16)
            other.sendall(data.replace(b"127.0.0.1:%d" % self.port, b"127.0.0.1:%d" % self._target))
        except OSError:
            data = b""
        if not data:
            for end in (one, other):
                peers.pop(end, None)
                end.close()

    _wake_done = threading.Event()

    def cut(self) -> None:
        """Every connection is gone, and none can be made."""
        self._cut = True
        self._wake_done.clear()
        self._wake.send(b"c")
        self._wake_done.wait(10)

    def mend(self) -> None:
        """Connections can be made again."""
        self._cut = False

    def close(self) -> None:
        """The end of it."""
        self._wake.send(b"q")
        self._thread.join()
        for one in (self._listener, self._wake, self._woken):
            with contextlib.suppress(OSError):
                one.close()
