"""Nothing that arrives on a port of a deployment is unpickled unless it carries the deployment's signature."""

from __future__ import annotations

import hashlib
import hmac
import os
import pickle
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.system.signing import MAX_MESSAGE_BYTES, CappedBuffer, SignedPickle, UnsignedMessageError, make_key
from tests.deployments import Plant, listening, plant

TOUCH = "import pathlib; pathlib.Path({!r}).touch()"


class Attack:
    """Runs code where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return exec, (TOUCH.format(str(self.path)),)


def test_signed_pickle_round_trip() -> None:
    signed = SignedPickle(b"k" * 32)
    assert signed.loads(signed.dumps({"a": [1, None]})) == {"a": [1, None]}


@pytest.mark.parametrize("position", [0, 31, 32, -1])
def test_a_changed_byte_is_refused(position: int) -> None:
    signed = SignedPickle(b"k" * 32)
    data = bytearray(signed.dumps("hello"))
    data[position] ^= 1
    with pytest.raises(UnsignedMessageError):
        signed.loads(bytes(data))


def test_nothing_is_unpickled_without_a_signature(tmp_path: Path) -> None:
    attack, proof = pickle.dumps(Attack(tmp_path / "proof")), tmp_path / "proof"
    for data in (attack, b"", b"short", bytes(32) + attack, SignedPickle(b"other key").dumps(Attack(proof))):
        with pytest.raises(UnsignedMessageError):
            SignedPickle(b"k" * 32).loads(data)
    assert not proof.exists()
    SignedPickle(b"k").loads(SignedPickle(b"k").dumps(Attack(proof)))
    assert proof.exists()  # the attack does work where it is let in


@pytest.mark.parametrize(
    "data", [b"%d>" % (MAX_MESSAGE_BYTES + 1), b"-1>", b"x>", b"1" * 30, b"9" * 4000 + b">", b">", b"\x80\x04" * 20]
)
def test_a_bad_length_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="a message|invalid literal|int string"):
        CappedBuffer(pickle.loads).addMore(data)


def test_capped_buffer_takes_split_messages() -> None:
    signed = SignedPickle(b"k")
    body = signed.dumps("value")
    text = b"%d>" % len(body) + body
    buffer = CappedBuffer(signed.loads)
    for index in range(len(text)):
        buffer.addMore(text[index : index + 1])
    assert buffer.completed() == ("value", b"")


def test_key_file(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == key and len(key) == 32
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert make_key(tmp_path / "key") != key


# a whole deployment ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with plant(tmp_path_factory.mktemp("signing")) as deployment:
        deployment.wait_until_up()
        yield deployment


def _send(port: int, data: bytes) -> None:
    """Send, then read until the other side closes or answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            # else closed on us, perhaps before we had said all: fine


def _framed(body: bytes) -> bytes:
    return b"%d>" % len(body) + body


def test_every_port_refuses_what_is_not_signed(up: Plant, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    attack = pickle.dumps((None, Attack(proof)))
    wrong = hmac.digest(os.urandom(32), attack, hashlib.sha256) + attack
    ports = listening(up.pids())
    assert len(ports) >= 5, ports  # up, admin, logger, dispatcher, runner
    for _, port in ports:
        for data in (
            _framed(attack),
            _framed(wrong),
            attack,
            b"%d>" % (1 << 40) + b"x" * 100,
            b"-5>xxxxxxxx",
            b"7" * 99,
        ):
            _send(port, data)
    with up.client() as client:
        assert client.send_message("echo/a", "in", 1)
        assert client.flow_state("echo")["state"] == "running"
    assert up.cli("audit").returncode == 0
    assert not proof.exists()
    assert up.process.poll() is None
    assert len(listening(up.pids())) == len(ports)


def test_ports_are_on_loopback_and_the_key_is_private(up: Plant) -> None:
    assert {address for address, _ in listening(up.pids())} == {"127.0.0.1"}
    assert (up.folder.path / "key").stat().st_mode & 0o777 == 0o600
    (socket_file,) = up.state.glob("runs/*/api.sock")
    assert socket_file.stat().st_mode & 0o777 == 0o600
    assert up.folder.path.stat().st_mode & 0o777 == 0o700
