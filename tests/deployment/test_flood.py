"""A flood of every port from another machine, beside good clients: what it costs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.console.client import RunnerClient
from actors.deployment import key_folder
from tests.deployment import flooder
from tests.deployment.test_foreign import OURS, _listening
from tests.deployments import RUNNER, TIMEOUT_S
from tests.machines import network

PING = """
import time
def run(message, context):
    if message != "go":
        with open(context.config["file"], "a") as file:
            file.write(f"{message} {time.monotonic()}\\n")
    time.sleep(0.003)
    return time.monotonic()
"""
PONG = """
def run(message, context):
    return message
"""
ROUNDS, WINDOW_S = 3, 1.5
CALM = "spin"  # the flooder takes its processor, and makes no connection


@contextmanager
def deployment(folder: Path, namespace: str) -> Iterator[tuple[Path, list[int]]]:
    """Two runners, and a message that goes from one to the other and back all the time; yields where its times are
    written, and the ports.

    Ours comes before the flooder, which is on another machine, and both before what else this machine does.
    """
    key_folder.make_keys(folder / "shop", "shop", ["a", "b"])
    times = folder / "times" / "it"
    times.parent.mkdir()
    ping = {"runtime": "python3", "code": PING, "config": {"file": str(times)}}
    ping["limits"] = {"writable": [str(times.parent)]}
    modules = {"ping": ping, "pong": {"runtime": "python3", "code": PONG}}
    (folder / "f.json").write_text(
        json.dumps({"id": "f", "modules": modules, "wires": ["ping -> pong", "pong -> ping"]})
    )
    place = {"file": "f.json", "place": {"ping": "a", "pong": "b"}}
    runners = {name: {"runtimes": ["python3"]} for name in "ab"}
    file = folder / "d.json"
    file.write_text(json.dumps({"name": "d", "bind": OURS, "keys": "shop", "runners": runners, "flows": [place]}))
    log = folder / "log"
    command = ["ip", "netns", "exec", namespace, "chrt", "-r", "2", *RUNNER, "--state", str(folder / "state")]
    with log.open("w") as out, subprocess.Popen(
        [*command, "up", str(file), "--json"], stdout=subprocess.PIPE, stderr=out, text=True
    ) as up:  # fmt: skip
        try:
            assert up.stdout is not None
            assert up.stdout.readline(), log.read_text()
            yield times, [port for _, port in _listening(namespace)]
        finally:
            up.terminate()
            assert up.wait(TIMEOUT_S) == 0, log.read_text()


@pytest.mark.full
@pytest.mark.timeout(300)
def test_good_clients_beside_a_flood(tmp_path: Path) -> None:
    """Of a message that goes there and back over a link, and of a call that asks both runners: in turns without and
    with each kind of flood, the 99th percentile at most twice as long.
    """
    with network("ab") as machines, deployment(tmp_path, machines.machines["a"].namespace) as (times, ports):
        command = [
            *machines.machines["b"].command,
            "nice",
            "-n",
            "-20",
            sys.executable,
            flooder.__file__,
            OURS,
            *map(str, ports),
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as attacker:
            assert attacker.stdin is not None and attacker.stdout is not None
            spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
            made: dict[str, int] = defaultdict(int)

            def attack(kind: str) -> None:
                attacker.stdin.write(f"{kind}\n")  # type: ignore[union-attr]
                attacker.stdin.flush()  # type: ignore[union-attr]
                time.sleep(0.2)
                begun = time.monotonic()
                time.sleep(WINDOW_S)
                spans[kind].append((begun, time.monotonic()))
                attacker.stdin.write("calm\n")  # type: ignore[union-attr]
                attacker.stdin.flush()  # type: ignore[union-attr]
                made[kind] += int(attacker.stdout.readline())  # type: ignore[union-attr]
                time.sleep(0.3)

            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(2))  # the client's threads, too
            with RunnerClient(state=tmp_path / "state") as client, calling(client) as calls:
                os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
                assert client.send_message("f/ping", "in", "go")
                for _ in range(ROUNDS):
                    for kind in flooder.KINDS:
                        attack(CALM)
                        attack(kind)
            attacker.stdin.close()
        messages = [tuple(map(float, line.split())) for line in times.read_text().splitlines()]
    for name, rows in (("message", messages), ("call", calls)):

        def took(kinds: Iterable[str]) -> list[float]:
            windows = [span for kind in kinds for span in spans[kind]]
            return sorted(
                end - begun
                for begun, end in rows  # noqa: B023
                if any(first <= begun and end <= last for first, last in windows)
            )

        calm = took([CALM])
        for kinds in (*([kind] for kind in flooder.KINDS), flooder.KINDS):
            flooded = took(kinds)
            p50, p99 = (1000 * flooded[int(len(flooded) * part)] for part in (0.5, 0.99))
            was50, was99 = (1000 * calm[int(len(calm) * part)] for part in (0.5, 0.99))
            print(f"{name} beside {' '.join(kinds)}, {sum(made[kind] for kind in kinds)} connections:", end=" ")
            print(f"p50 {was50:.2f} -> {p50:.2f} ms, p99 {was99:.2f} -> {p99:.2f} ms, {p99 / was99:.2f} x", end=" ")
            print(f"(of {len(calm)} and {len(flooded)})")
        assert p99 <= 2 * was99
    assert all(made[kind] > 500 for kind in flooder.KINDS), made


@contextmanager
def calling(client: RunnerClient) -> Iterator[list[tuple[float, float]]]:
    """One call after the other, until it ends: from when to when each took."""
    calls: list[tuple[float, float]] = []
    is_over = threading.Event()

    def call() -> None:
        while not is_over.wait(0.01):
            begun = time.monotonic()
            assert client.flow_state("f")
            calls.append((begun, time.monotonic()))

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield calls
    finally:
        is_over.set()
        thread.join()
