"""What a page may say of messages: whatever it is, it is refused, or it is what it says it is."""

from __future__ import annotations

import json

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from actors.pages.said import said
from runtimes.frames import HEADERS, HEADERS_SEPARATOR, SEPARATOR, Decoder, Frame, Kind, ProtocolError, encode

PARTS = st.sampled_from(
    [
        b"1", b"[", b"]", b"{", b"}", b'"a":', b'"b"', b",", b",\n", b",\n\n", b"\n", b" ", b"null", b'{"x-a":"1"}',
        b"\xff", b'"',
    ]
)  # fmt: skip
BODIES = st.lists(PARTS, max_size=12).map(b"".join)


def commit(count: int, kinds: list[str]) -> Frame:
    places = {"out": ["ask", "out"], "context": "ask", "errors": "ask"}
    named = {name: [place] * kinds.count(name) for name, place in places.items()}
    row = ["ask", 0, 1, kinds.count("errors"), count, 0, 1, 0]
    return Frame(Kind.COMMIT, first=1, body=json.dumps({"rows": [row], **named}).encode())


@given(inner=BODIES, count=st.integers(1, 3), headers=st.booleans(), is_array=st.booleans())
@example(inner=b"1,2", count=1, headers=False, is_array=True)
@example(inner=b"", count=1, headers=False, is_array=True)
@example(inner=b'{"a":1,\n"b":2}', count=2, headers=False, is_array=True)
@example(inner=b'{"a":1,\n"b":2},3', count=2, headers=False, is_array=True)
@example(inner=b"[null],\n\n[1,2]", count=1, headers=True, is_array=True)
def test_messages_are_as_many_as_it_says(inner: bytes, count: int, headers: bool, is_array: bool) -> None:
    body = b"[" + inner + b"]" if is_array else inner
    frame = Frame(Kind.DATA, body=body, count=count, flags=HEADERS if headers else 0)
    try:
        taken = said([frame], commit(count, ["out"]), "mallory")
    except ProtocolError:
        return
    ((_, out),) = taken.work["ask"].outputs
    columns, messages = orjson.loads(out.body)
    assert len(columns) == len(messages) == count
    assert all(column["client"] == "mallory" for column in columns)
    encoded = out.body.partition(HEADERS_SEPARATOR)[2][1:-2].split(SEPARATOR)
    assert [orjson.loads(part) for part in encoded] == messages


NAMES = {Kind.DATA: "out", Kind.CONTEXT: "context", Kind.ERROR: "errors"}
FRAMES = st.builds(
    Frame, st.sampled_from(list(NAMES)), flags=st.integers(0, 255), slot=st.integers(0, 65535),
    skip=st.integers(0, 40), count=st.integers(0, 3), first=st.sampled_from([0, 1, 2**64 - 1]), body=BODIES,
)  # fmt: skip


@given(frames=st.lists(FRAMES, max_size=4), count=st.integers(0, 3), cut=st.integers(0, 200))
def test_any_frames(frames: list[Frame], count: int, cut: int) -> None:
    """They are refused in a sentence, also when they come in pieces."""
    whole = b"".join(encode(frame) for frame in (*frames, commit(count, [NAMES[Kind(f.kind)] for f in frames])))
    decoder = Decoder()
    try:
        found = [*decoder.feed(whole[:cut]), *decoder.feed(whole[cut:])]
        taken = said(found[:-1], found[-1], "mallory")
    except ProtocolError as error:
        assert str(error)
    else:
        assert sum(frame.count for _, frame in taken.work["ask"].outputs) == count
