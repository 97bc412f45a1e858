"""Nothing that arrives on a port of a deployment is unpickled unless it is sealed, for that port, of now, and new."""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from thespian.actors import ActorAddress
from thespian.system.transport.IPBase import TCPv4ActorAddress

from actors.system import lobby, signing
from actors.system.sealing import WINDOW_S, KeyFile, Opener, RefusedError, Sealer, key_lines, new_key
from actors.system.signing import MAX_MESSAGE_BYTES, CappedBuffer, SealedBuffer
from tests.deployments import Plant, listening, plant
from tests.test_run import wait_for

HERE = b"12345678"

TOUCH = "open({!r}, 'a').write('x')"


class Attack:
    """Runs code where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return exec, (TOUCH.format(str(self.path)),)


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    path = tmp_path / "control.key"
    path.write_bytes(key_lines([new_key()]))
    return KeyFile(path)


@pytest.mark.parametrize(
    "data", [b"%d>" % (MAX_MESSAGE_BYTES + 1), b"-1>", b"x>", b"1" * 30, b"9" * 4000 + b">", b">", b"\x80\x04" * 20]
)
def test_a_bad_length_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="a message|invalid literal|int string"):
        CappedBuffer(pickle.loads).addMore(data)


def test_sealed_buffer_takes_split_messages(keys: KeyFile) -> None:
    sealer, opener = Sealer(keys), Opener(keys, HERE)
    body = sealer.seal(pickle.dumps("value"), sealer.new_id(), HERE)
    text = b"%d>" % len(body) + body
    buffer = SealedBuffer(opener)
    for index in range(len(text)):
        assert buffer.completed() is None
        buffer.addMore(text[index : index + 1])
    assert buffer.completed() == buffer.completed() == ("value", b"")  # Thespian asks twice


def test_an_acknowledgement_is_for_one_message(keys: KeyFile) -> None:
    sealer, opener = Sealer(keys), Opener(keys, HERE)
    mine, other = sealer.new_id(), sealer.new_id()
    for answers, expected in ((mine, "ACK"), (other, None)):
        body = sealer.seal(pickle.dumps("ACK"), sealer.new_id(), answers=answers)
        buffer = SealedBuffer(opener)
        buffer.answered = mine
        buffer.addMore(b"%d>" % len(body) + body)
        if expected is None:
            with pytest.raises(RefusedError, match="acknowledges another"):
                buffer.completed()
        else:
            assert buffer.completed() == (expected, b"")
    as_message = SealedBuffer(opener)  # where a message is expected
    as_message.addMore(b"%d>" % len(body) + body)
    with pytest.raises(RefusedError, match="acknowledges another"):
        as_message.completed()


# a whole deployment ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with plant(tmp_path_factory.mktemp("signing")) as deployment:
        deployment.wait_until_up()
        yield deployment


def _send(port: int, data: bytes) -> None:
    """Send, then read until the other side closes or answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
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


class Attacker:
    """Has what it likes of the deployment: other keys, and messages that it has captured."""

    def __init__(self, up: Plant) -> None:
        self.sealer = Sealer(KeyFile(up.folder.path / "keys" / "control.key"))
        self.wrong = up.folder.path.parent / "wrong.key"
        self.wrong.write_bytes(key_lines([new_key()]))

    def message(self, port: int, value: object, sealer: Sealer | None = None) -> bytes:
        """As an actor sends it to the one at this port."""
        sealer = sealer or self.sealer
        address = ActorAddress(TCPv4ActorAddress("127.0.0.1", port, external=True))
        return _framed(sealer.seal(pickle.dumps((address, value)), sealer.new_id(), signing._tag(address)))


@pytest.fixture
def attacker(up: Plant) -> Attacker:
    return Attacker(up)


def _ports(up: Plant) -> list[int]:
    ports = [port for _, port in listening(up.pids())]
    assert len(ports) >= 5, ports  # up, admin, logger, dispatcher, runner
    return ports


def _is_well(up: Plant) -> None:
    with up.client() as client:
        assert client.send_message("echo/a", "in", 1)
        assert client.flow_state("echo")["state"] == "running"
    assert up.cli("audit").returncode == 0
    assert up.process.poll() is None


def test_every_port_refuses_what_is_not_sealed(up: Plant, attacker: Attacker, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    attack = pickle.dumps((None, Attack(proof)))
    signed = hmac.digest(os.urandom(32), attack, "sha256") + attack
    ports = _ports(up)
    for port in ports:
        wrong = attacker.message(port, Attack(proof), Sealer(KeyFile(attacker.wrong)))
        bombs = [attack, _framed(attack), _framed(signed), wrong, _framed(os.urandom(500)), os.urandom(4000)]
        for data in [*bombs, b"%d>" % (1 << 30) + b"x" * 100, b"%d>" % (1 << 60), b"-5>xxxxxxxx", b"7" * 99, b">"]:
            _send(port, data)
    assert not proof.exists()
    _is_well(up)
    assert len(listening(up.pids())) == len(ports)
    assert "a control message from 127.0.0.1 was refused: it is not sealed with a key" in up.log.read_text()


def test_a_captured_message_is_executed_once(up: Plant, attacker: Attacker, tmp_path: Path) -> None:
    """The message is good: it is unpickled where it was sent to, which leaves a line; again, or elsewhere, not."""
    ports = _ports(up)
    for port in ports:
        proof = tmp_path / f"proof{port}"
        data = attacker.message(port, Attack(proof))
        for target in [other for other in ports if other != port]:
            _send(target, data)
        assert not proof.exists()
        _send(port, data)
        wait_for(proof.exists)
        assert proof.read_text() == "x"
        for target in ports:
            _send(target, data)
        assert proof.read_text() == "x"
    for port, words in ((ports[-2], "it was sent to another actor"), (ports[-1], "it came a second time")):

        def is_said() -> bool:
            _send(port, data)  # noqa: B023
            return words in up.log.read_text()  # noqa: B023

        wait_for(is_said)  # a source is spoken of once a second
    _is_well(up)


def test_an_old_message_is_refused(
    up: Plant, attacker: Attacker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    proof, now = tmp_path / "proof", time.time_ns()
    for seconds in (-WINDOW_S - 5, WINDOW_S + 5):
        monkeypatch.setattr(time, "time_ns", lambda: now + int(seconds * 1e9))  # noqa: B023
        for port in _ports(up):
            _send(port, attacker.message(port, Attack(proof)))
    monkeypatch.undo()
    assert not proof.exists()
    _is_well(up)


def test_a_thousand_half_open_connections(up: Plant) -> None:
    """None keeps a good client from its answers, few are kept, and those not for long."""
    facts = up.folder.read()
    dispatcher = psutil.Process(facts["dispatcherPid"])
    [(_, port)] = set(listening([facts["dispatcherPid"]])) - set(listening([facts["pid"]]))  # which it has inherited
    _round_trips(up)
    before = dispatcher.num_fds()
    with contextlib.ExitStack() as stack:
        for number in range(1000):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            if number % 2:
                client.sendall(b"60000>" + b"x" * 100)
        _round_trips(up)
        assert dispatcher.num_fds() <= before + lobby.MAX_STRANGERS + 5
        wait_for(lambda: dispatcher.num_fds() <= before + 5, 2 * lobby.STRANGER_S)
    _is_well(up)
    said = up.log.read_text()
    assert (
        f"{lobby.MAX_STRANGERS} connections have not sent a message yet" in said
        and "it has not sent a message in 10 s" in said
    )


def _round_trips(up: Plant) -> list[float]:
    """Through control, as an actor system of its own that joins this one; in seconds."""
    code = ASK.format(key=str(up.folder.path / "keys" / "control.key"), admin=up.folder.read()["adminPort"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    times: list[float] = json.loads(done.stdout)
    assert len(times) == 100
    return times


ASK = """
import json, time
from pathlib import Path
from actors.system import lobby, signing
signing.install(Path({key!r}))
from thespian.actors import ActorSystem
from actors.deployment.dispatcher import DispatcherActor
from actors.messages.client_to_runner import ListFlows
system = ActorSystem("multiprocTCPBase", capabilities={{"Admin Port": {admin}}}, transientUnique=True)
dispatcher = system.createActor(DispatcherActor, globalName="dispatcher")
times = []
for number in range(100):
    begun = time.monotonic()
    reply = system.ask(dispatcher, ListFlows(request_id=str(number)), 20)
    assert reply.ok and reply.request_id == str(number), reply
    times.append(time.monotonic() - begun)
print(json.dumps(times))
"""


def test_ports_are_on_loopback_and_the_key_is_private(up: Plant) -> None:
    assert {address for address, _ in listening(up.pids())} == {"127.0.0.1"}
    assert (up.folder.path / "keys" / "control.key").stat().st_mode & 0o777 == 0o600
    (socket_file,) = up.state.glob("runs/*/api.sock")
    assert socket_file.stat().st_mode & 0o777 == 0o600
    assert up.folder.path.stat().st_mode & 0o777 == 0o700
