"""Strangers who come all the time: `python -m tests.links.crowd HOST:PORT ...` until the end of its input.

1,000 of them say nothing; others say random bytes, HTTP, a record of TLS that never ends, or half of a handshake.
Prints `there` when the first thousand is, at the end how many came.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import socket
import ssl
import sys

SILENT = 1000


def say(rng: random.Random) -> bytes:
    hello = ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(ssl.SSLWantReadError):
        client.wrap_bio(ssl.MemoryBIO(), hello).do_handshake()
    first = hello.read()
    return rng.choice(
        [
            rng.randbytes(rng.randint(1, 5000)),
            b"GET / HTTP/1.1\r\nContent-Length: 1073741824\r\n\r\n",
            b"\x16\x03\x01\xff\xff" + b"\x00" * 70_000,
            b"\x00\x00\x00\x40" + b"\x20" + b"\x00" * 19,  # a frame of 1 GiB, before any TLS
            b"\x80\x05cos\nsystem\n(S'touch /tmp/crowd'\ntR.",
            first[: rng.randint(1, len(first))],
            first,
        ]
    )


def main() -> None:
    places = [(host, int(port)) for host, _, port in (place.partition(":") for place in sys.argv[1:])]
    rng = random.Random(int(os.environ.get("SEED", "1")))
    silent: list[socket.socket] = []
    came = 0
    while not select.select([sys.stdin], [], [], 0.001)[0]:
        with contextlib.suppress(OSError):
            client = socket.create_connection(rng.choice(places), 1)
            came += 1
            if len(silent) < SILENT or rng.random() < 0.5:
                silent.append(client)
                if len(silent) > SILENT:
                    silent.pop(0).close()
            else:
                client.sendall(say(rng))
                client.close()
        if came == SILENT:
            print("there", flush=True)
    print(came, flush=True)


if __name__ == "__main__":
    main()
