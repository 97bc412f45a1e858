"""A deployment on a network, and somebody on another machine of it: network namespaces, joined by a cable."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from actors.deployment import key_folder
from tests.deployment.test_several_runners import until
from tests.deployments import RUNNER, TIMEOUT_S, cli, flow
from tests.machines import network

OURS, THEIRS = "10.77.0.1", "10.77.0.2"

ATTACK = """
import os, random, socket, ssl, struct, sys, time
bomb, ports = bytes.fromhex(sys.argv[1]), [int(port) for port in sys.argv[2:]]
open_ones = []
def say(port, data):
    with socket.create_connection(("10.77.0.1", port), timeout=60) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
for port in ports:
    framed = b"%d>" % len(bomb) + bomb
    for data in (bomb, framed, b"%d>" % (1 << 30) + b"x" * 1000, os.urandom(3000), b"GET / HTTP/1.1\\r\\n\\r\\n"):
        say(port, data)
    for number in range(1000 // len(ports)):
        open_ones.append(socket.create_connection(("10.77.0.1", port), timeout=60))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with context.wrap_socket(socket.create_connection(("10.77.0.1", port), timeout=60)) as client:
            client.sendall(os.urandom(100))
            assert not client.recv(100)
    except OSError:
        pass
print("attacked", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def machines() -> Iterator[tuple[str, str]]:
    with network("ab") as it:
        yield it.machines["a"].namespace, it.machines["b"].namespace


class Bomb:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self):
        return exec, (f"open({str(self.proof)!r}, 'w')",)


def test_who_has_no_keys_gets_nowhere(tmp_path: Path, machines: tuple[str, str]) -> None:
    ours, theirs = machines
    state, proof = tmp_path / "state", tmp_path / "proof"
    key_folder.make_keys(tmp_path / "shop", "shop", ["a", "b"])
    (tmp_path / "echo.json").write_text(json.dumps(flow()))
    file = tmp_path / "d.json"
    place = {"file": "echo.json", "place": {"*": "a"}}
    runners = {"a": {"runtimes": ["python3"]}, "b": {"runtimes": ["python3"]}}
    file.write_text(json.dumps({"name": "d", "runners": runners, "bind": OURS, "keys": "shop", "flows": [place]}))
    log = tmp_path / "log"
    with log.open("w") as out, subprocess.Popen(
        ["ip", "netns", "exec", ours, *RUNNER, "--state", str(state), "up", str(file), "--json"],
        stdout=subprocess.PIPE, stderr=out, text=True,
    ) as up:  # fmt: skip
        try:
            assert up.stdout is not None
            line = up.stdout.readline()
            assert line, log.read_text()
            pids = [json.loads(line)["pid"]]
            pids += [child.pid for child in psutil.Process(pids[0]).children(recursive=True)]
            found = _listening(ours)
            assert {address for address, _ in found} == {OURS}  # nothing elsewhere
            command = [
                "ip",
                "netns",
                "exec",
                theirs,
                sys.executable,
                "-c",
                ATTACK,
                pickle.dumps((None, Bomb(proof))).hex(),
            ]
            with subprocess.Popen(
                [*command, *(str(port) for _, port in found)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as attacker:  # fmt: skip
                assert attacker.stdout is not None and attacker.stdin is not None
                assert attacker.stdout.readline() == "attacked\n"
                for number in range(5):  # while a thousand connections stand open
                    assert cli(state, "send", "echo/a", str(number)).returncode == 0
                until(
                    lambda: json.loads(cli(state, "state", "echo", "--json").stdout)["modules"]["a"]["completed"] == 5
                )
                attacker.stdin.close()
            assert not proof.exists() and up.poll() is None
            said = log.read_text()
            assert f"a control message from {THEIRS} was refused" in said
            assert f"a connection from {THEIRS}: refused" in said
            assert said.count(THEIRS) < 100  # once a second of each process
        finally:
            up.terminate()
            assert up.wait(TIMEOUT_S) == 0, log.read_text()


def _listening(namespace: str) -> list[tuple[str, int]]:
    command = ["ip", "netns", "exec", namespace, "ss", "-Hltn"]
    lines = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    places = [line.split()[3].rsplit(":", 1) for line in lines]
    assert places
    return [(address, int(port)) for address, port in places]


def test_run_needs_no_cryptography() -> None:
    """Not the memory, not the time: it is for deployments."""
    words = Path(__file__).parent.parent.parent / "configs" / "words.yaml"
    command = [sys.executable, "-X", "importtime", "-m", "actors.console", "run", str(words), "-i", "split.in=-"]
    done = subprocess.run(command, input='"row"\n', capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0 and "actors.flow.actor" in done.stderr
    assert "cryptography" not in done.stderr and "actors.links.connection" not in done.stderr
