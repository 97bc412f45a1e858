"""Sealed messages between the actor systems of two machines that know each other by an address and a key only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from actors.system.sealing import PREVIOUS, key_lines, new_key
from tests.machines import network

ADDRESSES = "10.77.0.1", "10.77.0.2"
TIMEOUT_S = 60.0
SYSTEM = """
import json, os, sys, time
os.environ.update(CONVENTION_REREGISTRATION_PERIOD="0:05", CONVENTION_RESTART_PERIOD="0:03", THESPLOG_FILE=sys.argv[4])
from pathlib import Path
from actors.system import signing
name, address, key, _, leader = sys.argv[1:]
signing.install(Path(key), address)
from thespian.actors import ActorSystem, NoCompatibleSystemForActor
from tests.system.far import Far
place = {"Admin Port": 7100, "Convention Address.IPv4": f"{leader}:7100", name: True}
system = ActorSystem("multiprocTCPBase", capabilities=place)
print("up", flush=True)
for line in sys.stdin:  # how long to try
    until, said = time.monotonic() + float(line), None
    while said is None and time.monotonic() < until:
        try:
            far = system.createActor(Far, {"two": True})
            said = [system.ask(far, number, 10) for number in range(50)]
        except NoCompatibleSystemForActor:
            time.sleep(0.2)
    print(json.dumps(said), flush=True)
system.shutdown()
"""


def start(namespace: str, name: str, address: str, key: Path) -> subprocess.Popen[str]:
    words = [name, address, str(key), str(key.with_suffix(f".{name}.log")), ADDRESSES[0]]
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", SYSTEM, *words]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None and started.stdout.readline() == "up\n"
    return started


def asked(one: subprocess.Popen[str], limit_s: float) -> list[list[object]] | None:
    assert one.stdin is not None and one.stdout is not None
    one.stdin.write(f"{limit_s}\n")
    one.stdin.flush()
    said: list[list[object]] | None = json.loads(one.stdout.readline())
    return said


def end(*systems: subprocess.Popen[str]) -> None:
    for one in systems:
        one.communicate(timeout=TIMEOUT_S)


def test_an_actor_on_another_machine_and_nobody_without_the_key(tmp_path: Path) -> None:
    ours, newer, foreign = (tmp_path / name for name in ("ours.key", "newer.key", "foreign.key"))
    key, new = new_key(), new_key()
    ours.write_bytes(key_lines([key]))
    foreign.write_bytes(key_lines([new_key()._replace(id=key.id)]))
    with network("ab") as it:
        one, two = (machine.namespace for machine in it.machines.values())
        leader = start(one, "one", ADDRESSES[0], ours)
        stranger = start(two, "two", ADDRESSES[1], foreign)
        assert asked(leader, 3.0) is None  # it has not joined
        end(stranger)
        member = start(two, "two", ADDRESSES[1], ours)
        said = asked(leader, 20.0)
        there = subprocess.run(
            ["ip", "netns", "exec", two, "readlink", "/proc/self/ns/net"], capture_output=True, text=True, check=True
        ).stdout.strip()  # fmt: skip
        assert said == [[number, there] for number in range(50)]
        for keys in ([new, key._replace(role=PREVIOUS)], [new]):  # as `runner keys rotate` does, and then `--finish`
            newer.write_bytes(key_lines(keys))
            newer.replace(ours)
            assert asked(leader, 20.0) == [[number, there] for number in range(50)]
        end(leader, member)
