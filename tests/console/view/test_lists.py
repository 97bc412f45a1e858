"""Lists that change while they are read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.console.view.desk import Choice
from actors.console.view.newest import Newest
from actors.console.view.text_view import Wrapped, fields, wrapped

LINES = [f"{number}.0" for number in range(100, 0, -1)]


def ids(newest: Newest[str]) -> list[str]:
    return [f"{number}.0" for number, _ in newest.lines(lambda text: [[(text, "")]])]


@given(st.integers(0, 99), st.integers(1, 20), st.integers(0, 30), st.booleans())
def test_what_is_seen_stays_where_it_is(down: int, height: int, newer: int, chosen: bool) -> None:
    choice = Choice()
    choice.settle(LINES, height, chosen)
    choice.move(down, LINES)
    choice.settle(LINES, height, chosen)
    seen = LINES[choice.top : choice.top + height]
    one, row = choice.id, choice.at - choice.top
    for more in ([f"{number}.0" for number in range(100 + newer, 100, -1)] + LINES, LINES):
        at_top = choice.top == 0
        choice.settle(more, height, chosen)
        if not at_top:
            assert (choice.id, choice.at - choice.top) == (one, row)
            assert more[choice.top : choice.top + height] == seen
        elif chosen:
            assert choice.id == one
        else:
            assert choice.top == 0


def test_what_is_wrapped_otherwise_keeps_its_first_line() -> None:
    text = Wrapped()
    source = [(number, [("long words " * 20, "")]) for number in range(40)]
    choice = Choice()
    for width in (40, 150, 40):
        text.take(source, width, lambda: source)  # type: ignore[arg-type]
        if choice.id is None:
            choice.settle(list(text.lines), 20, False)
            choice.move(list(text.lines).index("15.2"), list(text.lines))
        choice.settle(list(text.lines), 20, False)
        assert choice.id is not None and choice.id.startswith("15."), width


def test_a_fact_that_is_too_long_goes_on_below_itself() -> None:
    said = "a_module_with_a_long_name.out -> route.in  170k messages, 663/s, disk, held"
    assert wrapped(fields([("wire", said)])[0], 42) == [
        [("wire        ", "dim"), ("a_module_with_a_long_name.out", "")],
        [("            ", ""), ("-> route.in  170k messages,", "")],
        [("            ", ""), ("663/s, disk, held", "")],
    ]


def test_what_is_read_does_not_go() -> None:
    newest: Newest[str] = Newest(10)
    newest.take(map(str, range(10)))
    assert newest.above(ids(newest), 0) == ""
    assert newest.above(ids(newest), 4) == ""
    newest.take(map(str, range(7)))
    now = ids(newest)
    assert now == [f"{number}.0" for number in range(17, 0, -1)]
    assert newest.above(now, 11) == "7 newer: g"
    assert newest.above(now, 2) == "2 newer: g"
    newest.take(map(str, range(20)))  # more than are kept
    now = ids(newest)
    assert now[9:] == ["28.0", "27.0", *(f"{number}.0" for number in range(10, 0, -1))]
    assert (27, [("17 that came in between are not kept", "dim")]) in newest.lines(lambda _: [])
    assert newest.above(now, 14) == "27 newer: g"
    assert newest.above(now, 4) == "4 newer: g"
    assert newest.above(now, 0) == ""
    assert ids(newest) == [f"{number}.0" for number in range(37, 27, -1)]
