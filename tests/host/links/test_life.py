"""The life of a host as a table, and how often one is started again."""

from __future__ import annotations

import pytest

from actors.host.life import HostLife, Life
from actors.host.restarts import DEATHS_PERIOD_S, MAX_DEATHS, MAX_RESTARTS, MAX_SILENCES, Restarts


def test_a_life() -> None:
    life = HostLife("python3 of f")
    states = []
    for event in ("start", "hello", "loaded", "serve", "open", "died", "wait", "start", "stop", "died"):
        life.move(event)
        states.append(life.now.name)
    assert states == [
        "STARTING", "LOADING", "LOADED", "OPENING", "OPEN", "NONE", "WAITING", "STARTING", "STOPPING", "NONE"
    ]  # fmt: skip


@pytest.mark.parametrize(("before", "event"), [((), "hello"), (("start",), "open"), (("start", "hello"), "start")])
def test_what_cannot_happen_names_both(before: tuple[str, ...], event: str) -> None:
    life = HostLife("python3 of f")
    for earlier in before:
        life.move(earlier)
    with pytest.raises(RuntimeError, match=f"the host python3 of f: {event} while {life.now.name}"):
        life.move(event)


def test_every_host_can_be_stopped() -> None:
    for state in Life:
        life = HostLife("python3 of f")
        life.now = state
        life.move("stop")
        assert life.now is Life.STOPPING


def died(restarts: Restarts, times: int, apart_s: float = 0.0, **how: bool) -> list[float | None]:
    return [restarts.died(number * apart_s, **{"blamed": False, "idle": False, **how}) for number in range(times)]


def test_many_deaths_at_once_are_the_end() -> None:
    delays = died(Restarts(), MAX_DEATHS)
    assert delays == [0.0, 0.1, 0.2, 0.4, None]


def test_deaths_far_apart_are_the_end_only_without_any_commit() -> None:
    assert None not in died(Restarts(), MAX_RESTARTS - 1, DEATHS_PERIOD_S)
    assert died(Restarts(), MAX_RESTARTS, DEATHS_PERIOD_S)[-1] is None


def test_deaths_that_cost_nothing_do_not_count() -> None:
    assert died(Restarts(), 100, idle=True)[-1] == 5.0
    assert None not in died(Restarts(), MAX_RESTARTS - 1, blamed=True)


def test_a_commit_makes_up_for_all() -> None:
    restarts = Restarts()
    for _ in range(MAX_SILENCES - 1):
        restarts.silent()
    died(restarts, MAX_DEATHS - 1)
    restarts.worked()
    restarts.silent()
    assert died(restarts, MAX_DEATHS - 1)[-1] == 0.4


def test_a_host_that_does_not_answer_is_given_up_earlier() -> None:
    restarts = Restarts()
    for _ in range(MAX_SILENCES):
        restarts.silent()
    assert died(restarts, 1) == [None]
