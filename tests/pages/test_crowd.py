"""Many clients at once, with the real core: no message lost, each answer to its client in order; what they cost."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from pathlib import Path
from statistics import median

import psutil
import pytest

from tests.gateway.served import Served
from tests.harness import need

FLOW = """
id: crowd
modules:
  ask:
    runtime: browser
    code: "export function start(context) { globalThis.ask = (value) => context.send('out', value) }"
  echo:
    runtime: python3
    code: |
      def run(message, context):
          return message
  show:
    runtime: browser
    code: "(message) => { globalThis.took(message) }"
  beside:
    runtime: python3
    code: |
      def run(message, context):
          return message
wires:
  - ask -> echo
  - echo -> show
"""
CROWD = Path(__file__).with_name("crowd.mjs")


def trips_ms(served: Served, count: int) -> list[float]:
    """Round trips of a call beside the clients: a message is taken."""
    times = []
    for number in range(count):
        begun = time.perf_counter()
        assert served.call("sendMessage", "crowd/beside", "in", number)
        times.append((time.perf_counter() - begun) * 1000)
    return times


@pytest.mark.parametrize(("clients", "seconds"), [(10, 3), pytest.param(200, 60, marks=pytest.mark.full)])
def test_a_crowd_of_clients(served: Served, clients: int, seconds: int) -> None:
    need("node")
    quiet = median(trips_ms(served, 200))
    runner = psutil.Process(served.process.pid)
    before = runner.memory_info().rss
    command = ["node", "--experimental-websocket", "--no-warnings", CROWD, served.address, served.client_token]
    arguments = ["crowd", str(clients), str(seconds), "1"]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as crowd:
        times: list[float] = []
        most = before
        while crowd.poll() is None:
            times += trips_ms(served, 20)
            most = max(most, runner.memory_info().rss)
            with contextlib.suppress(subprocess.TimeoutExpired):
                crowd.wait(0.2)
        assert crowd.stdout is not None
        found = json.loads(crowd.stdout.read())
    beside = median(times)
    print(json.dumps({**found, "kbPerClient": (most - before) / 1024 / clients, "quietMs": quiet, "besideMs": beside}))
    assert found["came"] == found["sent"] >= clients
    assert found["outOfOrder"] == 0
