"""What the runner makes of a host: every frame of a case goes through the runner's own checks as well.

It is told of every frame that is written to the host, and says of each that comes whether the runner would go on.
"""

from __future__ import annotations

import json
from typing import Any

from runtimes.conformance.invariants import Broken
from runtimes.conformance.values import text_of
from runtimes.conversation import Conversation
from runtimes.frames import ALL_SLOTS, Frame, Kind, ProtocolError
from runtimes.given import Given
from runtimes.host_bodies import entry


class RunnerView:
    """Of one host: what has been written to it, and what it has said."""

    def __init__(self) -> None:
        self._outputs: dict[int, tuple[int, str]] = {}
        self._inputs: dict[int, int] = {}  # channel -> slot
        self._fused: dict[int, list[int]] = {}  # slot -> the slots behind it
        self._conversation = Conversation(self._outputs)
        self._greeted = False

    @property
    def given(self) -> dict[int, Given]:
        """What the host has of each slot."""
        return self._conversation.given

    def told(self, frame: Frame) -> None:
        """A frame has been written to the host."""
        kind, slot, first = Kind(frame.kind), frame.slot, frame.first
        match kind:
            case Kind.LOAD:
                body = json.loads(frame.body)
                context = {key.encode(): text_of(value) for key, value in body["context"].items()}
                self.given[slot] = Given(retry=body["retry"], context=context)
                self._conversation.transaction.allow(body["max_turn_bytes"])
                self._conversation.requests[first] = ("load", slot)
            case Kind.UNLOAD:
                self._conversation.requests[first] = ("unload", slot)
            case Kind.CALL:
                self._call(slot, first, json.loads(frame.body))
            case Kind.WIRES:
                self._wires(slot, json.loads(frame.body))
            case Kind.DATA:
                self.given[self._inputs[slot]].take([frame])
            case Kind.PULL:
                self.given[slot].take([frame])
            case Kind.PAUSE:
                for given in self.given.values() if slot == ALL_SLOTS else [self.given[slot]]:
                    given.take([frame])
            case Kind.PING:
                self._conversation.requests[first] = ("ping", slot)

    def _call(self, slot: int, request: int, body: dict[str, Any]) -> None:
        self._conversation.requests[request] = (body["hook"], slot)
        self.given[slot].call()
        if "context" in body:
            self.given[slot].set_context({key.encode(): text_of(value) for key, value in body["context"].items()})

    def _wires(self, slot: int, body: dict[str, Any]) -> None:
        for channel in [channel for channel, (owner, _) in self._outputs.items() if owner == slot]:
            del self._outputs[channel]
        self._inputs.update(dict.fromkeys(map(int, body["in"]), slot))
        self._fused[slot] = []
        for port, wiring in body["out"].items():
            if wiring["channel"] is not None:
                self._outputs[wiring["channel"]] = (slot, port)
            self._fused[slot] += [target for target, _, _ in wiring["fused"]]
        feeders: dict[int, list[int]] = {}
        for feeder, targets in self._fused.items():
            for target in targets:
                feeders.setdefault(target, []).append(feeder)
        self._conversation.transaction.fuse(feeders)

    def heard(self, frame: Frame) -> None:
        """A frame has come; raises Broken if the runner would end the host for it."""
        try:
            self._check(frame)
        except ProtocolError as error:
            raise Broken(f"the runner would end this host: {error}") from None

    def _check(self, frame: Frame) -> None:
        talk, kind = self._conversation, Kind(frame.kind)
        if not self._greeted:
            talk.hello(frame)
            self._greeted = True
        elif kind == Kind.DATA:
            talk.transaction.data.append(frame)
        elif kind in (Kind.CONTEXT, Kind.ERROR):
            talk.transaction.others.append(frame)
        elif kind == Kind.COMMIT:
            talk.transaction.commit(frame)
        elif kind == Kind.RESULT:
            what, slot, _ = talk.result(frame)
            if what == "unload":
                talk.forget(slot)
        elif kind == Kind.PAUSED and frame.slot == ALL_SLOTS:
            for given in self.given.values():
                given.paused()
        elif kind == Kind.LOG:
            entry(frame.body)
        else:
            checks = {
                Kind.PAUSED: talk.paused, Kind.TURN: talk.turn, Kind.FINISHED: talk.finished, Kind.PONG: talk.pong,
            }  # fmt: skip
            checks[kind](frame)
