"""The Rehearsal actor: a trial whose only module is given messages. What that sends goes to its shadow alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson
from thespian.actors import ActorAddress

from actors.host.host import Host
from actors.host.load import Context, start_body
from actors.host.trial import TrialActor, change_context
from actors.messages import flow_to_trial as from_flow
from actors.messages import shadow_to_rehearsal as from_shadow
from actors.messages.rehearsal_to_shadow import MessagePlayed, RehearsalBegun, RehearsalOver
from actors.system.job import Steps
from runtimes.frames import Frame, Kind, ProtocolError, split
from runtimes.turns_committed import TurnsCommitted

SLOT = 1  # of the only module, as the trial counts


class Playing:
    """The messages of one rehearsal: how far its host has got with them."""

    def __init__(self, actor: RehearsalActor, message: from_shadow.StartRehearsal) -> None:
        self._actor, self._placed, self._patience_s = actor, message.trial.placed, message.patience_s
        self._sent = self._played = 0

    def receiveMsg_PlayMessages(self, message: from_shadow.PlayMessages, _sender: ActorAddress) -> None:
        """They go to the host at once."""
        if self._actor.host is None:
            return
        idle = self._sent == self._played
        self._sent += len(message.frames)
        self._actor.conversation.given[SLOT].take(message.frames)
        self._actor.link.write(message.frames)
        if idle:
            self._wait()

    def _wait(self) -> None:
        self._actor.wakeupAfter(self._patience_s, partial(self._look, self._played))

    def _look(self, played: int) -> None:
        """Whether the message of then is still at the host."""
        if self._actor.host is None or self._sent == self._played:
            return
        if played == self._played:
            self._actor.link.kill(f"a message took longer than {self._patience_s:g} s")
        else:
            self._wait()

    def ended(self, part: TurnsCommitted) -> None:
        """The commit of one message: what it has come to."""
        self._played += 1
        outputs: dict[str, list[bytes]] = {}
        for port, sent in part.outputs:
            outputs.setdefault(port, []).extend(split(sent.body, sent.flags)[0])
        error = self._raised(part.errors[0]) if part.errors else None
        self._actor.send(self._actor.owner, MessagePlayed(outputs=outputs, error=error, context=dict(part.context)))

    def _raised(self, frame: Frame) -> dict[str, Any]:
        error: dict[str, Any] = self._placed(self._actor.module, orjson.loads(frame.body[: frame.skip])["error"])
        return error


class RehearsalActor(TrialActor):
    """A message is a turn and a commit of its own."""

    parts = ("playing",)
    playing: Playing

    def receiveMsg_StartRehearsal(self, message: from_shadow.StartRehearsal, sender: ActorAddress) -> None:
        """As RunTrial, with wires behind it."""
        (module,) = message.trial.modules
        self.module, self.patience_s = module.module, message.patience_s
        self.max_turn_bytes = message.max_turn_bytes
        self.outputs = {channel: (SLOT, port) for channel, port in enumerate(message.ports)}
        self.wires = orjson.dumps({
            "in": {str(channel): wire for channel, wire in enumerate(message.wires_in)},
            "out": {
                port: {"channel": channel, "ids": False, "fused": []} for channel, port in enumerate(message.ports)
            },
        })  # fmt: skip
        self.receiveMsg_RunTrial(message.trial, sender)
        self.playing = Playing(self, message)

    def _new_host(self, message: from_flow.RunTrial) -> Host:
        return Host(self, self.flow, self.key, message.sweeper, self.outputs, self.stderr, self._take, self._exited)

    def _trying(self, modules: tuple[from_flow.TrialModule, ...]) -> Steps:
        errors = yield from super()._trying(modules)
        if not errors:
            self.conversation.transaction.allow(self.max_turn_bytes)
            self.link.write([Frame(Kind.WIRES, SLOT, self.wires)])
        return errors

    def receiveMsg_BeginRehearsal(self, message: from_shadow.BeginRehearsal, _sender: ActorAddress) -> None:
        """The context is final."""
        done = lambda error: self.send(self.owner, RehearsalBegun(error=error, context=self.changes[SLOT]))  # noqa: E731
        self.changes[SLOT] = {}
        self._run(self._beginning(message.context, message.from_version), done)

    def _beginning(self, context: Context, from_version: int | None) -> Steps:
        if from_version is not None:
            context, error = yield from self._migrate(self.module, from_version, context)
            if error is not None:
                return error
        self.changes[SLOT] = dict(context)
        self.conversation.given[SLOT].set_context(context)
        result = yield from self._ask("start", SLOT, start_body(0, context))
        return self._error(self.module, "start", result)

    def _take(self, frame: Frame) -> None:
        if frame.kind == Kind.TURN:
            self.conversation.turn(frame)
        else:
            super()._take(frame)

    def _commit(self, frame: Frame) -> None:
        for _, part in self.conversation.transaction.commit(frame):
            if part.consumed > 1:
                raise ProtocolError(f"COMMIT of {part.consumed} messages that were to be announced, each by itself")
            if not part.consumed:  # by a hook: what it sends is of no use
                change_context(self.changes[SLOT], part.context)
                continue
            self.playing.ended(part)

    def _exited(self, status: str) -> None:
        super()._exited(status)
        if not self.ending:
            last = "".join(f"\n{line}" for line in self.stderr)
            self.send(self.owner, RehearsalOver(why=f"{self.link.killed_for or status}{last}"))
