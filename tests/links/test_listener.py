"""What strangers can do to the port where other runners connect."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.links import keys
from actors.links.listener import MAX_STRANGERS
from actors.messages.link_to_owner import PeerFound
from actors.messages.owner_to_link import PeerAt
from tests.links.plant import Plant, plant, seed


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Plant]:
    with plant(tmp_path / "keys") as it:
        yield it


def turn(plant: Plant, times: int = 20) -> None:
    for _ in range(times):
        plant.system.base.wakeupAfter(plant.a.address, 0.005, None)
        plant.system.base.turn(block=True)


def works(plant: Plant) -> bool:
    plant.connect()
    plant.until(lambda: any(isinstance(told, PeerFound) for told in plant.a.told))
    return True


def strangers(plant: Plant) -> int:
    return len(plant.instance(plant.listener).strangers)


def is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        while client.recv(65536):
            pass
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    return True


def test_bytes_that_are_no_tls_are_refused(two: Plant, caplog: pytest.LogCaptureFixture) -> None:
    number = seed()
    print("seed", number)
    rng = random.Random(number)
    caplog.set_level(logging.WARNING)
    clients, begun = [], time.monotonic()
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x80\x04", b"\xff" * 100_000, *(rng.randbytes(500) for _ in range(50))):
        client = socket.create_connection(("127.0.0.1", two.port))
        with contextlib.suppress(OSError):
            client.sendall(data)
        clients.append(client)
    two.until(lambda: all(map(is_closed, clients[:2])))
    for client in clients:
        client.close()
    two.until(lambda: not strangers(two))
    lines = [record.message for record in caplog.records if "a connection from 127.0.0.1: refused" in record.message]
    assert 1 <= len(lines) <= time.monotonic() - begun + 1  # one a second
    assert works(two)


def test_connections_that_say_nothing_are_few_and_short(two: Plant) -> None:
    clients = []
    for _ in range(3):
        clients += [socket.create_connection(("127.0.0.1", two.port)) for _ in range(80)]
        turn(two)
    assert strangers(two) == MAX_STRANGERS
    two.until(lambda: not strangers(two))
    assert all(map(is_closed, clients))
    for client in clients:
        client.close()
    assert works(two)


@pytest.mark.parametrize("whose", ["stranger", "of another authority", "without a certificate"])
def test_who_has_no_certificate_of_a_peer_is_refused(two: Plant, tmp_path: Path, whose: str) -> None:
    folder, name = two.folder, "stranger"
    if whose == "of another authority":
        folder, name = tmp_path / "other", "a"
        keys.make_authority(folder, "other")
        keys.make_certificate(folder, name)
    context = keys.contexts(folder, name).client
    if whose != "stranger":
        context.verify_mode = ssl.CERT_NONE
    if whose == "without a certificate":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    sock = socket.create_connection(("127.0.0.1", two.port))
    sock.setblocking(False)
    client = context.wrap_socket(sock, do_handshake_on_connect=False)
    while True:
        turn(two, 2)
        try:
            client.do_handshake()
            break
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            continue
    with contextlib.suppress(OSError):
        client.sendall(os.urandom(100))
    two.until(lambda: is_closed(client))
    client.close()
    assert not strangers(two)
    assert not two.b.told
    assert works(two)


def test_who_calls_itself_another_runner_than_its_certificate_does_is_refused(two: Plant) -> None:
    two.contexts["a"] = keys.contexts(two.folder, "stranger")
    liar = two.peer(two.a, "a", "b")
    two.tell(two.a, liar, PeerAt(place=("127.0.0.1", two.port)))
    turn(two, 50)
    assert not two.b.told
    assert works(two)


def test_keys_are_their_owners(two: Plant) -> None:
    files = [file for file in two.folder.rglob("*") if file.is_file()]
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in files} == dict.fromkeys(
        ("ca.crt", "ca.key", "control.key", "a.pem", "b.pem", "stranger.pem"), "0o600"
    )
    with pytest.raises(FileExistsError):
        keys.make_authority(two.folder, "again")
    with pytest.raises(FileExistsError):
        keys.make_certificate(two.folder, "a")
