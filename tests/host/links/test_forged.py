"""Frames that no honest host writes: each is noticed, its host is killed, and what was not committed is done again."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.messages import client_to_runner as api
from runtimes.frames import Frame, Kind, encode
from tests.host.links.puppet import Puppet, Stage, on_stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with on_stage(tmp_path / "state", monkeypatch) as stage:
        yield stage


def row(*numbers: object) -> bytes:
    """A COMMIT."""
    text = ",".join(map(str, numbers))
    return encode(Frame(Kind.COMMIT, body=f"[[{text}]]".encode()))


def data(body: bytes, count: int = 1, slot: int = 0, **fields: int) -> bytes:
    """A DATA frame as large as it says."""
    return encode(Frame(Kind.DATA, slot, body, count=count, **fields))


ONE = row(0, 1, 1, 0, 0, 1, 0, 5, 0)  # the commit that fits
GOOD_INFO = b'{"error":{"type":"E","message":"no"},"port":"in","id":"w#1","headers":null}'


def error(info: bytes = GOOD_INFO, message: bytes = b"", **fields: int) -> bytes:
    """An ERROR frame."""
    return encode(Frame(Kind.ERROR, body=info + message, skip=len(info), **fields))


# What the host of `a` writes instead of DATA and COMMIT of a turn whose message is alone: name -> bytes
FORGED = {
    "a count of 2^32-1": data(b"[1]", 0xFFFFFFFF) + ONE,
    "a count of 0": data(b"[1]", 0) + ONE,
    "fewer messages than it says": data(b"[1,\n2]", 3) + ONE,
    "more messages than it says": data(b"[1,\n2]", 1) + ONE,
    "more messages than COMMIT says": data(b"[1,\n2]", 2) + ONE,
    "an empty body": data(b"", 1) + ONE,
    "a channel that is not its own": data(b"[1]", slot=9) + ONE,
    "DATA with flags of the runner": data(b"[1]", flags=4) + ONE,
    "headers that are none": data(b"[1]", flags=2) + ONE,
    "headers of another number": data(b"[[null,\nnull],\n\n[1]]", flags=2) + ONE,
    "headers that are no objects": data(b"[[17],\n\n[1]]", flags=2) + ONE,
    "headers of numbers": data(b'[[{"client":7}],\n\n[1]]', flags=2) + ONE,
    "an unknown header": data(b'[[{"cookie":"7"}],\n\n[1]]', flags=2) + ONE,
    "headers that are no UTF-8": data(b'[[{"x-a":"\xff"}],\n\n[1]]', flags=2) + ONE,
    "headers over 4 KiB": data(b'[[{"x-a":"' + b"x" * 5000 + b'"}],\n\n[1]]', flags=2) + ONE,
    "outputs over max_turn_bytes": data(b'["' + b"x" * (17 << 20) + b'"]') + ONE,
    "fewer messages than COMMIT says": ONE,
    "nothing consumed": data(b"[1]") + row(0, 0, 0, 0, 0, 1, 0, 5, 0),
    "consumed twice": data(b"[1]") + ONE + ONE,
    "more consumed than it got": row(0, 1000, 1000, 0, 0, 0, 0, 5, 0),
    "a negative count": row(0, -1, 1, 0, 0, 0, 0, 5, 0),
    "a fraction": row(0, 1.5, 1, 0, 0, 0, 0, 5, 0),
    "a whole double": row(0, 1.0, 1, 0, 0, 0, 0, 5, 0),
    "a bool": row(0, "true", 1, 0, 0, 0, 0, 5, 0),
    "a list where a number is": row(0, [1], 1, 0, 0, 0, 0, 5, 0),
    "a text where a number is": row(0, '"1"', 1, 0, 0, 0, 0, 5, 0),
    "null where a number is": row(0, "null", 1, 0, 0, 0, 0, 5, 0),
    "a huge number": row(0, 1, 1, 0, 0, 0, 0, 10**400, 0),
    "too few numbers": row(0, 1, 1, 0, 0, 0, 0, 5),
    "too many numbers": row(0, 1, 1, 0, 0, 0, 0, 5, 0, 0),
    "credit that it has not": row(0, 0, 5000, 0, 5000, 0, 0, 5, 0),
    "fused messages that nobody sent": row(0, 1, 9, 0, 0, 0, 0, 5, 8),
    "more handled than it got": row(0, 1, 9, 0, 0, 0, 0, 5, 0),
    "more failed than handled": row(0, 1, 1, 7, 0, 0, 0, 5, 0),
    "failed without an ERROR": row(0, 1, 1, 1, 0, 0, 0, 5, 0),
    "a slot that is not its own": row(7, 1, 1, 0, 0, 0, 0, 5, 0),
    "two arrays for one slot": encode(Frame(Kind.COMMIT, body=b"[[0,1,1,0,0,0,0,5,0],[0,1,1,0,0,0,0,5,0]]")),
    "COMMIT that is no array": encode(Frame(Kind.COMMIT, body=b'{"a":1}')),
    "COMMIT that is no JSON": encode(Frame(Kind.COMMIT, body=b"[[")),
    "COMMIT with a text that is no UTF-8": encode(Frame(Kind.COMMIT, body=b'[["\xff"]]')),
    "COMMIT without its slot": data(b"[1]") + encode(Frame(Kind.COMMIT, body=b"[]")),
    "a key that is no UTF-8": encode(Frame(Kind.CONTEXT, body=b"\xff1", skip=1)) + ONE,
    "a key longer than the body": encode(Frame(Kind.CONTEXT, body=b"a1", skip=99)) + ONE,
    "a context value that is no JSON": encode(Frame(Kind.CONTEXT, body=b"a]", skip=1)) + ONE,
    "a context value over 1 MiB": encode(Frame(Kind.CONTEXT, body=b'a"' + b"x" * (1 << 20) + b'"', skip=1)) + ONE,
    "a context value nested 121 deep": encode(Frame(Kind.CONTEXT, body=b"a" + b"[" * 121 + b"]" * 121, skip=1)) + ONE,
    "a context value nested 100,000 deep": encode(Frame(Kind.CONTEXT, body=b"a" + b"[" * 10**5 + b"]" * 10**5, skip=1))
    + ONE,
    "a context of another slot": encode(Frame(Kind.CONTEXT, 5, body=b"a1", skip=1)) + ONE,
    "a key twice": encode(Frame(Kind.CONTEXT, body=b"a1", skip=1)) * 2 + ONE,
    "a deleted key with a value": encode(Frame(Kind.CONTEXT, body=b"a1", skip=1, flags=8)) + ONE,
    "an ERROR for a message that is not there": error(count=1) + row(0, 1, 1, 1, 0, 0, 0, 5, 0),
    "an ERROR for the same message twice": error() + error() + row(0, 1, 2, 2, 0, 0, 0, 5, 0),
    "an ERROR that is no JSON": error(b"]") + row(0, 1, 1, 1, 0, 0, 0, 5, 0),
    "an ERROR without a type": error(b'{"error":{"message":"x"}}') + row(0, 1, 1, 1, 0, 0, 0, 5, 0),
    "an ERROR with a number for a text": error(b'{"error":{"type":"E","message":[1]}}')
    + row(0, 1, 1, 1, 0, 0, 0, 5, 0),
    "an ERROR of a fused message": error(message=b"1", count=0xFFFFFFFF) + row(0, 1, 1, 1, 0, 0, 0, 5, 0),
    "an ERROR of no message": error(count=0xFFFFFFFF) + row(0, 1, 1, 1, 0, 0, 0, 5, 0),
    "an ERROR whose message is no JSON": error(message=b"]", count=0xFFFFFFFF) + row(0, 1, 1, 1, 0, 0, 0, 5, 0),
    "HELD without retry": error(flags=16) + row(0, 0, 1, 1, 0, 0, 0, 5, 0),
    "HELD of nothing": error(flags=16, count=1) + row(0, 1, 1, 1, 0, 0, 0, 5, 0),
    "RESULT that was not asked": encode(Frame(Kind.RESULT, first=1, body=b'{"ok":true}')),
    "RESULT that is no JSON": encode(Frame(Kind.RESULT, first=1, body=b"?")),
    "PAUSED that was not asked": encode(Frame(Kind.PAUSED, first=1)),
    "PAUSED of another slot": encode(Frame(Kind.PAUSED, 9, first=1)),
    "TURN that was not asked": encode(Frame(Kind.TURN, first=1)),
    "FINISHED of what is no source": encode(Frame(Kind.FINISHED, body=b'{"ok":true}')),
    "FINISHED of a slot that is nobody's": encode(Frame(Kind.FINISHED, 9, body=b'{"ok":true}')),
    "FINISHED that is no JSON": encode(Frame(Kind.FINISHED, body=b"no")),
    "HELLO again": encode(Frame(Kind.HELLO, body=b'{"protocol":1}')),
    "PONG that was not asked": encode(Frame(Kind.PONG, first=1)),
    "LOG that is no JSON": encode(Frame(Kind.LOG, body=b"x")),
    "LOG of a list": encode(Frame(Kind.LOG, body=b'{"level":[],"text":"x"}')),
    "a frame of the runner": encode(Frame(Kind.LOAD, body=b"{}")),
    "an unknown kind": struct.pack("<IBBHIIQ", 0, 200, 0, 0, 0, 0, 0),
    "a body of 4 GiB": struct.pack("<IBBHIIQ", 0xFFFFFFFF, int(Kind.DATA), 0, 0, 0, 1, 0),
}


@pytest.mark.parametrize("name", FORGED)
def test_once(stage: Stage, name: str) -> None:
    """The host is killed and says why; its successor does all of it, once."""
    done = []

    def change(puppet: Puppet, frame: Frame) -> list[Frame | bytes]:
        at = puppet.modules.get(0, {}).get("module") == "a" and not done
        if at and frame.kind == Kind.DATA:
            return []
        if at and frame.kind == Kind.COMMIT:
            done.append(puppet)
            return [FORGED[name]]
        return [frame]

    stage.chain("f", "echo", "echo")
    out = stage.collect("f", "b")
    stage.start("f")
    Puppet.change = change
    stage.send("f/a", 1, 2, 3)
    stage.wait(lambda: len(out.got) >= 3)
    assert out.got == [1, 2, 3]
    assert done[0].is_dead
    assert stage.record("f").state == "running"
    assert stage.record("f").activity.pending == 0
    assert stage.ok(api.DeadLetters, flow_id="f") == []
    assert {key: value["dropped"] for key, value in stage.ok(api.Audit).items()} == {"f/a": 0, "f/b": 0}
    stage.ok(api.RemoveFlow, flow_id="f")


@pytest.mark.parametrize("name", sorted(FORGED.keys() - {"consumed twice"}))  # where the first COMMIT is one that fits
def test_whoever_forges_it_each_time_becomes_a_dead_letter(stage: Stage, name: str) -> None:
    """The third time, alone: with the reason, and its neighbours arrive."""

    def change(puppet: Puppet, frame: Frame) -> list[Frame | bytes]:
        if puppet.modules.get(0, {}).get("module") != "a" or frame.kind not in (Kind.DATA, Kind.COMMIT):
            return [frame]
        batch = next(heard for heard in reversed(puppet.heard) if heard.kind == Kind.DATA)
        if b'"kill"' not in batch.body:
            return [frame]
        return [FORGED[name]] if frame.kind == Kind.COMMIT else []

    Puppet.change = change
    stage.chain("f", "echo", "echo")
    out = stage.collect("f", "b")
    stage.start("f")
    stage.send("f/a", 1, "kill", 3)
    stage.wait(lambda: out.got == [1, 3])
    (letter,) = stage.wait(lambda: stage.ok(api.DeadLetters, flow_id="f"))
    assert letter["message"] == "kill"
    assert "it broke the link protocol: " in letter["error"]["message"]
    assert stage.record("f").activity.pending == 0
    stage.ok(api.RemoveFlow, flow_id="f")
