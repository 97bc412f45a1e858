"""Who comes too often is turned away by the kernel; others, this machine, and connections that are there are not."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from actors.system import gate
from actors.system.gate import Gate
from actors.system.turnstile import MAX_FROM_ALL, MAX_FROM_ONE


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as it:
        it.setblocking(False)
        yield it


def comes(listener: socket.socket, source: str) -> bool:
    """A connection from there gets as far as the listening process."""
    with socket.socket() as client:
        client.settimeout(20)
        client.bind((source, 0))
        client.connect(listener.getsockname())
        connection, (came_from, _) = listener.accept()
        connection.close()
        return bool(came_from == source)


def is_shut_out(listener: socket.socket, source: str) -> bool:
    """It does not: nobody answers its first packet."""
    with socket.socket() as client:
        client.settimeout(0.2)
        client.bind((source, 0))
        with pytest.raises(TimeoutError):
            client.connect(listener.getsockname())
        with pytest.raises(BlockingIOError):
            listener.accept()
        return True


def test_one_who_comes_too_often_waits_for_the_next_second(listener: socket.socket) -> None:
    it = Gate(listener, "127.0.0.1")
    with socket.socket() as known:
        known.bind(("127.0.0.2", 0))
        known.connect(listener.getsockname())
        connection, _ = listener.accept()
        assert all(it.admits("127.0.0.2", 7.1) for _ in range(MAX_FROM_ONE)) and comes(listener, "127.0.0.2")
        assert not it.admits("127.0.0.2", 7.2)
        assert is_shut_out(listener, "127.0.0.2")
        assert comes(listener, "127.0.0.1") and comes(listener, "127.0.0.3")
        known.sendall(b"x")
        connection.setblocking(True)
        assert connection.recv(1) == b"x"
        connection.close()
    it.look(7.9)
    assert it.until == 8.0 and is_shut_out(listener, "127.0.0.2")
    it.look(8.0)
    assert it.until > 8.0 and comes(listener, "127.0.0.2")


def test_all_others_together(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    it = Gate(listener, "127.0.0.1")
    assert all(it.admits(f"127.0.1.{number % 100}", 7.0) for number in range(MAX_FROM_ALL))
    assert not it.admits("127.0.0.2", 7.5)
    assert comes(listener, "127.0.0.1") and is_shut_out(listener, "127.0.0.3")
    it.look(8.0)
    assert comes(listener, "127.0.0.3")
    monkeypatch.setattr(gate, "MAX_SHUT_OUT", 1)
    for source in ("127.0.0.2", "127.0.0.4"):
        assert [it.admits(source, 9.0) for _ in range(MAX_FROM_ONE + 1)][-1] is False
    assert comes(listener, "127.0.0.1") and is_shut_out(listener, "127.0.0.3")


def test_where_the_kernel_has_no_filter_he_is_refused_all_the_same() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        it = Gate(listener, "::1")
        assert [it.admits("::2", 7.0) for _ in range(MAX_FROM_ONE + 1)] == [True] * MAX_FROM_ONE + [False]
        it.look(8.0)
        assert it.admits("::2", 8.0)
