"""Subscriptions: the figures as they change, what happens, rates that are right at the first look and for everybody."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.flow.rates import FRESH_S, LEAST_S, Rates
from actors.flow.viewers import _changes
from actors.messages import client_to_runner as api
from actors.messages.door_to_flow import ShowWhole
from actors.messages.runner_to_client import Notification
from tests.harness import Harness

ECHO = {"runtime": "python3", "code": "def run(m, c):\n    c.set('last', m)\n    return m\n"}
values = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=8,
)
states = st.dictionaries(st.sampled_from("abcd"), values.filter(lambda value: value is not None), max_size=4)


class Looker:
    """A client that puts together what it is told."""

    def __init__(self, runner: Harness, every_ms: int = 250) -> None:
        self.runner = runner
        self.id = runner.ok(api.Subscribe, flow_id="f", every_ms=every_ms)
        self.state: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []
        self.wholes = 0

    def read(self) -> None:
        mine = [m for m in self.runner.inbox if isinstance(m, Notification) and m.subscription_id == self.id]
        self.runner.inbox[:] = [m for m in self.runner.inbox if m not in mine]
        for message in mine:
            if message.method == "flowEvent":
                self.events.append(message.params)
            else:
                self.wholes += message.params["whole"]
                self.state = applied({} if message.params["whole"] else self.state, message.params["state"])

    def until(self, condition: Any) -> None:
        def look() -> bool:
            self.read()
            return bool(self.state and condition(self.state))

        self.runner.wait(look, "what the client is told")

    def event(self, kind: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            self.read()
            return next((event for event in self.events if event["kind"] == kind), None)

        found: dict[str, Any] = self.runner.wait(look, f"the event {kind}")
        return found


def applied(state: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396."""
    state = dict(state)
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(state.get(name), dict):
            state[name] = applied(state[name], value)
        else:
            state[name] = value
    return {name: value for name, value in state.items() if value is not None}


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return value


@given(states, states)
def test_changes_lead_from_one_state_to_the_other(before: dict[str, Any], now: dict[str, Any]) -> None:
    assert without_nulls(applied(before, _changes(before, now))) == without_nulls(now)
    assert _changes(now, now) == {}


def test_a_viewer_is_told_what_changes(runner: Harness) -> None:
    runner.add("f", {"a": ECHO, "b": ECHO}, ["a -> b"])
    looker = Looker(runner)
    looker.until(lambda state: state["state"] == "stopped")
    runner.start("f")
    looker.event("state")
    for number in range(50):
        runner.ok(api.SendMessage, flow_module_id="f/a", message=number)
    looker.until(lambda state: state["modules"]["b"]["completed"] == 50)
    assert looker.wholes == 1
    runner.add("f", {"a": ECHO, "b": ECHO | {"config": {"x": 1}}}, ["a -> b"])
    updated = looker.event("updated")
    assert (updated["version"], updated["flowId"]) == (2, "f")
    assert [*updated["receipt"]["modules"]] == ["b"]
    assert updated["receipt"]["untouched"] == 1
    runner.ok(api.PauseFlow, flow_id="f")
    looker.event("paused")
    runner.ok(api.ResumeFlow, flow_id="f")
    looker.event("resumed")
    looker.until(lambda state: state["version"] == 2)
    shown, asked = looker.state["modules"], runner.state("f")["modules"]
    assert {name: its["completed"] for name, its in shown.items()} == {"a": 50, "b": 50}
    assert {name: its["version"] for name, its in shown.items()} == {n: its["version"] for n, its in asked.items()}
    runner.ok(api.RemoveFlow, flow_id="f")
    looker.event("removed")


def test_who_comes_later_does_not_wait_for_the_others(runner: Harness) -> None:
    runner.add("f", {"a": ECHO})
    Looker(runner, every_ms=3_600_000).until(lambda _: True)
    Looker(runner, every_ms=3_600_000).until(lambda _: True)


def test_it_ends_when_it_is_told_to(runner: Harness) -> None:
    runner.add("f", {"a": ECHO})
    looker = Looker(runner)
    looker.until(lambda _: True)
    runner.ok(api.Unsubscribe, subscription_id=looker.id)
    looker.read()
    runner.start("f")
    runner.turn_for(0.6)
    looker.events.clear()
    looker.read()
    assert looker.events == []
    again = runner.call(api.Unsubscribe, subscription_id=looker.id)
    assert not again.ok
    assert "no subscription" in (again.error or "")


def test_who_has_missed_something_is_told_all(runner: Harness) -> None:
    runner.add("f", {"a": ECHO})
    looker = Looker(runner)
    looker.until(lambda _: True)
    runner.system.tell(runner.runner, ShowWhole(request_id="x", subscription_id=looker.id))
    runner.wait(lambda: (looker.read(), looker.wholes == 2)[1], "all of it")


@pytest.mark.parametrize("kind", [api.Subscribe, api.FlowState])
def test_of_a_flow_that_is_not_there(runner: Harness, kind: type) -> None:
    assert not runner.call(kind, flow_id="nobody").ok


def test_the_first_look_has_rates_and_a_second_viewer_the_same(runner: Harness) -> None:
    source = "import time\ndef start(c):\n    while True:\n        time.sleep(0.01)\n        yield 1\n"
    runner.add("f", {"a": {"runtime": "python3", "code": source}, "b": ECHO}, ["a -> b"])
    runner.start("f")
    runner.wait(lambda: runner.state("f")["modules"]["b"]["completed"] > 5)
    runner.turn_for(FRESH_S + 0.1)
    first = runner.ok(api.FlowState, flow_id="f")["modules"]["b"]["inPerS"]
    second = runner.ok(api.FlowState, flow_id="f")["modules"]["b"]["inPerS"]
    assert first > 0
    assert second > 0


def test_rates_are_those_of_the_last_seconds() -> None:
    rates = Rates()
    assert rates.is_cold(0.0)
    for tenth in range(100):  # 10 a second, then 100 a second
        now = tenth / 10
        count = tenth if tenth < 50 else 50 + 10 * (tenth - 50)
        figures: dict[str, Any] = {"a": {"accepted": count, "sent": 2 * count}}
        rates.rate(now, figures)
        if 3 <= tenth < 50:
            assert figures["a"]["inPerS"] == pytest.approx(10)
            assert figures["a"]["outPerS"] == pytest.approx(20)
    assert figures["a"]["inPerS"] == pytest.approx(100)
    assert not rates.is_cold(10.0)
    assert rates.is_cold(10.0 + FRESH_S + LEAST_S)


def test_a_module_that_is_new_has_no_rate_yet() -> None:
    rates = Rates()
    rates.rate(0.0, {})
    figures = {"a": {"accepted": 1000, "sent": 0}}
    rates.rate(1.0, figures)
    assert figures["a"]["inPerS"] == 0


def test_a_context_is_shown(runner: Harness) -> None:
    runner.add("f", {"a": ECHO})
    runner.start("f")
    assert runner.ok(api.GetContext, flow_module_id="f/a") == {}
    runner.ok(api.SendMessage, flow_module_id="f/a", message={"x": [1]})
    runner.wait(lambda: runner.state("f")["modules"]["a"]["completed"] == 1)
    assert runner.ok(api.GetContext, flow_module_id="f/a") == {"last": {"x": [1]}}
    assert not runner.call(api.GetContext, flow_module_id="f/nobody").ok
