"""Follows messages through a host: a span for every turn of a followed message, and for what is fused behind it.

A followed message goes to the host alone, announced by TURN, with a `traceparent` that names the span of its turn; so
whatever comes of the turn, in any language, says by itself where it comes from. Its COMMIT is that of this turn alone,
and says what the modules fused behind it have done. Messages that are not followed are not touched.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from actors.definition.hosting import HostPlan
from actors.messages.to_exporter import SpansEnded
from actors.state.tracing import (
    CONSUMER,
    Attributes,
    Context,
    Span,
    SpanError,
    Tracing,
    about,
    context_of,
    cut,
    followed,
    headers_of,
    moved,
    new_span,
    says_of_any,
    under,
)
from actors.system.port import Port
from runtimes.frames import HEADERS, HEADERS_SEPARATOR, HELD, NO_INDEX, REDELIVERED, TURN_FLAG, Frame, Kind, join, split
from runtimes.given import Given
from runtimes.transaction import Parts
from runtimes.turns_committed import TurnsCommitted

_DATA = int(Kind.DATA)
MAX_TEXT = 4096  # characters of an error's message and of its stack


class _Turn:
    """Of a followed message: at the host, or on its way there."""

    __slots__ = ("attributes", "begun_ns", "behind", "context", "number", "ours", "place", "span")

    def __init__(
        self, context: Context, number: int, behind: int, ours: bool, place: str, attributes: Attributes
    ) -> None:
        self.context, self.number, self.place, self.attributes = context, number, place, attributes
        self.behind = behind  # messages of its slot that the host has and has to do before
        self.ours = ours  # nobody else wants to know that it begins
        self.span, self.begun_ns = new_span(), 0


class Following:
    """Of one start of a host. `plan`, `fused`: as they are now."""

    def __init__(
        self, port: Port, tracing: Tracing, given: Mapping[int, Given], plan: Callable[[], HostPlan],
        fused: Callable[[], frozenset[str]],
    ) -> None:  # fmt: skip
        self._port, self._tracing, self._given, self._plan, self._fused = port, tracing, given, plan, fused
        self._turns: dict[int, deque[_Turn]] = {}  # of slots that have some

    # to the host ---------------------------------------------------------------------------------------------------

    def mark(self, slot: int, frames: list[Frame]) -> list[Frame]:
        """The frames of a module, in which every followed message has one of its own."""
        for frame in frames:
            if frame[3] & HEADERS and frame[0] == _DATA and says_of_any(frame[2]):
                break
        else:  # by far the most
            return frames
        if slot not in self._given:
            return frames
        marked: list[Frame] = []
        behind = self._given[slot].messages
        for frame in frames:
            if frame[0] != _DATA:
                marked.append(frame)
                continue
            marked += self._cut(slot, frame, behind) if frame[3] & HEADERS else (frame,)
            behind += frame[5]
        return marked

    def _cut(self, slot: int, frame: Frame, behind: int) -> Iterator[Frame]:
        kind, channel, body, flags, skip, count, first = frame
        messages, headers = split(body, flags)
        assert headers is not None
        at = skip
        for index in range(skip, skip + count):
            context = followed(headers[index])
            if context is None:
                continue
            if index > at:
                yield Frame(kind, channel, body, flags, at, index - at, first + at - skip)
            at, number = index + 1, first + index - skip
            plan = self._plan()
            _, port, wire = plan.inputs[channel]
            attributes: Attributes = {"messaging.message.id": f"{wire}#{number}"}
            if flags & REDELIVERED:
                attributes["runner.redelivered"] = True
            place, ours = f"{plan.modules[slot]}.{port}", not flags & TURN_FLAG
            turn = _Turn(context, number, behind + index - skip, ours, place, attributes)
            self._turns.setdefault(slot, deque()).append(turn)
            alone = join(messages[index : index + 1], [under(headers[index], turn.span)])
            yield Frame(kind, channel, alone, flags | TURN_FLAG, 0, 1, number)
        if at < skip + count:
            yield Frame(kind, channel, body, flags, at, skip + count - at, first + at - skip)

    # from the host -------------------------------------------------------------------------------------------------

    def begun(self, slot: int, number: int) -> bool:
        """TURN. Whether only we wanted to know."""
        for turn in self._turns.get(slot, ()):
            if not turn.begun_ns and turn.number == number:
                turn.begun_ns = time.time_ns()
                return turn.ours
        return False

    def recalled(self, slot: int) -> None:
        """PAUSED: the host has nothing of it."""
        self._turns.pop(slot, None)

    def died(self, reason: str) -> None:
        """The host has ended, in the middle of these turns."""
        error = SpanError("HostDied", reason[:MAX_TEXT], "")
        now = time.time_ns()
        turns = [(slot, turn) for slot, turns in self._turns.items() for turn in turns if turn.begun_ns]
        self._turns.clear()
        self._tell([self._span(slot, turn, turn.begun_ns, now, error) for slot, turn in turns])

    def committed(self, parts: Parts) -> None:
        """Before they are handed out: what comes from a fused module's turn says so, and what a source has sent may be
        followed from here on.
        """
        if not self._turns and not self._tracing.is_on:
            return
        if self._turns:
            by_slot = dict(parts)
            for slot in [slot for slot in self._turns if slot in by_slot]:
                for turn, error in self._ended(slot, by_slot[slot]):
                    self._end(slot, turn, error, parts)
        for slot, part in parts:  # of which one may be exchanged meanwhile
            if part[4] and (part[3] or not (part[0] or part[7])):  # sent: pulled, or neither consumed nor fused
                self._enter(slot, parts)

    def _ended(self, slot: int, part: TurnsCommitted) -> list[tuple[_Turn, SpanError | None]]:
        turns, ended = self._turns[slot], []
        errors = {error.count: error for error in part.errors if error.count != NO_INDEX}
        held = bool(part.errors) and part.errors[-1].flags & HELD
        while turns and (turns[0].behind < part.consumed or (held and turns[0].behind in errors)):
            turn = turns.popleft()
            ended.append((turn, _error(errors.get(turn.behind))))
        for turn in turns:
            turn.behind -= part.consumed
        if not turns:
            del self._turns[slot]
        return ended

    def _end(self, slot: int, turn: _Turn, error: SpanError | None, parts: Parts) -> None:
        now = time.time_ns()
        rows = dict(parts)
        begun = turn.begun_ns or now
        busy_ns = rows[slot].busy_us * 1000
        ended = min(begun + busy_ns, now) if busy_ns and rows[slot].handled == 1 else now
        spans = [self._span(slot, turn, begun, ended, error)]
        ran = {slot: turn.span}
        for behind, port, feeders in self._behind(ran, rows):
            part, span = rows[behind], new_span()
            begun, ended = ended, min(ended + part.busy_us * 1000, now)
            place = f"{self._plan().modules[behind]}.{port}"
            raised = [error for error in part.errors if error.count == NO_INDEX]
            attributes = about(self._tracing.flow, place, "process")
            if part.fused > 1:
                attributes["messaging.batch.message_count"] = part.fused
            parents = [ran[feeder] for feeder in feeders]
            spans.append(Span(
                self._tracing.flow, turn.context.trace, span, parents[0], f"process {self._plan().modules[behind]}",
                CONSUMER, begun, ended, attributes, _error(raised[0]) if raised else None, parents[1:],
            ))  # fmt: skip
            ran[behind] = span
        for at, (other, part) in enumerate(parts):
            if other != slot and other in ran:
                parts[at] = other, _moved(part, turn.span, ran[other])
        self._tell(spans)

    def _behind(
        self, ran: Mapping[int, Any], rows: Mapping[int, TurnsCommitted]
    ) -> Iterator[tuple[int, str, list[int]]]:
        """The slots that have had something by fused wires of those that `ran`, which grows meanwhile: slot, in-port,
        and from which slots.
        """
        plan, fused = self._plan(), self._fused()
        for slot in plan.modules:  # feeders first
            if slot in ran or slot not in rows or not rows[slot].fused:
                continue
            wires = [wire for wire in plan.fusable if wire[2] == slot and wire[4] in fused and wire[0] in ran]
            if wires:
                yield slot, wires[0][3], list(dict.fromkeys(wire[0] for wire in wires))

    def _span(self, slot: int, turn: _Turn, begun_ns: int, ended_ns: int, error: SpanError | None) -> Span:
        flow, (trace, parent) = self._tracing.flow, turn.context
        attributes = {**about(flow, turn.place, "process"), **turn.attributes}
        name = f"process {self._plan().modules.get(slot, slot)}"
        return Span(flow, trace, turn.span, parent, name, CONSUMER, begun_ns, ended_ns, attributes, error)

    # where messages begin ------------------------------------------------------------------------------------------

    def _enter(self, slot: int, parts: Parts) -> None:
        """Messages that the source of a slot has sent, or modules fused behind it: some are followed."""
        rows = dict(parts)
        chains = {slot: [slot]}  # the way to each
        for behind, _, feeders in self._behind(chains, rows):
            chains[behind] = [*chains[feeders[0]], behind]
        for at, (other, part) in enumerate(parts):
            if other in chains and part.outputs and (other == slot or not part.consumed):
                outputs, spans = self._entered(part.outputs, [(one, rows[one]) for one in chains[other]])
                if spans:
                    parts[at] = other, part._replace(outputs=outputs)
                    self._tell(spans)

    def _entered(
        self, outputs: Any, chain: list[tuple[int, TurnsCommitted]]
    ) -> tuple[list[tuple[str, Frame]], list[Span]]:
        sent: list[tuple[str, Frame]] = []
        spans: list[Span] = []
        for port, frame in outputs:
            picked = () if frame.flags & HEADERS else self._tracing.pick(frame.count)
            if not picked:
                sent.append((port, frame))
                continue
            headers = {}
            for index in picked:
                of_one = self._way(chain, port)
                spans += of_one
                headers[index] = headers_of(context_of(of_one[-1]))
            messages, _ = split(frame.body)
            sent += [
                (port, Frame(frame.kind, frame.slot, body, flags, 0, count))
                for body, flags, count in cut(messages, headers)
            ]
        return sent, spans

    def _way(self, chain: list[tuple[int, TurnsCommitted]], port: str) -> list[Span]:
        """The spans of a message that has come by these slots; what each has taken is known of all turns together."""
        plan = self._plan()
        took_ns = [part.busy_us * 1000 // max(1, part.handled) for _, part in chain]
        begun = time.time_ns() - sum(took_ns)
        first = plan.modules[chain[0][0]]
        root = self._tracing.root(f"{first}.{port if len(chain) == 1 else 'out'}")
        spans = [root._replace(name=f"send {first}", begun_ns=begun, ended_ns=begun + took_ns[0])]
        for (slot, _), spent_ns in zip(chain[1:], took_ns[1:], strict=True):
            before, module = spans[-1], plan.modules[slot]
            attributes = about(self._tracing.flow, f"{module}.in", "process")
            spans.append(Span(
                self._tracing.flow, before.trace, new_span(), before.span, f"process {module}", CONSUMER,
                before.ended_ns, before.ended_ns + spent_ns, attributes,
            ))  # fmt: skip
        return spans

    def _tell(self, spans: list[Span]) -> None:
        if spans:
            self._port.send(self._tracing.exporter, SpansEnded(spans=spans, counts=self._tracing.counts))


def _error(frame: Frame | None) -> SpanError | None:
    if frame is None:
        return None
    error = orjson.loads(frame.body[: frame.skip])["error"]
    message, stack = error.get("message") or "", error.get("stack") or ""
    return SpanError(error["type"], message[:MAX_TEXT], stack[:MAX_TEXT])


def _moved(part: TurnsCommitted, before: str, after: str) -> TurnsCommitted:
    """What a fused module has sent comes from its own span; the host knows that of the turn only."""
    outputs = []
    for port, frame in part.outputs:
        if frame.flags & HEADERS:
            headers, _, messages = frame.body.partition(HEADERS_SEPARATOR)
            frame = frame._replace(body=moved(headers, before, after) + HEADERS_SEPARATOR + messages)  # noqa: PLW2901
        outputs.append((port, frame))
    errors = [
        error._replace(body=moved(error.body[: error.skip], before, after) + error.body[error.skip :])
        for error in part.errors
    ]
    return part._replace(outputs=outputs, errors=errors)
