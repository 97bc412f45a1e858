from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtimes.frames import HEADER, HEADERS, MAX_BODY_BYTES, Decoder, Frame, Kind, ProtocolError, encode, join, split

frames = st.builds(
    Frame,
    kind=st.sampled_from(list(Kind)).map(int),
    slot=st.integers(0, 0xFFFF),
    body=st.binary(max_size=200),
    flags=st.integers(0, 0xFF),
    skip=st.integers(0, 2**32 - 1),
    count=st.integers(0, 2**32 - 1),
    first=st.integers(0, 2**64 - 1),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
texts = values.map(lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def portions(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    starts = [0, *ends[:-1]]
    return [data[start:end] for start, end in zip(starts, ends, strict=True)]


@given(st.lists(frames, max_size=8), st.lists(st.integers(0, 2000), max_size=30))
def test_frames_survive_any_split(sent: list[Frame], cuts: list[int]) -> None:
    decoder = Decoder()
    data = b"".join(map(encode, sent))
    assert [frame for portion in portions(data, cuts) for frame in decoder.feed(portion)] == sent
    assert decoder.pending_bytes == 0


@given(st.lists(frames, min_size=1, max_size=3))
def test_frames_survive_byte_by_byte(sent: list[Frame]) -> None:
    decoder = Decoder()
    data = b"".join(map(encode, sent))
    assert [frame for byte in data for frame in decoder.feed(bytes([byte]))] == sent


@given(frames, st.data())
def test_an_unfinished_frame_is_pending(frame: Frame, data: st.DataObject) -> None:
    whole = encode(frame)
    size = data.draw(st.integers(0, len(whole) - 1))
    decoder = Decoder()
    assert list(decoder.feed(whole[:size])) == []
    assert decoder.pending_bytes == size


@given(st.integers(0, 255).filter(lambda kind: kind not in set(Kind)), st.binary(max_size=20))
def test_an_unknown_kind_is_refused(kind: int, body: bytes) -> None:
    with pytest.raises(ProtocolError, match=f"unknown frame kind {kind}"):
        list(Decoder().feed(encode(Frame(kind, body=body))))


@given(st.integers(MAX_BODY_BYTES + 1, 2**32 - 1))
def test_an_oversized_body_is_refused_by_its_header_alone(size: int) -> None:
    with pytest.raises(ProtocolError, match=f"body of {size} bytes"):
        list(Decoder().feed(HEADER.pack(size, Kind.DATA, 0, 0, 0, 0, 0)))


def test_the_largest_body_is_accepted_by_its_header() -> None:
    assert list(Decoder().feed(HEADER.pack(MAX_BODY_BYTES, Kind.DATA, 0, 0, 0, 0, 0))) == []


@given(frames)
def test_frames_before_a_bad_one_are_delivered(frame: Frame) -> None:
    received = []
    with pytest.raises(ProtocolError):
        for one in Decoder().feed(encode(frame) + encode(Frame(0))):
            received.append(one)
    assert received == [frame]


@given(st.lists(texts, min_size=1, max_size=6))
def test_split_is_the_inverse_of_join(messages: list[bytes]) -> None:
    body = join(messages)
    assert split(body) == (messages, None)
    assert json.loads(body) == [json.loads(message) for message in messages]


@given(
    st.lists(st.tuples(texts, st.none() | st.dictionaries(st.text(), st.text(), max_size=3)), min_size=1, max_size=6)
)
def test_split_is_the_inverse_of_join_with_headers(pairs: list[tuple[bytes, dict[str, str] | None]]) -> None:
    messages = [message for message, _ in pairs]
    headers = [json.dumps(header, separators=(",", ":")).encode() for _, header in pairs]
    body = join(messages, headers)
    assert split(body, HEADERS) == (messages, headers)
    assert json.loads(body) == [[header for _, header in pairs], [json.loads(message) for message in messages]]
