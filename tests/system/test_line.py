"""A line between machines, over a carrier that loses, repeats and mixes up what it is given, by chance."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from actors.messages.line_to_line import Parcel
from actors.system import line as module
from actors.system.line import ALL_UNHEARD, MAX_BYTES, MAX_MESSAGES, REPEAT_S, UNHEARD, Line, Traffic

ID = ("shop", 1, 1)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def line(post: Callable[[Parcel], None], heard: Callable[[Any], None] = print, traffic: Traffic | None = None) -> Line:
    return Line(ID, "there", traffic or Traffic(), post, heard)


@pytest.mark.parametrize("seed", range(20))
def test_each_message_once_and_in_order(clock: Clock, seed: int) -> None:
    chance = random.Random(seed)
    ways: tuple[deque[Parcel], deque[Parcel]] = (deque(), deque())
    heard: tuple[list[Any], list[Any]] = ([], [])
    said = [0, 0]
    ends = [line(ways[0].append, heard[1].append), line(ways[1].append, heard[0].append)]
    lost = repeated = 0
    for _ in range(4000):
        clock.now += chance.choice((0.0, 0.01, 0.3))
        side = chance.randrange(2)
        action = chance.random()
        if action < 0.3:
            ends[side].say((said[side], "x" * chance.randrange(100)))
            said[side] += 1
        elif action < 0.5:
            ends[side].post()
        elif ways[side]:
            parcel = ways[side].pop() if chance.random() < 0.2 else ways[side].popleft()  # mixed up
            if chance.random() < 0.3:
                lost += 1
                continue
            ends[1 - side].take(parcel)
            if chance.random() < 0.2:
                repeated += 1
                ways[side].append(parcel)
    assert lost > 50 and repeated > 50
    while [len(some) for some in heard] != said:
        clock.now += REPEAT_S
        for side, end in enumerate(ends):
            end.post()
            while ways[side]:
                ends[1 - side].take(ways[side].popleft())
        lost += 1
        assert lost < 10_000, "nothing comes"
    for some, count in zip(heard, said, strict=True):
        assert [number for number, _ in some] == list(range(count))


def test_who_is_silent_is_not_sent_much(clock: Clock) -> None:
    posted: list[Parcel] = []
    one = line(posted.append)
    for _ in range(60):
        one.say("something")
        one.post()
        clock.now += 0.3
    assert len(posted) == UNHEARD
    clock.now += 20
    one.post()
    assert len(posted) == UNHEARD + 1
    one.take(Parcel(line=ID, first=0, messages=(), wanted=0, state=None))  # it is there again
    for _ in range(UNHEARD + 5):
        one.post()
    assert len(posted) == 2 * UNHEARD + 1


@pytest.mark.usefixtures("clock")
def test_nor_are_many_who_are() -> None:
    posted: list[Parcel] = []
    traffic = Traffic()
    lines = [Line(ID, f"m{number}", traffic, posted.append, print) for number in range(10)]
    for _ in range(10):
        for one in lines:
            one.post()
    assert len(posted) == ALL_UNHEARD
    lines[0].take(Parcel(line=ID, first=0, messages=(), wanted=0, state=None))
    lines[0].post()
    assert len(posted) > ALL_UNHEARD, "others' silence is not its fault"


@pytest.mark.usefixtures("clock")
def test_parcels_are_of_bounded_size() -> None:
    posted: list[Parcel] = []
    one = line(posted.append)
    one.say("first")
    for _ in range(3):
        one.say("x" * (MAX_BYTES // 2))
    for _ in range(2 * MAX_MESSAGES):
        one.say("small")
    one.say("y" * 3 * MAX_BYTES)
    taken = 0
    while taken < 5 + 2 * MAX_MESSAGES:
        parcel = posted[-1]
        assert parcel.messages and len(parcel.messages) <= MAX_MESSAGES
        assert len(parcel.messages) == 1 or sum(map(len, parcel.messages)) <= MAX_BYTES
        taken = parcel.first + len(parcel.messages)
        one.take(Parcel(line=ID, first=0, messages=(), wanted=taken, state=None))
