"""What has happened, as the console keeps it."""

from __future__ import annotations

from collections import deque

from actors.console.view.watching import MAX_EVENTS, TOGETHER_S, Happening, Watch, add_happening


def letters(time: float, count: int, flow: str = "f") -> Happening:
    return Happening(time, flow, f"{count} dead letters more", count)


def test_dead_letters_push_nothing_else_out() -> None:
    events: deque[Happening] = deque(maxlen=MAX_EVENTS)
    add_happening(events, Happening(0.0, "f", "version 2 has taken over"))
    for at in range(4_000):
        add_happening(events, letters(at / 4, 2))
    texts = [(one.time, one.text) for one in events]
    assert texts[:3] == [
        (0.0, "version 2 has taken over"), (0.0, "240 dead letters more"), (TOGETHER_S, "240 dead letters more")
    ]  # fmt: skip
    assert sum(one.letters for one in events) == 8_000
    add_happening(events, letters(1_000, 1, "g"))
    assert events[-1].text == "1 dead letters more"


def test_what_is_new_is_told_however_much_there_was() -> None:
    watch = Watch(None, None, 1000)
    for round in range(3 * MAX_EVENTS):
        watch._happened(Happening(float(round), "f", "paused by its user"))
        (new,) = watch.take_new()
        assert new.time == round
    assert watch.take_new() == []
    assert len(watch.events) == MAX_EVENTS
