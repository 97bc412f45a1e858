"""A flow over two runners, each a process of its own: exact and in order, whatever becomes of hosts and links."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.console.client import RunnerClient
from actors.links import keys
from tests.links.plant import Proxy, seed
from tests.machines import Machine

TIMEOUT_S = 60.0
REPORT = """
import json
def report(context):  # what the API does not show: as an error
    raise ValueError(json.dumps({key: context.get(key) for key in context.keys()}))
"""
COUNT = f"""{REPORT}
def run(message, context):
    if message == "report":
        report(context)
    context.set("count", context.get("count", 0) + 1)
    context.set("sum", context.get("sum", 0) + message)
    return message
"""
SUM = f"""{REPORT}
def run(message, context):
    if message == "report":
        report(context)
    last = context.get("last", -1)
    if message != last + 1:
        context.set("wrong", [last, message])
    context.set("last", message)
    context.set("count", context.get("count", 0) + 1)
"""
SOURCE = """
def start(context):
    while (number := context.get("next", 0)) < context.config["count"]:
        context.set("next", number + 1)
        yield number


def run(message, context):
    pass
"""


class Runner:
    """One of them. `a` connects to `b` by a proxy; or each is on a machine of its own."""

    def __init__(self, name: str, folder: Path, *, keeps: bool, machine: Machine | None = None) -> None:
        self.name, self.folder, self.machine = name, folder, machine
        self.log = (folder / f"{name}.log").open("a")
        self.state = [folder / "state" / name] if keeps else []
        self.incarnation = 0
        self.start()

    def start(self) -> None:
        self.incarnation += 1
        shutil.rmtree(self.folder / self.name, ignore_errors=True)  # what one that was killed has left
        command = [sys.executable, "-m", "tests.links.runner_process", self.name, self.folder / self.name]
        env = dict(os.environ)
        if self.machine is not None:
            command, env["ADDRESS"] = [*self.machine.command, *command], self.machine.address
        self.process = subprocess.Popen(
            [*command, self.folder / "keys", str(self.incarnation), *self.state],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=env,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.client = RunnerClient(socket=self.folder / self.name / "api.sock")

    def know(self, places: dict[str, tuple[str, int]]) -> None:
        assert self.process.stdin is not None
        print(json.dumps(places), file=self.process.stdin, flush=True)

    def context(self, module: str) -> dict[str, Any]:
        """As its handler sees it: it fails with it."""
        before = len(self.client.call("deadLetters", "f"))
        while not self.client.call("sendMessage", f"f/{module}", "in", "report"):
            time.sleep(0.02)  # its mailbox is full
        deadline = time.monotonic() + TIMEOUT_S
        while len(letters := self.client.call("deadLetters", "f")) == before:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        found: dict[str, Any] = json.loads(letters[-1]["error"]["message"])
        return found

    def completed(self, module: str) -> int:
        return int(self.client.call("flowState", "f")["modules"][module]["completed"])

    def pids(self, flow: str) -> list[int]:
        return [host["pid"] for host in self.client.call("flowState", flow)["hosts"].values() if host["pid"]]

    def end(self, *, kill: bool = False) -> None:
        self.client.close()
        assert self.process.stdin is not None and self.process.stdout is not None
        if kill:
            self.process.kill()
        self.process.stdin.close()
        assert self.process.wait(60) == (-9 if kill else 0)
        self.process.stdout.close()

    def close(self) -> None:
        self.end()
        self.log.close()


class Two:
    """`keeps`: what they keep and write is there when they start again."""

    def __init__(self, folder: Path, *, keeps: bool = False) -> None:
        keys.make_authority(folder / "keys", "test")
        for name in ("a", "b"):
            keys.make_certificate(folder / "keys", name)
        self.a, self.b = (Runner(name, folder, keeps=keeps) for name in ("a", "b"))
        self.proxy = Proxy(self.b.port)
        self._tell_places()

    def _tell_places(self) -> None:
        self.proxy.target = self.b.port
        self.a.know({"b": ("127.0.0.1", self.proxy.port)})
        self.b.know({"a": ("127.0.0.1", self.a.port)})

    def apply(self, document: dict[str, Any], *runners: Runner) -> None:
        for runner in runners or (self.b, self.a):
            outcome = runner.client.call("addOrUpdateFlow", document)
            assert outcome, outcome
        for runner in runners or (self.b, self.a):
            outcome = runner.client.call("startFlow", document["id"])
            assert outcome, outcome

    def again(self, runner: Runner, document: dict[str, Any], *, kill: bool = False) -> None:
        """It ends, or is killed, and is started again with its flow."""
        runner.end(kill=kill)
        runner.start()
        self._tell_places()
        self.apply(document, runner)

    def until(self, done: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
        deadline = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < deadline, "nothing came"
            time.sleep(0.02)

    def close(self) -> None:
        self.a.close()
        self.b.close()
        self.proxy.close()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    with contextlib.closing(Two(tmp_path)) as it:
        yield it


def flow(count: int, *, code: str = COUNT) -> dict[str, Any]:
    """A source and a sum on `a`, what is between them on `b`."""
    return {
        "id": "f",
        "modules": {
            "source": {"runtime": "python3", "code": SOURCE, "config": {"count": count}, "runner": "a"},
            "count": {"runtime": "python3", "code": code, "runner": "b"},
            "sum": {"runtime": "python3", "code": SUM, "runner": "a"},
        },
        "wires": ["source -> count", "count -> sum"],
    }


def arrived(two: Two) -> int:
    return two.a.completed("sum")


def check(two: Two, total: int, timeout_s: float = TIMEOUT_S) -> None:
    two.until(lambda: arrived(two) >= total, timeout_s)
    assert two.a.context("sum") == {"last": total - 1, "count": total}
    assert two.b.context("count") == {"count": total, "sum": total * (total - 1) // 2}
    for runner in (two.a, two.b):
        for row in runner.client.call("audit").values():
            assert row["accepted"] == row["completed"] + row["queued"] + row["dropped"] + row["deadLettered"], row


def test_a_flow_over_two_runners(two: Two) -> None:
    two.apply(flow(20_000))
    check(two, 20_000)


def test_links_that_are_cut_and_hosts_that_are_killed(two: Two) -> None:
    number = seed()
    print("seed", number)
    rng = random.Random(number)
    total = 60_000
    two.apply(flow(total))
    for _ in range(8):
        time.sleep(rng.uniform(0.05, 0.3))  # chaos comes when it will
        if rng.random() < 0.5:
            two.proxy.cut()
        else:
            for pid in rng.choice([two.a, two.b]).pids("f"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
    check(two, total)


def test_an_update_of_one_end_while_messages_pass(two: Two) -> None:
    total = 60_000
    two.apply(flow(total))
    two.until(lambda: arrived(two) > 1000)
    for version in range(3):
        outcome = two.b.client.call("addOrUpdateFlow", flow(total, code=f"{COUNT}# {version}\n"))
        assert outcome, outcome
        assert outcome.receipt["modules"]["count"]["did"] in ("replaced", "carried"), outcome.receipt
    check(two, total)


def test_a_wire_that_comes_with_an_update(two: Two) -> None:
    document = flow(1000)
    document["wires"] = ["source -> count"]
    two.apply(document)
    two.until(lambda: two.b.completed("count") == 1000)
    more = flow(2000)
    for runner in (two.b, two.a):  # what the source sends after its update meets the new version
        outcome = runner.client.call("addOrUpdateFlow", more)
        assert outcome, outcome
    two.until(lambda: two.b.completed("count") == 2000)
    two.until(lambda: arrived(two) == 1000)


@pytest.mark.parametrize("which", ["a", "b"])
def test_a_flow_that_is_removed_and_added_again_on_one_runner_only(two: Two, which: str) -> None:
    """Its wires begin anew there; the link stays."""
    two.apply(flow(1000))
    check(two, 1000)
    links = two.proxy.connections
    again = two.a if which == "a" else two.b
    assert again.client.call("removeFlow", "f")
    assert again.client.call("addOrUpdateFlow", flow(500))
    assert again.client.call("startFlow", "f")
    if which == "a":
        two.until(lambda: arrived(two) == 500)
    else:
        assert two.b.client.call("sendMessage", "f/count", "in", 7)
        two.until(lambda: arrived(two) == 1001)
    assert two.proxy.connections == links


def test_a_flow_that_is_removed_and_added_again(two: Two) -> None:
    two.apply(flow(1000))
    check(two, 1000)
    for runner in (two.a, two.b):
        assert runner.client.call("removeFlow", "f")
    two.apply(flow(500))
    check(two, 500)
