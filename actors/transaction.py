"""Collects the frames of one transaction and, at COMMIT, gives each module its part. Pure."""

from __future__ import annotations

from typing import Any

import orjson

from actors.messages.bridge_to_module import TurnsCommitted
from runtimes.frames import DELETED, Frame, Kind, ProtocolError

_DATA, _CONTEXT = int(Kind.DATA), int(Kind.CONTEXT)  # plain numbers: this is the hot path
_NOTHING: list[Any] = []


class Transaction:
    """What a host has said since its last COMMIT. Dropped with the link when the host dies."""

    def __init__(self, outputs: dict[int, tuple[int, str]]) -> None:
        self.outputs = outputs
        self._outputs: dict[int, list[tuple[str, Frame]]] = {}
        self._context: dict[int, list[tuple[bytes, bytes | None]]] = {}
        self._errors: dict[int, list[Frame]] = {}

    def add(self, frame: Frame) -> None:
        """Take a DATA, CONTEXT or ERROR frame."""
        if frame.kind == _DATA:
            try:
                slot, port = self.outputs[frame.slot]
            except KeyError:
                raise ProtocolError(f"DATA on the unknown channel {frame.slot}") from None
            self._outputs.setdefault(slot, []).append((port, frame))
        elif frame.kind == _CONTEXT:
            key, value = frame.body[: frame.skip], frame.body[frame.skip :]
            self._context.setdefault(frame.slot, []).append((key, None if frame.flags & DELETED else value))
        else:
            self._errors.setdefault(frame.slot, []).append(frame)

    def commit(self, frame: Frame) -> list[tuple[int, TurnsCommitted]]:
        """The parts per slot, those that consumed nothing first: what they add is under way before anything is done."""
        outputs, context, errors = self._outputs, self._context, self._errors
        entries = orjson.loads(frame.body)
        if len(entries) > 1:
            entries.sort(key=_consumed)
        parts = []
        for slot, consumed, handled, failed, pulled, sent, unwired, busy_us, *fused in entries:
            part = TurnsCommitted(
                consumed, handled, failed, pulled, sent, unwired, busy_us, fused[0] if fused else 0,
                outputs.pop(slot, _NOTHING), context.pop(slot, _NOTHING), errors.pop(slot, _NOTHING),
            )  # fmt: skip
            parts.append((slot, part))
        if outputs or context or errors:
            raise ProtocolError(f"COMMIT without an entry for slots {sorted({*outputs, *context, *errors})}")
        return parts


def _consumed(entry: list[int]) -> bool:
    return entry[1] > 0
