"""Connections that have not sent a message yet: they cost a turn of an actor nothing, however many they are."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from actors.system import lobby
from actors.system.gate import Gate
from actors.system.lobby import MAX_STRANGERS, READ_AT_ONCE, REST_S, Lobby


class Hall:
    """A lobby, and those who come in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(lobby, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.listener = socket.socket()
        self.gate = Gate(self.listener, "127.0.0.1")
        self.lobby = Lobby(self.gate)
        self.others: list[socket.socket] = []

    def comes(self, ends: float = 110.0) -> Any:
        mine, other = socket.socketpair()
        stranger = SimpleNamespace(socket=mine, close=mine.close, _rData=SimpleNamespace(bytes=3))
        self.others.append(other)
        self.lobby.add(stranger, ends)
        return stranger

    def waits(self) -> float:
        """As long as Thespian would."""
        return self.lobby.delay(time.perf_counter()).total_seconds()


@pytest.fixture
def hall(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    it = Hall(monkeypatch)
    yield it
    it.lobby.close()
    for one in (it.listener, *it.others):
        one.close()


def test_a_few_of_those_who_speak_are_heard_at_once(hall: Hall) -> None:
    strangers = [hall.comes() for _ in range(3 * READ_AT_ONCE)]
    assert hall.lobby.bytes == 3 * len(strangers) and not list(hall.lobby.ready())
    for other in hall.others:
        other.sendall(b"x")
    heard: list[Any] = []
    while found := [stranger for stranger, _ in hall.lobby.ready()]:
        assert len(found) <= READ_AT_ONCE
        heard += found
    assert sorted(map(id, heard)) == sorted(map(id, strangers)) and hall.lobby.descriptors == []
    for stranger in heard:
        stranger.close()


def test_the_one_that_is_silent_for_longest_goes_first(hall: Hall) -> None:
    strangers = [hall.comes() for _ in range(MAX_STRANGERS + 2)]
    hall.others[0].sendall(b"x")
    ((spoke, ends),) = hall.lobby.ready()
    hall.lobby.add(spoke, ends)
    assert spoke is strangers[0] and ends == 110.0
    gone = list(hall.lobby.too_many())
    assert gone == strangers[1:3]
    for stranger in gone:
        stranger.close()


def test_time_ends_them_and_opens_the_gate(hall: Hall) -> None:
    assert hall.waits() > 1000
    late, _ = hall.comes(), hall.comes(111.0)
    assert hall.waits() == 10.0
    while hall.gate.admits("10.0.0.9", 104.5):
        pass
    assert hall.waits() == 5.0
    hall.now = 110.0
    hall.gate.look(hall.now)
    assert hall.waits() > 0, "Thespian takes a 0 for no limit"
    assert list(hall.lobby.too_late()) == [late]
    late.close()
    assert hall.waits() == 1.0


def test_it_is_over_or_not_for_a_whole_turn(hall: Hall) -> None:
    """Thespian asks twice, and closes what was not over at first, and then is: no runner survived that."""
    hall.comes()
    hall.waits()
    answers = [hall.lobby.delay()]
    hall.now = 110.0
    answers.append(hall.lobby.delay())
    assert answers[0] == answers[1] and answers[0].total_seconds() == 10.0
    hall.waits()
    assert hall.lobby.delay().total_seconds() == 0.0


def test_after_a_piece_of_a_message_nobody_is_heard_for_a_moment(hall: Hall) -> None:
    assert not hall.lobby.backoffPause()
    hall.lobby.rest()
    assert hall.lobby.backoffPause() and hall.waits() == pytest.approx(REST_S)
    hall.now += REST_S + 0.001
    assert not hall.lobby.backoffPause() and hall.waits() > 1000
