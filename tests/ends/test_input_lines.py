"""Lines of an input: what is a message, what is left out and where it goes wrong, however the bytes come."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.ends.input_lines import MAX_LINE_BYTES, MAX_NAMED, InputLines

BOM = b"\xef\xbb\xbf"


def read(data: bytes, raw: bool = False, portion: int = 64 << 10) -> tuple[list[bytes], InputLines]:
    """All messages of an input that comes in portions."""
    lines = InputLines(raw)
    messages = []
    for start in range(0, len(data), portion):
        messages += lines.feed(data[start : start + portion])
    return messages + lines.end(), lines


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        (b"1\n2\n3", [1, 2, 3]),
        (b"1\r\n2\r\n", [1, 2]),
        (BOM + b'{"a":1}\n2\n', [{"a": 1}, 2]),
        (BOM + b"1\n" + BOM + b"2\n", [1, 2]),  # two files, one after the other
        (b"\n \n\t\r\n1\n\n", [1]),
        (b"", []),
        (BOM, []),
        (b'"\\u0000"\n', ["\0"]),
        ('"\u2028\u2029\x85"\n[1,\r2]\n'.encode(), ["\u2028\u2029\x85", [1, 2]]),  # only a line feed ends a line
        (b"9223372036854775807\n18446744073709551616\n", [2**63 - 1, 2.0**64]),
    ],
)
def test_messages(data: bytes, messages: list[object]) -> None:
    for portion in (1, 2, 3, 1000):
        got, lines = read(data, portion=portion)
        assert [orjson.loads(message) for message in got] == messages
        assert not lines.bad_count


@pytest.mark.parametrize(
    ("line", "byte", "says"),
    [
        (b'{"a":\xff}', 6, "not UTF-8: 0xff"),
        (b'"abc\x80"', 5, "not UTF-8: 0x80"),
        ('{"ä€": x}'.encode(), 11, "not JSON: unexpected character"),
        (b'  {"a":x}', 8, "not JSON"),
        (b"1\x002", 2, "not JSON"),
        (b"\x00", 1, "not JSON"),
        (b'{"a":1', 7, "unexpected end"),
        (b"NaN", 1, "not JSON"),
        (b'"\\ud800"', 2, "not JSON"),
        (b"[" * 2000 + b"]" * 2000, 1026, "depth"),
        (b"1,2", 2, "not JSON"),
        (BOM + b"x", 4, "not JSON"),
    ],
)
def test_where_a_line_goes_wrong(line: bytes, byte: int, says: str) -> None:
    got, lines = read(b"1\n" + line + b"\r\n3\n")
    assert got == [b"1", b"3"]
    (named,) = lines.named
    assert named.startswith(f"line 2, byte {byte}: ") and says in named, named


def test_repeated_ones_are_counted() -> None:
    got, lines = read(b"1\n" + b"hello\n" * 3000 + b"2\n")
    assert (got, lines.bad_count, len(lines.named), lines.number) == ([b"1", b"2"], 3000, MAX_NAMED, 3002)
    assert "it begins with 'hello'" in lines.named[0]


@pytest.mark.parametrize(
    ("first", "hint"),
    [
        (b"to be or not to be", "--lines"), (b"[INFO] started", "--lines"), (b"a,b,c", "--lines"), (b"{", "jq -c"),
        (b"[", "jq -c"), ("hello".encode("utf-16"), "iconv"),
    ],
)  # fmt: skip
def test_a_hint_when_the_input_is_something_else(first: bytes, hint: str) -> None:
    assert hint in read(first + b"\n")[1].named[0]
    assert hint not in read(b"1\n" + first + b"\n")[1].named[0]
    named = read(first + b"\n", raw=True)[1].named
    assert [hint in text for text in named] == [True] * (hint == "iconv")


def test_a_broken_object_is_no_text() -> None:
    assert "--lines" not in read(b'{"v":\n')[1].named[0]


def test_an_escape_sequence_does_not_reach_the_terminal() -> None:
    assert "\x1b" not in read(b"\x1b[2J\n")[1].named[0]


@pytest.mark.parametrize("raw", [False, True])
def test_a_line_may_have_so_many_bytes_and_no_more(raw: bool) -> None:
    most = b'"' + b"x" * (MAX_LINE_BYTES - 2) + b'"'
    got, lines = read(most + b"\n" + most + b" \n1\n" + most + b" ", raw, 1 << 20)
    assert [len(message) for message in got] == ([MAX_LINE_BYTES, 1] if not raw else [MAX_LINE_BYTES + 4, 3])
    assert [name.partition(";")[0] for name in lines.named] == [
        f"line 2: longer than {MAX_LINE_BYTES} bytes", f"line 4: longer than {MAX_LINE_BYTES} bytes"
    ]  # fmt: skip


def test_raw_lines() -> None:
    data = BOM + 'a "b" \\\n\n  {"x":1}\r\nä\x00\n'.encode() + b"bad \xff\nlast"
    for portion in (1, 2, 1000):
        got, lines = read(data, raw=True, portion=portion)
        assert [json.loads(message) for message in got] == ['a "b" \\', "", '  {"x":1}', "ä\0", "last"]
        assert lines.named == ["line 5, byte 5: not UTF-8: 0xff; it begins with 'bad \\\\xff'"]


TEXT = st.lists(
    st.sampled_from([b"1", b'"\xc3\xa4"', b"x", b"\n", b"\r", b"\xff", BOM, b"{", b"}", b'{"a":[1]}', b"\x00", b" "])
)


@settings(max_examples=500)
@given(parts=TEXT, cuts=st.lists(st.integers(1, 9)), raw=st.booleans())
def test_any_split_gives_the_same(parts: list[bytes], cuts: list[int], raw: bool) -> None:
    """Against a computed expectation: the whole input, cut at line feeds and read by the standard library."""
    data = b"".join(parts)
    lines = InputLines(raw)
    got, rest = [], data
    for cut in cuts:
        got += lines.feed(rest[:cut]) if rest[:cut] else []
        rest = rest[cut:]
    got += (lines.feed(rest) if rest else []) + lines.end()
    wanted, bad = expected(data, raw)
    assert [json.loads(message) for message in got] == wanted
    assert lines.bad_count == bad and len(lines.named) == min(bad, MAX_NAMED)


def expected(data: bytes, raw: bool) -> tuple[list[object], int]:
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    messages, bad = [], 0
    for index, line in enumerate(lines):
        text = line.removeprefix(BOM) if index == 0 or not raw else line
        try:
            if raw:
                messages.append(text.removesuffix(b"\r").decode())
            elif text.strip():
                messages.append(json.loads(text.strip().decode()))
        except ValueError:
            bad += 1
    return messages, bad
