"""Subscriptions at the door of several runners: one picture of the whole flow, and what happens to it anywhere."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.console.client import RunnerClient
from tests.deployment.test_move import flow, up_with
from tests.deployment.test_several_runners import until
from tests.deployments import Plant, plant
from tests.flow.test_viewers import applied

MOVING = {"inPerS", "outPerS", "busyPerS", "cpuPerS", "perS", "cpuS", "memoryMb", "latencyMs"}


class Looker:
    """A client that puts together what it is told of the flow `f`."""

    def __init__(self, up: Plant) -> None:
        self.client = up.client().__enter__()
        self.client.on_notification = self._told
        self.state: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []
        self.states: list[str] = []
        self.wholes = 0
        self.id = self.client.subscribe("f", every_ms=250)

    def _told(self, method: str, params: dict[str, Any]) -> None:
        if method == "flowEvent":
            self.events.append(params)
            return
        self.wholes += params["whole"]
        self.state = applied({} if params["whole"] else self.state, params["state"])
        self.states.append(self.state["state"])

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        def look() -> bool:
            try:
                return bool(self.state) and condition(self.state)
            except KeyError:  # the runner of that module is away, for a moment
                return False

        until(look)

    def kinds(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind]

    def event(self, kind: str) -> dict[str, Any]:
        until(lambda: bool(self.kinds(kind)))
        return self.kinds(kind)[0]


def settled(state: dict[str, Any]) -> Any:
    """What does not change by itself."""
    if isinstance(state, dict):
        return {name: settled(one) for name, one in state.items() if name not in MOVING and one is not None}
    return state


def letters(client: RunnerClient, *modules: str) -> None:
    for module in modules:
        assert client.send_message(f"f/{module}", "in", "report")


def test_what_several_viewers_are_told_is_the_whole(tmp_path: Path) -> None:
    more = up_with(tmp_path, flow(rate=200), source="a", one="b", two="b", sum="c")
    with plant(tmp_path, **more) as up:
        facts = up.wait_until_up()
        first, second = Looker(up), Looker(up)
        client = first.client
        assert first.id != second.id
        for looker in (first, second):
            looker.until(lambda state: state["modules"]["sum"]["completed"] > 20)
            assert looker.wholes == 1
        assert first.state["modules"]["sum"]["runner"] == "c"
        first.until(lambda state: state["modules"]["sum"]["inPerS"] > 0 and state["modules"]["one"]["inPerS"] > 0)

        assert client.pause_flow("f")
        assert first.event("paused")["by"] == second.event("paused")["by"]
        for looker in (first, second):  # nothing moves: what was told together is what is asked
            until(lambda it=looker: settled(it.state) == settled(client.flow_state("f")))  # type: ignore[misc]
        assert client.resume_flow("f")
        first.event("resumed")

        letters(client, "sum", "sum")
        until(lambda: sum(event["count"] for event in first.kinds("deadLetters")) == 2)
        assert client.move_module("f/two", "a")
        first.until(lambda state: state["modules"]["two"]["runner"] == "a")

        os.kill(facts["runners"]["c"], signal.SIGKILL)  # what it has of dead letters comes back with it: none is new
        until(lambda: any("away" in state for state in first.states))
        first.until(lambda state: state["state"] == "running" and state["deadLetters"] == 2)
        assert sum(event["count"] for event in first.kinds("deadLetters")) == 2
        assert {event["state"] for event in first.kinds("state")} >= {"running, away", "running"}

        assert client.unsubscribe(second.id)
        told = len(second.states)
        document = flow(rate=201)
        places = {name: its["runner"] for name, its in first.state["modules"].items()}
        document["modules"] = {name: {**one, "runner": places[name]} for name, one in document["modules"].items()}
        assert (outcome := client.add_or_update_flow(document)), outcome.error
        updated = first.event("updated")
        assert updated["version"] == 2 and "source" in updated["receipt"]["modules"]
        assert "one" not in updated["receipt"]["modules"]
        assert client.remove_flow("f")
        first.event("removed")
        assert len(second.states) <= told + 1  # one may have been on its way
        refused = client.unsubscribe(first.id)
        assert not refused and "no subscription" in refused.error
        for looker in (first, second):
            looker.client.__exit__(None, None, None)


def test_a_flow_that_is_not_there_or_comes_again(tmp_path: Path) -> None:
    with plant(tmp_path, **up_with(tmp_path, flow(rate=200), source="a", one="b", two="b", sum="c")) as up:
        up.wait_until_up()
        looker = Looker(up)
        client = looker.client
        [document] = [{name: one for name, one in flow.items() if name != "state"} for flow in client.list_flows()]
        assert client.remove_flow("f")
        looker.event("removed")
        assert client.add_or_update_flow(document)
        again = Looker(up)
        again.until(lambda state: state["state"] == "stopped")
        assert len(looker.kinds("removed")) == 1
        for one in (looker, again):
            one.client.__exit__(None, None, None)
