"""Clients that break the rules, never read, say everything slowly: the right status or close code, and nobody else is
disturbed.
"""

from __future__ import annotations

import base64
import os
import re
import socket
import struct
from collections.abc import Iterator

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.doors.caller import Caller
from actors.gateway.client import BODY_S, CLOSE_S, HEAD_S, IDLE_S, PONG_S, Client
from actors.gateway.http import Head, HttpRequest
from tests.gateway.served import Served

TEXT, BINARY, CLOSE, PING_FRAME, CONT = 1, 2, 8, 9, 0
CALL = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
GROWTH_BYTES = 8 << 20


def frame(opcode: int, data: bytes = b"", fin: bool = True, masked: bool = True, rsv: int = 0) -> bytes:
    head = bytes([fin << 7 | rsv << 4 | opcode])
    mask = masked << 7
    if len(data) < 126:
        head += bytes([mask | len(data)])
    elif len(data) < 1 << 16:
        head += bytes([mask | 126]) + struct.pack(">H", len(data))
    else:
        head += bytes([mask | 127]) + struct.pack(">Q", len(data))
    return head + (b"\0\0\0\0" if masked else b"") + data


def handshake(served: Served, **changes: str | None) -> bytes:
    headers = {
        "Host": "x", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Protocol": f"runner.v1, token.{served.token}",
    }  # fmt: skip
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}  # type: ignore[misc]
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None)
    return f"GET /rpc HTTP/1.1\r\n{lines}\r\n".encode()


def everything(sock: socket.socket) -> bytes:
    said = b""
    try:
        while data := sock.recv(65536):
            said += data
    except ConnectionResetError:
        pass
    return said


@pytest.fixture(autouse=True)
def undisturbed(served: Served) -> Iterator[None]:
    process = psutil.Process(served.process.pid)
    before = process.memory_info().rss
    yield
    assert served.call("ping") is True
    assert process.memory_info().rss - before < GROWTH_BYTES


# frames -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (frame(TEXT, CALL, rsv=1), 1002),
        (frame(3), 1002),
        (frame(11), 1002),
        (frame(TEXT, CALL, masked=False), 1002),
        (frame(PING_FRAME, b"x" * 126), 1002),
        (frame(PING_FRAME, fin=False), 1002),
        (frame(CONT, b"x"), 1002),
        (frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), 1002),
        (frame(CLOSE, struct.pack(">H", 1005)), 1002),
        (frame(CLOSE, b"\0"), 1002),
        (frame(BINARY, CALL), 1003),
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT, b"\xce", fin=False) + frame(CONT, b"\xce"), 1007),
        (b"\x81\xff" + struct.pack(">Q", 1 << 62) + b"\0\0\0\0", 1009),
        (b"\x81\xff" + struct.pack(">Q", 17 << 20) + b"\0\0\0\0", 1009),
        (frame(TEXT, fin=False) + frame(CONT, fin=False) * 2000, 1009),
        (frame(CLOSE, struct.pack(">H", 1000)), 1000),
    ],
)
def test_what_breaks_the_rules_is_closed(served: Served, frames: bytes, code: int) -> None:
    with served.raw() as sock:
        sock.sendall(handshake(served))
        assert b" 101 " in sock.recv(4096)
        sock.sendall(frames)
        said = everything(sock)
    assert said[0] == 0x80 | CLOSE
    assert struct.unpack(">H", said[2:4]) == (code,)


def test_fragments_are_joined(served: Served) -> None:
    with served.raw() as sock:
        sock.sendall(handshake(served) + frame(TEXT, CALL[:7], fin=False) + frame(PING_FRAME) + frame(CONT, CALL[7:]))
        said = b""
        while b'"result":true' not in said:
            said += sock.recv(4096)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Sec_WebSocket_Key": "short"}, 400),
        ({"Sec_WebSocket_Version": "8"}, 400),
        ({"Upgrade": "h2c"}, 426),
        ({"Connection": "close"}, 426),
        ({"Sec_WebSocket_Protocol": None}, 401),
        ({"Sec_WebSocket_Protocol": "token."}, 401),
        ({"Origin": "null"}, 403),
        ({"X": "y" * 9000}, 431),
    ],
)
def test_a_bad_handshake_is_answered(served: Served, changes: dict[str, str | None], status: int) -> None:
    with served.raw() as sock:
        sock.sendall(handshake(served, **changes))
        assert sock.recv(4096).startswith(f"HTTP/1.1 {status} ".encode())


# HTTP ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "statuses"),
    [
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"\0" * 500, [b"400"]),
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", [b"505"]),
        (b"GET / HTTP/1.1\r\n\r\n", [b"400"]),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 5000 + b"\r\n", [b"431"]),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 100_000 + b"\r\n\r\n", [b"431"]),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", [b"431"]),
        (b"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", [b"401"]),
        (b"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", [b"400"]),
        (b"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", [b"400"]),
        (b"POST /rpc HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", [b"401"]),
        (
            b"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            [b"400"],
        ),
        (b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n", [b"400"]),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", [b"404"]),
    ],
)
def test_what_is_no_request_is_refused(served: Served, request_: bytes, statuses: list[bytes]) -> None:
    with served.raw() as sock:
        sock.sendall(request_)
        sock.shutdown(socket.SHUT_WR)
        found = re.match(rb"HTTP/1.1 (\d+)", everything(sock))
    assert found
    assert found[1] in statuses


def test_a_body_that_goes_on_is_cut_off(served: Served) -> None:
    """Also one of a client with the token, in chunks."""
    head = f"POST /in/shop/echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token}\r\n"
    with served.raw() as sock:
        sock.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(1000):
                sock.sendall(chunk)


def test_a_client_that_does_not_read_costs_little(served: Served) -> None:
    """It asks and asks; the memory is looked at afterwards."""
    with served.raw() as sock:
        sock.settimeout(2)
        sock.sendall(handshake(served))
        call = frame(TEXT, b'{"jsonrpc":"2.0","id":1,"method":"listFlows"}')
        with pytest.raises(TimeoutError):
            while True:
                sock.sendall(call * 1000)
        assert served.call("ping") is True


def test_a_crowd_that_says_nothing_keeps_nobody_out(served: Served) -> None:
    """There is room for so many; then the oldest of those goes that have not asked for anything."""
    socks = [served.raw() for _ in range(520)]
    try:
        assert served.call("ping") is True
        assert all(everything_is_over(sock) for sock in socks[:8])
    finally:
        for sock in socks:
            sock.close()


def everything_is_over(sock: socket.socket) -> bool:
    sock.settimeout(60)
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.binary(max_size=3000), with_handshake=st.booleans(), cuts=st.lists(st.integers(0, 3000), max_size=4))
def test_any_bytes(served: Served, data: bytes, with_handshake: bool, cuts: list[int]) -> None:
    with served.raw() as sock:
        if with_handshake:
            sock.sendall(handshake(served))
            assert b" 101 " in sock.recv(4096)
        try:
            for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), 3000], strict=True):
                sock.sendall(data[begin:end])
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        everything(sock)
    assert served.ask("GET", "/healthz", token=None).status == 200


# deadlines: the clock is the test's ----------------------------------------------------------------------------------


class Site:
    """Answers everything at once, but /wait never."""

    def admit(self, head: Head) -> None:
        pass

    def route(self, client: Client, request: HttpRequest) -> None:
        if request.head.path == "/ws":
            client.upgrade(request.head, ())
        elif request.head.path != "/wait":
            client.answer(200, "text/plain", b"ok")

    def cors(self, _head: Head) -> dict[str, str]:
        return {}

    def caller(self, client: Client) -> Caller:
        return Caller("c", lambda _: None, client.answered)

    def has_left(self, caller: Caller) -> None:
        pass

    def has_output(self, client: Client) -> None:
        pass


WEBSOCKET = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "ends_after_s"),
    [
        ([], HEAD_S),
        ([b"GET"], HEAD_S),
        ([b"G", b"E", b"T"], HEAD_S),  # a byte a second is no progress
        ([b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", b"1", b"2"], BODY_S),
        ([GET], IDLE_S),
        ([GET, b"GET"], HEAD_S + 1),
        ([b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"], None),
        ([b"\0"], CLOSE_S),
        ([WEBSOCKET], IDLE_S + PONG_S + 1),
    ],
)
def test_how_long_a_client_is_waited_for(said: list[bytes], ends_after_s: float | None) -> None:
    """`said`: one thing a second; the client reads nothing but what fits into its socket."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    client = Client(ours, Site(), 0.0)
    ended = None
    with theirs:
        for second in range(100):
            if second < len(said) and not client.is_over:
                theirs.sendall(said[second])
                client.ready(1, float(second))
            if not client.is_over:
                client.look(float(second))
            if client.is_over and ended is None:
                ended = second
        client.end()
    if ends_after_s is None:
        assert ended is None
    elif said == [b"\0"]:
        assert ended is not None
        assert ended <= CLOSE_S + 1
    else:
        assert ended is not None
        assert ends_after_s <= ended <= ends_after_s + 2
