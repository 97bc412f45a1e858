"""A host as a case sees it: loads modules, sends frames, applies transactions as the runner would, and waits.

Every frame that comes is checked by invariants.py; every wait has a timeout and fails with the frames seen.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from runtimes.conformance.invariants import (
    Broken,
    Failure,
    Transaction,
    check_error,
    check_fields,
    check_sums,
    failure_of,
    json_body,
    messages_of,
    require,
    rows_of,
)
from runtimes.conformance.link import Link
from runtimes.conformance.runner_view import RunnerView
from runtimes.conformance.slot import Slot
from runtimes.conformance.subject import Subject
from runtimes.conformance.values import short, text_of
from runtimes.frames import ALL_SLOTS, DELETED, Frame, Kind

WAIT_S = 20.0
HELLO_S = 60.0  # as the runner waits
SEEN_FRAMES = 12


class Host:
    """A started host process with its slots."""

    def __init__(self, subject: Subject, source_of: Callable[[str], tuple[str, str]]) -> None:
        self.link = Link(subject.command())
        self.view = RunnerView()
        self._subject = subject
        self.slots: dict[int, Slot] = {}
        self.hello: dict[str, Any] = {}
        self.results: dict[int, dict[str, Any]] = {}
        self.paused: dict[int, float] = {}
        self.pongs: list[int] = []
        self.logs: list[tuple[int, dict[str, str]]] = []
        self.turns: list[tuple[int, int]] = []
        self.commits: list[Transaction] = []
        self.errors: list[Failure] = []
        self.open = Transaction()
        self.journal: list[str] = []
        self._source_of = source_of
        self._asked: dict[int, tuple[Kind, int]] = {}
        self._seen: deque[str] = deque(maxlen=SEEN_FRAMES)
        self._channels: dict[int, tuple[Slot, str]] = {}
        self._next_request = 1
        try:
            self.wait(lambda: self.hello, "HELLO", HELLO_S)
        except Broken:
            self.link.close()
            raise

    def send(self, frame: Frame) -> None:
        """Write a frame, of which the runner's own checks take note."""
        self.view.told(frame)
        self.link.send(frame)

    def load(self, source: str, slot: int | None = None, **changes: Any) -> Slot:
        """Load a module of the suite, wired with in-port `in` and out-port `out`."""
        loaded = self.add(source, slot, **changes)
        result = self.result(loaded.load_request)
        require(result.get("ok") is True, f"LOAD of {source} gave {short(result, 400)}")
        loaded.hooks = result.get("hooks", [])
        loaded.wire()
        return loaded

    def add(self, source: str, slot: int | None = None, **changes: Any) -> Slot:
        """Send LOAD and do not wait. `changes` are fields of its body."""
        number, body = self._load_body(source, slot, changes)
        error = self._subject.build_error(body.get("unit"))
        require(error is None, f"{source} does not compile: {error}")
        return self._add(number, body)

    def _load_body(self, source: str, slot: int | None, changes: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        number = slot if slot is not None else max(self.slots, default=-1) + 1
        name, code = self._source_of(source)
        body = {
            "flow": "flow",
            "module": f"{source}{number}",
            "name": name,
            "code": code,
            "files": {},
            "config": None,
            "ports": None,
            "concurrency": 1,
            "retry": False,
            "version": 1,
            "max_turn_bytes": 16 << 20,
            "context": {},
        } | changes
        unit = self._subject.unit(body["name"], body["code"], body["files"])
        return number, body if unit is None else {"unit": unit} | body

    def _add(self, number: int, body: dict[str, Any]) -> Slot:
        added = Slot(self, number, str(body["module"]), dict(body["context"]))
        self.slots[number] = added
        added.load_request = self.ask(Kind.LOAD, number, text_of(body))
        return added

    def refuse_load(self, source: str, **changes: Any) -> dict[str, Any]:
        """The error of a LOAD that must fail, or of the compiler."""
        number, body = self._load_body(source, None, changes)
        error = self._subject.build_error(body.get("unit"))
        if error is None:
            result = self.result(self._add(number, body).load_request)
            del self.slots[number]
            require(result.get("ok") is False, f"LOAD of {source} should fail, it gave {short(result)}")
            error = result.get("error")
        check_error(error)
        assert error is not None
        return dict(error)

    def ask(self, kind: Kind, slot: int, body: bytes = b"") -> int:
        """Send a frame that has an answer; the number to wait for it with."""
        request = self._next_request
        self._next_request += 1
        self._asked[request] = (kind, slot)
        self.send(Frame(kind, slot, body, first=request))
        return request

    def result(self, request: int, timeout_s: float = WAIT_S) -> dict[str, Any]:
        """The RESULT of a request."""
        self.wait(lambda: request in self.results, f"RESULT of request {request}", timeout_s)
        return self.results[request]

    def pause(self, slot: int = ALL_SLOTS, timeout_s: float = WAIT_S) -> float:
        """Recall a slot, or all; the seconds it took."""
        start = time.monotonic()
        request = self.ask(Kind.PAUSE, slot)
        self.wait(lambda: request in self.paused, f"PAUSED of slot {slot}", timeout_s)
        return self.paused[request] - start

    def ping(self, number: int) -> None:
        """PING and wait for the PONG: what was asked before is done, or at least read."""
        self.send(Frame(Kind.PING, first=number))
        self.wait(lambda: number in self.pongs, f"PONG {number}")

    def wire_changed(self, slot: Slot) -> None:
        """Take note of the channels of a slot."""
        self._channels = {channel: owner for channel, owner in self._channels.items() if owner[0] is not slot}
        for port, channel in slot.channels.items():
            if channel is not None:
                self._channels[channel] = (slot, port)

    def stop(self, timeout_s: float = WAIT_S) -> int:
        """STOP, take what still comes, and return the exit status."""
        self.send(Frame(Kind.STOP))
        status = self.link.wait_exit(timeout_s)
        self.wait(lambda: not self.link.incoming, "the last frames")
        return status

    def unload(self, slot: Slot) -> None:
        """UNLOAD a slot and wait for its RESULT; its number may be given to another."""
        result = self.result(self.ask(Kind.UNLOAD, slot.number))
        require(result.get("ok") is True, f"UNLOAD gave {result}")
        slot.channels = {}
        self.wire_changed(slot)
        del self.slots[slot.number]

    def wait(self, done: Callable[[], object], what: str, timeout_s: float = WAIT_S) -> None:
        """Handle frames until `done()`; fails with the frames seen after the timeout or the host's death."""
        deadline = time.monotonic() + timeout_s
        while True:
            while self.link.incoming:
                self._take(self.link.incoming.popleft())
                if done():
                    return
            if done():
                return
            left = deadline - time.monotonic()
            if self.link.is_dead or left <= 0:
                why = "the host is dead" if self.link.is_dead else f"not within {timeout_s} s"
                raise Broken(f"no {what}: {why}. {self.story()}")
            self.link.pump(min(left, 1.0))

    def story(self) -> str:
        """The last frames and prints of the host."""
        printed = self.link.printed()
        return f"Last frames: {' | '.join(self._seen) or 'none'}" + (f". Printed: {printed}" if printed else "")

    def _take(self, frame: Frame) -> None:
        name = Kind(frame.kind).name
        self._seen.append(f"{name} slot={frame.slot} count={frame.count} first={frame.first} {short(frame.body, 100)}")
        try:
            kind = check_fields(frame)
            self.view.heard(frame)
            self._handle(kind, frame)
        except Broken as broken:
            raise Broken(f"{broken}. {self.story()}") from None

    def _handle(self, kind: Kind, frame: Frame) -> None:
        require(bool(self.hello) != (kind == Kind.HELLO), "HELLO must come first, and once")
        if kind not in (Kind.DATA, Kind.CONTEXT, Kind.ERROR, Kind.COMMIT, Kind.LOG, Kind.PONG):
            asked = self._asked.get(frame.first, (None, 0))[0]
            is_apart = kind != Kind.RESULT or asked == Kind.CALL
            require(self.open.is_empty or not is_apart, f"{kind.name} inside a transaction")
        getattr(self, f"_on_{kind.name.lower()}")(frame)

    def _loaded(self, number: int) -> Slot:
        require(number in self.slots, f"a frame for slot {number}, which is not loaded")
        return self.slots[number]

    def _on_hello(self, frame: Frame) -> None:
        self.hello = json_body(frame, "HELLO")

    def _on_data(self, frame: Frame) -> None:
        require(frame.slot in self._channels, f"DATA on channel {frame.slot}, which is not wired")
        self.open.data.append((frame.slot, messages_of(frame)))

    def _on_context(self, frame: Frame) -> None:
        self._loaded(frame.slot)
        require(frame.skip <= len(frame.body), f"CONTEXT says its key has {frame.skip} of {len(frame.body)} bytes")
        key, value = frame.body[: frame.skip].decode(), frame.body[frame.skip :]
        require((frame.slot, key) not in self.open.context, f"CONTEXT for {key!r} twice in a transaction")
        is_deleted = bool(frame.flags & DELETED)
        require(not (is_deleted and value), f"CONTEXT deletes {key!r} and has a value")
        if not is_deleted:
            json_body(frame._replace(body=value), "CONTEXT value")
        self.open.context[frame.slot, key] = None if is_deleted else value

    def _on_error(self, frame: Frame) -> None:
        self._loaded(frame.slot)
        self.open.errors.append(failure_of(frame))

    def _on_commit(self, frame: Frame) -> None:
        transaction, self.open = self.open, Transaction()
        transaction.rows = rows_of(frame, lambda slot: slot in self.slots)
        check_sums(transaction, {number: slot.channels for number, slot in self.slots.items()})
        for number, row in transaction.rows.items():
            self.slots[number].apply(row)
        for channel, messages in transaction.data:
            slot, port = self._channels[channel]
            slot.sent.setdefault(port, []).extend(messages)
        for (number, key), value in transaction.context.items():
            self.slots[number].apply_context(key, value)
        for error in transaction.errors:
            self.slots[error.slot].errors.append(error)
        self.errors += transaction.errors
        self.commits.append(transaction)
        self.journal.append("COMMIT")

    def _on_log(self, frame: Frame) -> None:
        body = json_body(frame, "LOG")
        fits = isinstance(body, dict) and body.keys() == {"level", "text"} and isinstance(body["text"], str)
        require(fits, f"LOG body: {short(body)}")
        if frame.slot != ALL_SLOTS:
            self._loaded(frame.slot)
        self.logs.append((frame.slot, body))

    def _on_turn(self, frame: Frame) -> None:
        self._loaded(frame.slot)
        self.turns.append((frame.slot, frame.first))
        self.journal.append(f"TURN {frame.first}")

    def _on_paused(self, frame: Frame) -> None:
        kind, slot = self._asked.pop(frame.first, (None, 0))
        require(kind == Kind.PAUSE, f"PAUSED for request {frame.first}, which was not asked")
        require(slot == frame.slot, f"PAUSED for slot {frame.slot}, asked was {slot}")
        for recalled in self.slots.values() if slot == ALL_SLOTS else [self._loaded(slot)]:
            recalled.forget()
        self.paused[frame.first] = time.monotonic()
        self.journal.append("PAUSED")

    def _on_result(self, frame: Frame) -> None:
        kind, slot = self._asked.pop(frame.first, (None, 0))
        require(kind in (Kind.LOAD, Kind.UNLOAD, Kind.CALL), f"RESULT for request {frame.first}, which was not asked")
        require(slot == frame.slot, f"RESULT for slot {frame.slot}, asked was {slot}")
        self.results[frame.first] = json_body(frame, "RESULT")
        self.journal.append("RESULT")

    def _on_finished(self, frame: Frame) -> None:
        slot = self._loaded(frame.slot)
        require(slot.finished is None, "FINISHED twice")
        slot.finished = json_body(frame, "FINISHED")
        self.journal.append("FINISHED")

    def _on_pong(self, frame: Frame) -> None:
        self.pongs.append(frame.first)
