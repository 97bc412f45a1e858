"""Python modules fused in a row: a chain's one loop and the general way, a call object each, leave the same frames."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import orjson
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from runtimes.frames import HEADERS, NO_INDEX, Decoder, Frame, Kind, join
from runtimes.python3.batch import Batch
from runtimes.python3.call import Call, Produced
from runtimes.python3.chain import run_source_batch
from runtimes.python3.codec import copy_plain
from runtimes.python3.engine import Engine
from runtimes.python3.link import HELD
from runtimes.python3.outside import Outside
from runtimes.python3.slot import Slot
from runtimes.python3.source_batch import SourceBatch
from runtimes.python3.turn import Turn

LIMIT = 3000  # max_turn_bytes
CODE = """
def run(message, context):
    if not isinstance(message, dict):
        return message
    own = [context.message_id, context.port, context.redelivered, context.headers]
    message["seen"].append([*own, context.get("n", 0)])
    for action in message["do"].get(context.module_id, ()):
        if action == "set": context.set("n", context.get("n", 0) + 1)
        if action == "delete": context.delete("n")
        if action == "much": context.set("much", "x" * 1600)
        if action == "send": context.send("out", message)
        if action == "side": context.send("side", [context.module_id, context.message_id])
        if action == "fail": raise ValueError("as told")
        if action == "big": return {**message, "big": "x" * 3100}
        if action == "odd": return {**message, "odd": {1, 2}}
        if action == "none": return None
        if action == "values": return (value for value in [1, None, message])
    return message
"""
ACTIONS = st.lists(
    st.sampled_from(["set", "delete", "much", "send", "side", "fail", "big", "odd", "none", "values"]), max_size=2
)


class Link:
    """Keeps what an engine writes."""

    def __init__(self) -> None:
        self.input, self._end = os.pipe()
        self.logs: list[bytes] = []
        self.drained = True
        self.frames: list[Frame] = []
        self._decoder = Decoder()

    def write(self, data: bytes) -> None:
        """Frames of the host."""
        self.frames += self._decoder.feed(data)

    def flush_logs(self) -> None:
        """There are none."""

    def close(self) -> None:
        """Both ends of the pipe that nobody uses."""
        os.close(self.input)
        os.close(self._end)


class Row:
    """An engine with modules m0, m1 ... fused in a row; m0 has a source that is played by hand."""

    def __init__(self, length: int, is_wired: bool, retry: bool, has_chains: bool) -> None:
        self.link = Link()
        self.engine = Engine(self.link)  # type: ignore[arg-type]
        self.concluded = 0
        for number in range(length):
            load = {
                "flow": "f", "module": f"m{number}", "config": None, "concurrency": 1, "retry": retry and not number,
                "max_turn_bytes": LIMIT, "ports": None, "name": "m.py", "code": CODE, "files": {}, "context": {},
            }  # fmt: skip
            slot = self.engine.slots[number] = Slot(number, load)
            slot.outside = Outside(self.engine, slot)
            slot.load()
        for number, slot in self.engine.slots.items():
            fused = [[number + 1, f"p{number}", "w"]] if number + 1 < length else []
            out = {"channel": None if fused else 7, "ids": False, "fused": fused}
            wires = {"out": out} if fused or is_wired else {}
            slot.wire({"in": {}, "out": {**wires, "side": {"channel": 8, "ids": False, "fused": []}}})
        if not has_chains:
            self.engine.chains.of = lambda *_, **__: None  # type: ignore[method-assign]

    def close(self) -> None:
        """Give its descriptors back, and forget the modules."""
        for slot in self.engine.slots.values():
            slot.namespace.unload()
        self.link.close()
        os.close(self.engine.inbox.wake)
        self.engine.input_poll.close()

    def data(self, messages: list[bytes], skip: int, flags: int) -> None:
        """A DATA frame, run to its end."""
        slot = self.engine.slots[0]
        batch = Batch("in", "w->m0.in", flags, skip, len(messages) - skip, 40, join(messages))
        slot.queue.append(batch)
        self.engine.ready.append(slot)
        while self.engine.ready:
            self.engine.work()
            self.engine.commit()
        slot.is_held = False

    def source_batch(self, messages: list[bytes], changed: list[bool]) -> None:
        """What m0's source has yielded, some turns with a change of its context."""
        slot = self.engine.slots[0]
        source = SimpleNamespace(slot=slot, concluded=self.conclude)
        batch = SourceBatch(source, slot.out["out"], 20, 0)
        for index, (message, has_changed) in enumerate(zip(messages, changed, strict=True)):
            if has_changed:
                batch.changes[index] = {"position": index}
                slot.apply(batch.changes[index])
            batch.outputs.append(orjson.loads(message) if batch.out.native else message)
        run_source_batch(self.engine, self.engine.chains, batch)
        self.engine.commit()

    def conclude(self, turns: int) -> None:
        """As a source counts."""
        self.concluded += turns

    def left(self) -> dict[str, Any]:
        """What the frames say in sum, without times, and the contexts."""
        sent: dict[int, list[Any]] = {}
        contexts: dict[Any, bytes] = {}
        errors, counts = [], dict[int, list[int]]()
        for frame in self.link.frames:
            if frame.kind == Kind.DATA:
                assert not frame.flags & HEADERS
                sent.setdefault(frame.slot, []).extend(orjson.loads(frame.body))
            elif frame.kind == Kind.CONTEXT:
                contexts[frame.slot, frame.body[: frame.skip]] = frame.body[frame.skip :]
            elif frame.kind == Kind.ERROR:
                info = orjson.loads(frame.body[: frame.skip])
                info["error"].pop("stack", None)
                held = frame.flags & HELD
                before = counts.get(frame.slot, [0])[0]  # consumed by transactions before this one
                index = frame.count if frame.count == NO_INDEX else before + frame.count
                errors.append((frame.slot, info, frame.body[frame.skip :], index, frame.first, held))
            elif frame.kind == Kind.COMMIT:
                for number, *row in orjson.loads(frame.body):
                    del row[6]  # busy_us
                    counts[number] = [a + b for a, b in zip(counts.get(number, [0] * len(row)), row, strict=True)]
        stores = {number: slot.store.entries for number, slot in self.engine.slots.items()}
        return {"sent": sent, "contexts": contexts, "errors": errors, "counts": counts, "stores": stores,
                "concluded": self.concluded}  # fmt: skip


@st.composite
def cases(draw: Any) -> tuple[int, list[Any]]:
    """A length, and messages that say what which module is to do with them."""
    length = draw(st.integers(2, 5))
    do = st.dictionaries(st.sampled_from([f"m{n}" for n in range(length)]), ACTIONS, max_size=2)
    message = st.one_of(st.none(), st.just(1), do.map(lambda do: {"do": do, "seen": []}))
    return length, draw(st.lists(message, min_size=1, max_size=8))


def never_sure(_value: Any, _room: int) -> None:
    """copy_plain where there is no compiler."""


def both(length: int, is_wired: bool, retry: bool, play: Any) -> dict[str, Any]:
    """Play the same to a row without chains, to others: commits at once or not, with the C or not; what they left."""
    left = []
    for has_chains, commit_bytes, copy in ((False, 1, copy_plain), (True, 64 << 10, copy_plain), (True, 1, never_sure)):
        row = Row(length, is_wired, retry, has_chains)
        try:
            with (
                patch("runtimes.python3.chain.COMMIT_BYTES", commit_bytes),
                patch("runtimes.python3.chain.copy_plain", copy),
            ):
                play(row)
            assert not has_chains or any(row.engine.chains.found.values()), "there was no chain"
            left.append(row.left())
        finally:
            row.close()
    assert left[0] == left[1] == left[2]
    return left[0]


# The limit is that of one call, however much others of its turn do; a value is looked at before it is counted.
RARE = {
    "TurnTooLarge": (2, [{"do": {"m0": ["much"], "m1": ["much", "big"]}, "seen": []}]),
    "DataError": (2, [{"do": {"m0": ["much"], "m1": ["much", "odd"]}, "seen": []}]),
}
MANY = settings(max_examples=int(os.environ.get("EXAMPLES", "300")), database=None)


@MANY
@given(cases(), st.booleans(), st.booleans(), st.booleans(), st.data())
def test_messages(case: Any, is_wired: bool, retry: bool, redelivered: bool, data: Any) -> None:
    skip = data.draw(st.integers(0, len(case[1]) - 1))
    for _, info, *_ in play_messages(case, skip, is_wired, retry, redelivered)["errors"]:
        event(info["error"]["type"])


def play_messages(case: Any, skip: int, is_wired: bool, retry: bool, redelivered: bool) -> dict[str, Any]:
    length, messages = case
    texts = [orjson.dumps(message) for message in messages]
    return both(length, is_wired, retry, lambda row: row.data(texts, skip, int(redelivered)))


@pytest.mark.parametrize("error", RARE)
def test_which_error_comes_first(error: str) -> None:
    ((_, info, *_),) = play_messages(RARE[error], 0, True, False, False)["errors"]
    assert info["error"]["type"] == error


@MANY
@given(cases(), st.booleans(), st.data())
def test_a_source(case: Any, is_wired: bool, data: Any) -> None:
    length, messages = case
    changed = data.draw(st.lists(st.booleans(), min_size=len(messages), max_size=len(messages)))
    texts = [orjson.dumps(message) for message in messages]
    both(length, is_wired, False, lambda row: row.source_batch(texts, changed))


def test_the_last_turn_of_a_source_that_joins_another_is_committed_with_it() -> None:
    """FINISHED follows a commit that has both turns whole."""
    row = Row(2, is_wired=False, retry=False, has_chains=False)
    front, behind = row.engine.slots.values()
    root = Produced(Call.named(front, "start", "start", 0), ([], {}, 0, 0), 1)
    last = Produced(Call.named(behind, "start", "start", 3), ([], {}, 0, 0), 0)
    last.finished = True
    turn = Turn(row.engine.slots, root.call)
    for item in (root, last):
        row.engine.absorb(item, turn, [])
    row.engine.keep(turn, False)
    commit, finished = row.link.frames
    assert [counts[:5] for counts in orjson.loads(commit.body)] == [[0, 0, 1, 0, 1], [1, 0, 0, 0, 0]]
    assert (finished.kind, finished.slot) == (Kind.FINISHED, 1)
    row.close()
