"""One transaction of a host: kept frame by frame, then checked as a whole against what the host was given.

Nothing of it leaves before `commit` has looked at all of it: a transaction that does not fit raises ProtocolError and
leaves nothing. Pure: it does not know who gets the parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runtimes import host_bodies as bodies
from runtimes.frames import DELETED, HEADERS, HELD, NO_INDEX, Frame, Kind, ProtocolError
from runtimes.given import Given
from runtimes.turns_committed import Changes, Errors, Outputs, TurnsCommitted

SLACK_BYTES = 64 << 20  # a transaction may be so much larger than the largest turn: errors, and what finished before it
MAX_FRAMES = 1 << 20
_CONTEXT = int(Kind.CONTEXT)  # plain numbers: this is the hot path
_LINE_FEED = 10  # looked for ten times as fast as b"\n"
_new = tuple.__new__  # half the time of TurnsCommitted(...)

Parts = list[tuple[int, TurnsCommitted]]
_NO_OUTPUTS: Outputs = ()
_NO_CHANGES: Changes = {}
_NO_ERRORS: Errors = ()
_NONE: dict[int, Any] = {}


class Transaction:
    """What a host has said since its last COMMIT: `data`, and `others` (CONTEXT and ERROR), in the order they came;
    `bytes` is their size.
    """

    def __init__(self, given: Mapping[int, Given], ports: Mapping[int, tuple[int, str]]) -> None:
        """`ports`: channel -> (slot, out-port). Both tables are the caller's, and change."""
        self._given = given
        self._ports = ports
        self._feeders: Mapping[int, Sequence[int]] = {}
        self._fusing: frozenset[int] = frozenset()
        self.data: list[Frame] = []
        self.others: list[Frame] = []
        self.bytes = self._max_turn_bytes = 0
        self._max_bytes = SLACK_BYTES

    def allow(self, max_turn_bytes: int) -> None:
        """Some module has handler calls that send and keep so much."""
        self._max_turn_bytes = max(self._max_turn_bytes, max_turn_bytes)
        self._max_bytes = self._max_turn_bytes + SLACK_BYTES

    def fuse(self, feeders: Mapping[int, Sequence[int]]) -> None:
        """`feeders`: slot -> the slot in front of each wire that may be fused. What they send need not be seen here."""
        self._feeders = feeders
        self._fusing = self._fusing.union(*feeders.values())

    def grow(self, size: int) -> None:
        """So many bytes of frames have been added to `data` and `others`."""
        self.bytes += size
        if self.bytes > self._max_bytes or len(self.data) + len(self.others) > MAX_FRAMES:
            raise ProtocolError(f"a transaction of more than {self._max_bytes} bytes or {MAX_FRAMES} frames")

    def commit(self, frame: Frame) -> Parts:
        """The parts per slot, those that consumed nothing first: what they add is under way before anything is done."""
        rows = bodies.rows(frame[2])
        data = self.data
        if len(data) == 1 == len(rows) and not self.others:  # the short way: what one slot consumed and sent at once
            slot, consumed, handled, failed, pulled, sent, unwired, busy_us, fused = rows[0]
            _, channel, body, flags, skip, count, first = data[0]
            given, place = self._given.get(slot), self._ports.get(channel)
            if (
                given is not None and place is not None and place[0] == slot and count == sent
                and not (given.is_special or failed or fused or flags or skip or first)
                and consumed <= given.messages and pulled <= given.credit and handled <= consumed + pulled
                and 3 * count <= len(body) <= (consumed + pulled) * self._max_turn_bytes
                and (_LINE_FEED not in body if count == 1 else body.count(b"\n") == count - 1)
            ):  # fmt: skip
                given.messages -= consumed
                given.credit -= pulled
                self.bytes = 0
                part = _new(TurnsCommitted, (
                    consumed, handled, failed, pulled, sent, unwired, busy_us, fused,
                    ((place[1], data.pop()),), _NO_CHANGES, _NO_ERRORS,
                ))  # fmt: skip
                return [(slot, part)]
        return self._commit(rows)  # the long way, which finds out what does not fit

    def _commit(self, rows: list[bodies.Row]) -> Parts:
        if len(rows) > 1:
            rows.sort(key=_consumed)
        outputs, sent_bytes = self._outputs() if self.data else (_NONE, 0)
        changes, errors = self._changes_and_errors() if self.others else (_NONE, _NONE)
        parts: Parts = []
        turns = found = behind = 0  # turns; slots with outputs; handler calls that were fused behind others
        for row in rows:
            slot, consumed, handled, failed, pulled, sent, unwired, busy_us, fused = row
            given = self._given.get(slot)
            if given is None or consumed > given.messages or pulled > max(0, given.credit + given.late):
                raise ProtocolError(f"COMMIT of {row}: {_had(given)}")
            turns += consumed + pulled
            behind += fused
            out = outputs.get(slot, _NO_OUTPUTS)
            found += 1 if out else 0
            seen = sum([frame.count for _, frame in out])
            if seen > sent or (seen < sent and slot not in self._fusing):
                raise ProtocolError(f"COMMIT of {row}: there are {seen} messages on its channels")
            part = _new(TurnsCommitted, (
                consumed, handled, failed, pulled, sent, unwired, busy_us, fused, out,
                changes.pop(slot, _NO_CHANGES) if changes else _NO_CHANGES,
                errors.pop(slot, _NO_ERRORS) if errors else _NO_ERRORS,
            ))  # fmt: skip
            if failed or fused or given.is_special or part[9] or part[10] or handled > consumed + pulled:
                self._check_special(row, part, given, rows)
                turns += given.hooks
            parts.append((slot, part))
        if found < len(outputs) or changes or errors or (len(rows) > 1 and len({row[0] for row in rows}) < len(rows)):
            raise ProtocolError("COMMIT without an array for every slot, or with two for one")
        if sent_bytes > (turns + behind) * self._max_turn_bytes:
            raise ProtocolError(f"{turns} turns sent {sent_bytes} bytes: more than max_turn_bytes allows")
        if not turns and any(row[5] for row in rows):
            raise ProtocolError("COMMIT of messages that no turn can have sent")
        self._end(parts)
        return parts

    def _end(self, parts: Parts) -> None:
        """It stands."""
        for slot, part in parts:
            given = self._given[slot]
            given.messages -= part[0]
            given.credit -= part[3]
            if given.credit < 0:
                given.late = 0
            if given.is_special or part[9] or part[10]:
                given.note(part, self.bytes)
        self.bytes = 0
        self.data.clear()
        self.others.clear()

    # the checks ----------------------------------------------------------------------------------------------------

    def _outputs(self) -> tuple[dict[int, list[tuple[str, Frame]]], int]:
        """Of each slot: its DATA with the ports; and the bytes of all messages.

        They are counted by the line feeds that separate them, never decoded: this is the hot path. What is between two
        line feeds and no JSON is refused by whoever decodes it.
        """
        outputs: dict[int, list[tuple[str, Frame]]] = {}
        sent_bytes = 0
        ports = self._ports
        for frame in self.data:
            _, channel, body, flags, skip, count, first = frame
            place = ports.get(channel)
            if place is None or flags or skip or first:
                if place is None or skip or first or flags != HEADERS:
                    raise ProtocolError(f"DATA on channel {channel} with flags={flags} skip={skip} first={first}")
                body = bodies.check_headers_of(body, count)
            if body.count(b"\n") != count - 1 or len(body) < 3 * count:
                raise ProtocolError(f"DATA with count={count} has another number of messages")
            sent_bytes += len(body) - 2 * count
            slot, port = place
            if slot in outputs:
                outputs[slot].append((port, frame))
            else:
                outputs[slot] = [(port, frame)]
        return outputs, sent_bytes

    def _changes_and_errors(self) -> tuple[dict[int, dict[bytes, bytes | None]], dict[int, list[Frame]]]:
        """The context changes and the errors of each slot."""
        changes: dict[int, dict[bytes, bytes | None]] = {}
        errors: dict[int, list[Frame]] = {}
        for frame in self.others:
            if frame.skip > len(frame.body):
                raise ProtocolError(f"{Kind(frame.kind).name} with skip={frame.skip}, its body is shorter")
            if frame.kind == _CONTEXT:
                _add_change(changes.setdefault(frame.slot, {}), frame)
            else:
                errors.setdefault(frame.slot, []).append(_clean_error(frame))
        return changes, errors

    def _check_special(self, row: bodies.Row, part: TurnsCommitted, given: Given, rows: list[bodies.Row]) -> None:
        """What not every part has."""
        most = part.consumed + part.pulled + part.fused + given.hooks + 1  # one that is held, or the end of a source
        if not max(part.failed, part.fused) <= part.handled <= most:
            raise ProtocolError(f"COMMIT of {row}: it cannot have handled so many")
        if part.fused:
            sent = {row[0]: row[5] for row in rows}
            if part.fused > sum(sent.get(feeder, 0) for feeder in self._feeders.get(row[0], ())):
                raise ProtocolError(f"COMMIT of {row}: more fused messages than were sent to it")
        if given.pausing and (part.consumed or part.pulled) and given.overshoot_bytes + self.bytes > self._max_bytes:
            raise ProtocolError(f"slot {row[0]} goes on although it is to pause")
        if part.failed or part.errors:
            _check_errors(row, given, part.errors)
        if part.context:
            given.check_context(part.context)


def _had(given: Given | None) -> str:
    if given is None:
        return "there is no such slot"
    return f"it had {given.messages} messages and a credit of {given.credit}"


def _add_change(changes: dict[bytes, bytes | None], frame: Frame) -> None:
    key, value, flags = frame.body[: frame.skip], frame.body[frame.skip :], frame.flags
    bodies.check_key(key)
    if key in changes:
        raise ProtocolError(f"CONTEXT for the key {key[:80]!r} twice in a transaction")
    if not flags:
        bodies.check_value(value)
    elif flags != DELETED or value:
        raise ProtocolError(f"CONTEXT with flags={flags} and a value of {len(value)} bytes")
    changes[key] = None if flags else value


def _clean_error(frame: Frame) -> Frame:
    """With an info that anybody can read, and a message that may be one of several in a body."""
    kind, slot, body, flags, skip, index, number = frame
    message = body[skip:]
    if flags & ~HELD or (index != NO_INDEX and message) or (index == NO_INDEX and flags):
        raise ProtocolError(f"ERROR with flags={flags} count={index} and a message of {len(message)} bytes")
    if message:
        bodies.check_json(message, "the message of an ERROR")
        message = message.replace(b"\n", b" ")
    info = bodies.info(body[:skip])
    return Frame(kind, slot, info + message, flags, len(info), index, number)


def _check_errors(row: bodies.Row, given: Given, errors: Errors) -> None:
    slot, consumed, _, failed, pulled, _, _, _, fused = row
    last = -1
    of_fused = of_none = 0
    for error in errors:
        index = error.count
        if error.flags & HELD:
            if not given.retry or index != consumed or consumed == given.messages or error is not errors[-1]:
                raise ProtocolError(f"ERROR holds message {index} of slot {slot}, which cannot be held")
        elif index != NO_INDEX:
            if not last < index < consumed:
                raise ProtocolError(f"ERROR for message {index} of slot {slot}, after {last}, {consumed} were consumed")
            last = index
        elif len(error.body) > error.skip:
            of_fused += 1
        else:
            of_none += 1
    if failed > len(errors) or of_fused > fused or of_none > pulled + given.source + given.hooks:
        raise ProtocolError(
            f"COMMIT of {row}: {len(errors)} ERROR frames, {of_fused} of fused messages, {of_none} without a message"
        )


def _consumed(row: bodies.Row) -> bool:
    return row[1] > 0
