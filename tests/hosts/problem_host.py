"""A host that breaks one rule on order: a proxy between the suite and a real host, which alters frames on their way.

`problem_host.py PROBLEM HOST... INPUT OUTPUT`. The problems are the functions of PROBLEMS; `none` alters nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2]))

from runtimes.frames import (
    DELETED,
    HELD,
    REDELIVERED,
    TURN_FLAG,
    Decoder,
    Frame,
    Kind,
    ProtocolError,
    encode,
    join,
    split,
)

READ_BYTES = 1 << 16
Change = Callable[[Frame], Iterator[Frame | bytes]]


def changed_json(frame: Frame, change: Callable[[Any], Any]) -> Frame:
    """The frame with its JSON body changed."""
    return frame._replace(body=json.dumps(change(json.loads(frame.body)), separators=(",", ":")).encode())


def none(frame: Frame) -> Iterator[Frame | bytes]:
    yield frame


def sends_outputs_of_failed_turns(frame: Frame) -> Iterator[Frame | bytes]:
    """A failing turn leaves an output, counted as the contract wants."""
    if frame.kind == Kind.ERROR and not frame.flags & HELD:
        failing.append(frame.slot)
        yield Frame(Kind.DATA, frame.slot * 16, b'["bad"]', count=1)
    if frame.kind == Kind.COMMIT and failing:
        slots, failing[:] = list(failing), []
        frame = changed_json(frame, lambda rows: [[*r[:5], r[5] + slots.count(r[0]), *r[6:]] for r in rows])
    yield frame


failing: list[int] = []


def ignores_skip(frame: Frame) -> Iterator[Frame | bytes]:
    yield frame._replace(skip=0) if frame.kind == Kind.DATA else frame


def counts_too_much(frame: Frame) -> Iterator[Frame | bytes]:
    """COMMIT says one handled more."""
    yield (
        changed_json(frame, lambda rows: [[*r[:2], r[2] + 1, *r[3:]] for r in rows])
        if frame.kind == Kind.COMMIT
        else frame
    )


def prints_to_the_link(frame: Frame) -> Iterator[Frame | bytes]:
    """A print reaches the link as it is."""
    yield json.loads(frame.body)["text"].encode() + b"\n" * 30 if frame.kind == Kind.LOG else frame


def never_paused(frame: Frame) -> Iterator[Frame | bytes]:
    """No PAUSED answers a PAUSE."""
    if frame.kind != Kind.PAUSED or frame.first == 0:
        yield frame


def keeps_context_of_failed_turns(frame: Frame) -> Iterator[Frame | bytes]:
    """A failing turn sets a key."""
    if frame.kind == Kind.ERROR:
        failing.append(frame.slot)
    if frame.kind == Kind.COMMIT:
        slots, failing[:] = set(failing), []
        for slot in slots:
            yield Frame(Kind.CONTEXT, slot, b"left true".replace(b" ", b""), skip=4)
    yield frame


def commits_out_of_order(frame: Frame) -> Iterator[Frame | bytes]:
    """The outputs of several turns leave in the wrong order."""
    if frame.kind == Kind.DATA and frame.count > 1 and not frame.flags:
        frame = frame._replace(body=join(split(frame.body)[0][::-1]))
    yield frame


def reorders_wires(frame: Frame) -> Iterator[Frame | bytes]:
    """The fused targets run in another order."""
    if frame.kind == Kind.WIRES:
        body = json.loads(frame.body)
        for out in body["out"].values():
            out["fused"].reverse()
        frame = frame._replace(body=json.dumps(body).encode())
    yield frame


def ignores_credit(frame: Frame) -> Iterator[Frame | bytes]:
    yield frame._replace(count=frame.count + 3) if frame.kind == Kind.PULL else frame


def forgets_redelivered(frame: Frame) -> Iterator[Frame | bytes]:
    yield frame._replace(flags=frame.flags & ~REDELIVERED) if frame.kind == Kind.DATA else frame


def sends_nan_as_null(frame: Frame) -> Iterator[Frame | bytes]:
    """What cannot be encoded is sent as null."""
    if frame.kind == Kind.ERROR and json.loads(frame.body[: frame.skip])["error"]["type"] == "DataError":
        failing.append(frame.slot)
        yield Frame(Kind.DATA, frame.slot * 16, b"[null]", count=1)
        return
    if frame.kind == Kind.COMMIT and failing:
        slots, failing[:] = list(failing), []
        frame = changed_json(frame, lambda rows: [[*r[:3], 0, r[4], r[5] + slots.count(r[0]), *r[6:]] for r in rows])
    yield frame


def never_deletes(frame: Frame) -> Iterator[Frame | bytes]:
    if frame.kind != Kind.CONTEXT or not frame.flags & DELETED:
        yield frame


def never_announces_turns(frame: Frame) -> Iterator[Frame | bytes]:
    yield frame._replace(flags=frame.flags & ~TURN_FLAG) if frame.kind == Kind.DATA else frame


def has_no_turn_limit(frame: Frame) -> Iterator[Frame | bytes]:
    if frame.kind == Kind.LOAD:
        frame = frame._replace(body=frame.body.replace(b'"max_turn_bytes":', b'"max_turn_bytes":99999'))
    yield frame


def separates_with_commas_only(frame: Frame) -> Iterator[Frame | bytes]:
    yield frame._replace(body=frame.body.replace(b",\n", b",")) if frame.kind == Kind.DATA else frame


def commits_each_frame(frame: Frame) -> Iterator[Frame | bytes]:
    """A turn's outputs are committed one by one."""
    yield frame
    if frame.kind == Kind.DATA:
        yield Frame(Kind.COMMIT, body=b"[]")


TO_HOST: dict[str, Change] = {
    change.__name__: change
    for change in (
        ignores_skip,
        reorders_wires,
        ignores_credit,
        forgets_redelivered,
        never_announces_turns,
        has_no_turn_limit,
    )
}
FROM_HOST: dict[str, Change] = {
    change.__name__: change
    for change in (
        sends_outputs_of_failed_turns,
        counts_too_much,
        prints_to_the_link,
        never_paused,
        keeps_context_of_failed_turns,
        commits_out_of_order,
        sends_nan_as_null,
        never_deletes,
        separates_with_commas_only,
        commits_each_frame,
    )
}
PROBLEMS = sorted(["none", *TO_HOST, *FROM_HOST])


def pump(source: int, target: int, change: Change) -> None:
    """Move frames until the end of file; bytes that are no frames go on as they are."""
    decoder = Decoder()
    while data := os.read(source, READ_BYTES):
        parts = []
        try:
            for frame in decoder.feed(data):
                parts += [part if isinstance(part, bytes) else encode(part) for part in change(frame)]
        except ProtocolError:
            parts.append(data)
        with contextlib.suppress(BrokenPipeError):
            view = memoryview(b"".join(parts))
            while view:
                view = view[os.write(target, view) :]


def named_self(change: Change) -> Change:
    """HELLO names the process that the suite has started."""

    def wrapped(frame: Frame) -> Iterator[Frame | bytes]:
        if frame.kind == Kind.HELLO:
            frame = changed_json(frame, lambda hello: {**hello, "pid": os.getpid()})
        yield from change(frame)

    return wrapped


def main(problem: str, command: list[str], paths: list[str]) -> None:
    """Start the real host behind this one."""
    inner = ["inner-input", "inner-output"]
    for name in inner:
        os.mkfifo(name, 0o600)
    host = subprocess.Popen([*command, *(str(Path(name).absolute()) for name in inner)])
    to_host, from_host = os.open(inner[0], os.O_WRONLY), os.open(inner[1], os.O_RDONLY)
    outer_input, outer_output = os.open(paths[0], os.O_RDONLY), os.open(paths[1], os.O_WRONLY)

    def feed() -> None:
        pump(outer_input, to_host, TO_HOST.get(problem, none))
        os.close(to_host)

    threading.Thread(target=feed, daemon=True).start()
    pump(from_host, outer_output, named_self(FROM_HOST.get(problem, none)))
    os._exit(host.wait())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:-2], sys.argv[-2:])
