"""`runner tap`: NDJSON until Ctrl-C; the tap ends with its connection."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.console.client import RunnerError
from tests.console.test_cli import ok, refused
from tests.deployments import RUNNER, TIMEOUT_S, Plant, flow


@pytest.fixture
def tapped(up: Plant, tmp_path: Path) -> Iterator[Plant]:
    path = tmp_path / "t.json"
    path.write_text(json.dumps(flow("t")))
    ok(up, "apply", str(path))
    yield up
    up.cli("remove", "t")


def start(up: Plant, *words: str) -> subprocess.Popen[str]:
    command = [*RUNNER, "--state", str(up.state), "tap", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def sent_until(up: Plant, process: subprocess.Popen[str]) -> str:
    """The first line of a tap: messages are sent until it sees one."""
    assert process.stdout is not None
    with up.client() as client:
        n = 0
        while client.flow_state("t")["modules"]["a"]["sent"] == 0:  # until it has a receiver
            n += 1
            client.send_message("t/a", "in", {"n": n})
    return process.stdout.readline()


def test_until_ctrl_c(tapped: Plant) -> None:
    with start(tapped, "t/a.out") as process:
        first = json.loads(sent_until(tapped, process))
        assert first["n"] >= 1
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stderr is not None
        rest, said = process.stdout.read(), process.stderr.read()
    assert (process.returncode, said) == (0, "")
    numbers = [first["n"], *(json.loads(line)["n"] for line in rest.splitlines())]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_reader_that_has_seen_enough(tapped: Plant) -> None:
    """`runner tap ... | head -1`: it is not the runner that has gone."""
    with start(tapped, "t/a.out") as process:
        sent_until(tapped, process)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        with tapped.client() as client:
            while process.poll() is None:
                client.send_message("t/a", "in", {"n": 0})
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_the_tap_ends_with_its_connection(tapped: Plant) -> None:
    """Also one whose answer is still on its way; another connection may end it as well."""
    with tapped.client() as looking:
        with tapped.client() as client:
            tap = client.tap_port("t/a")
            waiting = looking.begin("readTap", tap)
            client.begin("tapPort", "t/a")
        with pytest.raises(RunnerError, match="the tap has ended"):
            waiting.result(TIMEOUT_S)
        with pytest.raises(RunnerError, match="there is no tap"):
            looking.read_tap(tap)
        looking.send_message("t/a", "in", 1)
        while looking.flow_state("t")["modules"]["a"]["unwired"] == 0:  # nobody gets it: both taps have gone
            looking.send_message("t/a", "in", 1)


def test_count_and_json(tapped: Plant) -> None:
    with start(tapped, "t/a", "--count", "1", "--json") as process:
        line = sent_until(tapped, process)
        assert process.wait(TIMEOUT_S) == 0
    view = json.loads(line)
    assert view["message"]["n"] >= 1
    assert view["headers"] is None


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["tap", "t"], 2, "tap takes FLOW/MODULE or FLOW/MODULE.PORT, not 't'"),
        (["tap", "t/z"], 1, "no module 'z'; it has a"),
        (["tap", "nope/a"], 1, "there is no flow 'nope'"),
    ],
)
def test_mistakes(tapped: Plant, words: list[str], status: int, says: str) -> None:
    assert says in refused(tapped, *words, status=status)


def test_only_some_and_only_a_part(tapped: Plant) -> None:
    """Of a message on which the expression fails nothing is shown, and that is said once."""
    with start(
        tapped, "t/a", "-n", "2", "--when", "message.n > 1", "--select", "{'x': message.n, 'h': headers}"
    ) as tap:
        with tapped.client() as client:
            while tap.poll() is None:
                for message in ({"m": 1}, {"n": 1}, {"n": 2.5}):
                    client.send_message("t/a", "in", message)
        out, said = tap.communicate(timeout=TIMEOUT_S)
    assert [json.loads(line) for line in out.splitlines()] == [{"x": 2.5, "h": {}}] * 2
    first, *more = said.splitlines()
    assert "--when failed" in first and "left out" in first
    assert all(" messages left out" in line for line in more)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--when", "mesage.n > 1"], "--when knows no mesage"),
        (["--when", "message.n >"], "--when is not a CEL expression"),
        (["--select", "1 + 1"], "--select is the same for every message"),
    ],
)
def test_expressions_that_are_none(tapped: Plant, words: list[str], says: str) -> None:
    assert says in refused(tapped, "tap", "t/a", *words, status=2)
