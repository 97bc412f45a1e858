"""RunnerClient: calls, outcomes, handles and futures, threads, and a runner that goes away."""

from __future__ import annotations

import sys
import threading
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from actors.console import client as module
from actors.console.client import Outcome, RunnerClient, RunnerError, RunnerGoneError
from actors.console.errors import UserError
from actors.messages.client_to_runner import REQUESTS
from tests.deployments import Plant, flow, plant


@pytest.fixture
def client(up: Plant):
    with up.client() as opened:
        assert opened.add_or_update_flow(flow("c"))
        assert opened.start_flow("c")
        yield opened
        opened.remove_flow("c")


def test_every_request_is_a_method() -> None:
    for method, kind in REQUESTS.items():
        made = getattr(RunnerClient, module.snake(method))
        assert kind.__doc__ in made.__doc__ and made.__name__ == module.snake(method)


def test_outcomes(client: RunnerClient) -> None:
    outcome = client.start_flow("nope")
    assert not outcome and outcome.value is False and outcome.error == "there is no flow 'nope'; flows here: c, echo"
    assert client.stop_flow(flow_id="c") == Outcome(ok=True, value=True)
    again = client.add_or_update_flow(flow("c")).receipt
    assert again["version"] == 1
    assert again["modules"]["a"]["did"] == "untouched"
    bad = client.add_or_update_flow({"id": "x"})
    assert not bad and bad.data == ["the flow lacks the field `modules`."] and bad.receipt is None


def test_values_and_errors(client: RunnerClient) -> None:
    assert {"c", "echo"} <= {f["id"] for f in client.list_flows()}
    with pytest.raises(RunnerError, match="there is no flow 'nope'") as caught:
        client.flow_state("nope")
    assert caught.value.code == -32000
    with pytest.raises(RunnerError, match="has no parameter 'nope'") as caught:
        client.flow_state(nope="x")
    assert caught.value.code == -32602
    with pytest.raises(AttributeError):
        client.nope()


def test_what_is_not_json_is_refused_here(client: RunnerClient) -> None:
    for message in (float("nan"), object(), "\ud800", {1: object()}):
        with pytest.raises((ValueError, TypeError)):
            client.send_message("c/a", "in", message)
    assert client.send_message("c/a", "in", 2**70)  # a double, as everywhere
    assert client.send_message("c/a", message={"$bytes": "AA=="})


def test_handles(client: RunnerClient) -> None:
    handle = client.flow("c")
    futures = [handle.module("a").send.remote({"n": n}) for n in range(500)]
    assert all(future.result(timeout=60) for future in futures)
    assert handle.module("a").send("x", port="error")
    assert "no in-port 'inn'; did you mean 'in'?" in str(handle.module("a").send("x", port="inn").error)
    assert not handle.module("nope").send(1)
    assert handle.state()["modules"]["a"]["accepted"] == 501
    assert handle.dead_letters() == []
    assert handle.stop() and handle.start.remote().result(60) and handle.remove()


def test_threads_share_a_client(client: RunnerClient) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for number in range(100):
                assert client.send_message("c/a", "in", number)
                assert client.list_flows()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert client.flow_state("c")["modules"]["a"]["accepted"] == 400


def test_a_large_message(client: RunnerClient) -> None:
    assert client.send_message("c/a", "in", "x" * (5 << 20))


def test_a_runner_that_goes_away(tmp_path: Path) -> None:
    with plant(tmp_path) as up:
        up.wait_until_up()
        with up.client() as client:
            assert client.runner is not None and client.runner.name == "edge"
            assert up.cli("down").returncode == 0
            with pytest.raises(RunnerGoneError):
                client.list_flows()
            with pytest.raises(ConnectionError):
                client.flow("echo").start()
    with pytest.raises(UserError, match="no runner is live"):
        RunnerClient(state=up.state)
    with pytest.raises(FileNotFoundError):
        RunnerClient(socket=tmp_path / "nothing")


def test_closed(up: Plant) -> None:
    client = RunnerClient(socket=next(up.state.glob("runs/*/api.sock")))
    client.close()
    client.close()
    with pytest.raises(RunnerGoneError):
        client.audit()


def test_ctrl_c_at_every_line_of_a_wait() -> None:
    """Nothing but KeyboardInterrupt comes of it, and what was waited for can still be answered."""
    for line in count():
        answer, interrupt = module._Answer(), Interrupt(line)
        sys.settrace(interrupt)
        try:
            answer.result(0.001)
        except (KeyboardInterrupt, TimeoutError):
            pass
        finally:
            sys.settrace(None)
        answer.set_result(1)
        if not interrupt.has_come:
            break
    assert line > 1


class Interrupt:
    """A trace function that raises KeyboardInterrupt at the given line, counted from the call that is traced."""

    def __init__(self, line: int) -> None:
        self.left, self.has_come = line, False

    def __call__(self, _frame: FrameType, event: str, _argument: Any) -> Interrupt:
        if event == "line":
            self.left -= 1
            if self.left < 0 and not self.has_come:
                self.has_come = True
                raise KeyboardInterrupt
        return self
