"""Somebody on another machine who floods the ports of a deployment: a program. A line on standard input says how."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import sys
from collections import deque
from collections.abc import Iterable

OPEN = 1000
KINDS = ("half-open", "random", "huge", "tls", "drip")


def tls_hello() -> bytes:
    """What costs the other side a signature."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    going = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), going).do_handshake()
    return going.read()


class Flood:
    """As many connections as one process makes, the last thousand open; each says what its kind says."""

    def __init__(self, kind: str, address: str, ports: list[int]) -> None:
        self.kind, self.address, self.ports = kind, address, ports
        self.open, self.made = deque[socket.socket](), 0
        what = {"random": os.urandom(3000), "huge": b"%d>" % (1 << 30) + bytes(60_000), "tls": tls_hello()}
        self.says = what.get(kind, b"")

    def turn(self) -> None:
        """A connection more to each port; the oldest go."""
        if self.kind == "spin":  # costs the processor, and nothing else
            sum(range(10_000))
            return
        for port in self.ports:
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex((self.address, port))
            self.open.append(client)
            self.made += 1
        while len(self.open) > OPEN:
            self.open.popleft().close()
        if self.kind == "drip":  # a message, a byte at a time
            self.say(self.open, b"0")
        elif self.says:
            self.say(list(self.open)[-100:], self.says)

    def say(self, to: Iterable[socket.socket], data: bytes) -> None:
        """To those that are connected."""
        for client in to:
            with contextlib.suppress(OSError):
                client.send(data)


def main() -> None:
    """Until its input ends; answers how many connections it has made when it is told something else."""
    (address, *ports), flood = sys.argv[1:], None
    while True:
        if flood is not None and not select.select([sys.stdin], [], [], 0)[0]:
            flood.turn()
            continue
        line = sys.stdin.readline().strip()
        if flood is not None:
            for client in flood.open:
                client.close()
            print(flood.made, flush=True)
        if not line:
            return
        flood = Flood(line, address, [*map(int, ports)]) if line != "calm" else None


if __name__ == "__main__":
    main()
