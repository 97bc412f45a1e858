"""Messages from outside, and dead letters: kept, shown, replayed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from thespian.actors import ActorAddress

from actors.counted import counted
from actors.definition.model import FlowError
from actors.definition.ports import port_problem
from actors.definition.wire_names import outside_wire
from actors.flow.answers import FlowAnswers
from actors.flow.journal import FlowJournal
from actors.flow.record import MAX_DEAD_LETTER_BYTES, MAX_DEAD_LETTERS, DeadLetter, FlowRecord
from actors.flow.wiring import Wiring
from actors.messages import client_to_runner as api
from actors.messages import module_to_flow as from_module
from actors.messages.flow_to_module import SubmitMessage
from actors.messages.gateway_to_flow import SendBatch
from actors.messages.runner_to_client import Reply
from actors.messages.to_exporter import SpansEnded
from actors.state.module import ModuleState
from actors.state.shown import MAX_MESSAGE_DEPTH, View, is_nested_deeper
from actors.state.tracing import context_of, says_of, with_context
from actors.system.port import Port
from runtimes.frames import HEADERS, join

SAY_REST_S = 10.0  # after the first error that is only counted


def _nothing() -> None:
    pass


class Letters:
    """Sends into a flow and keeps what it could not handle. `fail`: the flow cannot go on, for this reason."""

    def __init__(
        self, record: FlowRecord, port: Port, answers: FlowAnswers, wiring: Wiring, journal: FlowJournal,
        fail: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._record, self._port, self._answers, self._wiring, self._fail = record, port, answers, wiring, fail
        self._journal = journal
        self._replays: dict[str, tuple[DeadLetter, api.ReplayDeadLetter, ActorAddress]] = {}
        self._count_replays = 0

    def receiveMsg_SendMessage(self, message: api.SendMessage, sender: ActorAddress) -> None:
        """One message from outside."""
        try:
            self._send(message, [encode_message(message.message)], None, sender)
        except ValueError as error:
            self._answers.refuse(message, sender, str(error))

    def receiveMsg_SendBatch(self, message: SendBatch, sender: ActorAddress) -> None:
        """Several messages, encoded: all are taken, or none."""
        if not message.for_visitor or self._answers.is_for_visitors(message, sender, "in"):
            self._send(message, message.messages, message.headers, sender)

    def _send(
        self, request: api.SendMessage | SendBatch, messages: list[bytes], headers: list[bytes] | None,
        client: ActorAddress,
    ) -> None:  # fmt: skip
        module = self._answers.find_module(request, client)
        if module is None:
            return
        flow = self._record.flow
        if (problem := port_problem(flow.modules[module], "in", request.port)) is not None:
            self._answers.refuse(request, client, f"{flow.id}: {problem}")
        else:
            headers, entered = self._enter(f"{module}.{request.port}", messages, headers)
            self._submit(module, request.port, messages, headers, "api", request.request_id, client, entered)

    def _enter(
        self, place: str, messages: list[bytes], headers: list[bytes] | None
    ) -> tuple[list[bytes] | None, Callable[[], None]]:
        """The headers with those of what is followed from here on; and what is to be done when it is taken."""
        tracing = self._record.tracing
        spans = tracing.enter(place, len(messages)) if tracing.is_on else {}
        for index in [index for index in spans if headers is not None and says_of(headers[index])]:
            del spans[index]  # whoever sends it has decided
        if not spans:
            return headers, _nothing
        told = [b"null"] * len(messages) if headers is None else [*headers]
        for index, span in spans.items():
            told[index] = with_context(told[index], context_of(span))
        ended = SpansEnded(spans=tuple(spans.values()), counts=tracing.counts)
        return told, lambda: self._port.send(tracing.exporter, ended)

    def _submit(
        self, module: str, port: str, messages: list[bytes], headers: list[bytes] | None, origin: str, request_id: str,
        client: ActorAddress, entered: Callable[[], None] = _nothing,
    ) -> None:  # fmt: skip
        record, wire = self._record, outside_wire(origin, f"{module}.{port}")
        try:
            self._wiring.input_wire(module, port, wire, None)
        except FlowError as error:
            refusal = Reply(request_id=request_id, ok=False, value=False, error=f"{record.flow.id}: {error}")
            self._port.send(client, refusal)
            return
        number = record.input_numbers.get(wire, 0)
        record.input_numbers[wire] = number + len(messages)
        self._port.send(
            record.modules[module],
            SubmitMessage(
                request_id=request_id,
                client=client,
                wire=wire,
                body=join(messages, headers),
                flags=0 if headers is None else HEADERS,
                number=number,
                count=len(messages),
                replay=origin == "dead",
                entered=entered,
            ),
        )

    # dead letters --------------------------------------------------------------------------------------------------

    def receiveMsg_DeadLettered(self, message: from_module.DeadLettered, _sender: ActorAddress) -> None:
        """A module has given up on a message."""
        self.add(message.module, message.port, message.message, message.headers, message.error, message.message_id)
        self._journal.end_unit()

    def add(
        self, module: str, port: str, message: bytes, headers: bytes | None, error: dict[str, Any],
        message_id: str | None = None,
    ) -> None:  # fmt: skip
        """Keep a dead letter; a full store stops the flow rather than lose one."""
        record = self._record
        record.dead_letter_count += 1
        letter_id = f"{record.flow.id}/{record.dead_letter_count}"
        letter = DeadLetter(letter_id, module, port, message, headers, error, time.time())
        record.dead_letters.append(letter)
        record.dead_letter_bytes += len(message)
        self._journal.note_letter(letter)
        if record.errors.take(f"{record.flow.id}/{module}", f"dead letter {letter.id}", error, message_id):
            self._port.wakeupAfter(SAY_REST_S, (self._say_rest, None))
        if len(record.dead_letters) >= MAX_DEAD_LETTERS or record.dead_letter_bytes >= MAX_DEAD_LETTER_BYTES:
            self._fail(f"{record.flow.id}: {counted(len(record.dead_letters), 'dead letter')}: the flow is stopped")

    def _say_rest(self, _: None) -> None:
        self._record.errors.say_rest()

    def drop_queue(self, module: str, state: ModuleState) -> None:
        """A removed module's queued messages become dead letters."""
        error = {"type": "ModuleRemoved", "message": "the module was removed while this message was queued"}
        mailbox = state.mailbox
        for segment in mailbox.waiting():
            for index in range(segment.count):
                message, headers = segment.message(index)
                self.add(module, mailbox.wires[segment.wire].port, message, headers, error)
        self._record.activity.pending -= mailbox.queued

    def give(self, modules: Collection[str]) -> None:
        """Those of modules that another runner has now, with them."""
        record = self._record
        for letter in [letter for letter in record.dead_letters if letter.module in modules]:
            self._remove(letter)

    def take(self, letters: Iterable[DeadLetter]) -> None:
        """Of modules that have come from another runner: they get numbers of this one."""
        record = self._record
        for letter in letters:
            record.dead_letter_count += 1
            taken = replace(letter, id=f"{record.flow.id}/{record.dead_letter_count}")
            record.dead_letters.append(taken)
            record.dead_letter_bytes += len(taken.message)
            self._journal.note_letter(taken)

    def _remove(self, letter: DeadLetter) -> None:
        self._record.dead_letters.remove(letter)
        self._record.dead_letter_bytes -= len(letter.message)
        self._journal.drop_letter(letter)

    def receiveMsg_DeadLetters(self, message: api.DeadLetters, sender: ActorAddress) -> None:
        """The dead letters of a flow, oldest first."""
        view, record = View(), self._record
        self._answers.reply(
            message, sender, [letter_view(view, record.flow.id, letter) for letter in record.dead_letters]
        )

    def receiveMsg_EditDeadLetter(self, message: api.EditDeadLetter, sender: ActorAddress) -> None:
        """Its error stays what it was."""
        record, letter = self._record, self._letter(message.id)
        if letter is None:
            self._answers.refuse(message, sender, f"there is no dead letter {message.id!r}")
            return
        try:
            encoded = encode_message(message.message)
        except ValueError as error:
            self._answers.refuse(message, sender, str(error))
            return
        edited = replace(letter, message=encoded)
        record.dead_letters[record.dead_letters.index(letter)] = edited
        record.dead_letter_bytes += len(encoded) - len(letter.message)
        self._journal.unit(lambda: self._journal.note_letter(edited))
        self._answers.reply(message, sender)

    def receiveMsg_DropDeadLetter(self, message: api.DropDeadLetter, sender: ActorAddress) -> None:
        """It is no more; the accounts of its module stay what they are."""
        record, letter = self._record, self._letter(message.id)
        if letter is None:
            self._answers.refuse(message, sender, f"there is no dead letter {message.id!r}")
            return
        record.dead_letters.remove(letter)
        record.dead_letter_bytes -= len(letter.message)
        self._journal.unit(lambda: self._journal.drop_letter(letter))
        self._answers.reply(message, sender)

    def _letter(self, letter_id: str) -> DeadLetter | None:
        return next((letter for letter in self._record.dead_letters if letter.id == letter_id), None)

    def receiveMsg_ReplayDeadLetter(self, message: api.ReplayDeadLetter, sender: ActorAddress) -> None:
        """Send it again and take it off the list."""
        record, letter = self._record, self._letter(message.id)
        if letter is None or letter.module not in record.modules:
            self._answers.refuse(message, sender, f"there is no dead letter {message.id!r} that could be replayed")
            return
        record.dead_letters.remove(letter)  # at once: nobody replays it twice; it comes back if it is not taken
        record.dead_letter_bytes -= len(letter.message)
        if record.durable_journal is not None:
            record.durable_journal.begin()  # it ends when the message is taken, or when the letter is back
        self._journal.drop_letter(letter)
        self._count_replays += 1
        request_id = f"replay-{self._count_replays}"
        self._replays[request_id] = (letter, message, sender)
        headers = [letter.headers] if letter.headers else None
        self._submit(letter.module, letter.port, [letter.message], headers, "dead", request_id, self._port.address)

    def take_reply(self, reply: Reply) -> bool:
        """A module has taken a message that is replayed, or not; False if this is about something else."""
        if reply.request_id not in self._replays:
            return False
        letter, request, client = self._replays.pop(reply.request_id)
        if reply.ok:
            self._answers.reply(request, client)
        else:
            self._record.dead_letters.appendleft(letter)
            self._record.dead_letter_bytes += len(letter.message)
            self._journal.note_letter(letter)
            self._journal.end_unit()
            self._answers.refuse(request, client, reply.error or "the message was not taken")
        return True


def encode_message(message: Any) -> bytes:
    """A message as JSON. Raises ValueError with a sentence."""
    try:
        encoded = json.dumps(message, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, TypeError) as error:
        raise ValueError(f"the message is not JSON: {error}") from None
    except RecursionError:
        encoded = None
    if encoded is None or is_nested_deeper(encoded, MAX_MESSAGE_DEPTH):
        raise ValueError(f"the message is nested deeper than {MAX_MESSAGE_DEPTH} levels")
    return encoded


def letter_view(view: View, flow_id: str, letter: DeadLetter) -> dict[str, Any]:
    """A dead letter as the API shows it."""
    return {
        "id": letter.id, "flowModuleId": f"{flow_id}/{letter.module}", "port": letter.port,
        **view.message(letter.message, letter.headers), "error": letter.error, "time": letter.time,
    }  # fmt: skip
