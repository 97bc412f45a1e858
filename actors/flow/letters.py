"""Messages from outside, and dead letters: kept, shown, replayed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
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
from actors.messages.runner_to_client import Reply
from actors.state.module import ModuleState
from actors.state.shown import MAX_MESSAGE_DEPTH, View, is_nested_deeper
from actors.system.port import Port
from runtimes.frames import HEADERS, join

SAY_REST_S = 10.0  # after the first error that is only counted


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
        module = self._answers.find_module(message, sender)
        if module is None:
            return
        flow = self._record.flow
        if (problem := port_problem(flow.modules[module], "in", message.port)) is not None:
            self._answers.refuse(message, sender, f"{flow.id}: {problem}")
            return
        try:
            body = join([encode_message(message.message)])
        except ValueError as error:
            self._answers.refuse(message, sender, str(error))
            return
        self._submit(module, message.port, body, 0, "api", message.request_id, sender)

    def _submit(
        self, module: str, port: str, body: bytes, flags: int, origin: str, request_id: str, client: ActorAddress
    ) -> None:
        record, wire = self._record, outside_wire(origin, f"{module}.{port}")
        try:
            self._wiring.input_wire(module, port, wire, None)
        except FlowError as error:
            refusal = Reply(request_id=request_id, ok=False, value=False, error=f"{record.flow.id}: {error}")
            self._port.send(client, refusal)
            return
        number = record.input_numbers.get(wire, 0)
        record.input_numbers[wire] = number + 1
        self._port.send(
            record.modules[module],
            SubmitMessage(
                request_id=request_id,
                client=client,
                wire=wire,
                body=body,
                flags=flags,
                number=number,
                replay=origin == "dead",
            ),
        )

    # dead letters --------------------------------------------------------------------------------------------------

    def receiveMsg_DeadLettered(self, message: from_module.DeadLettered, _sender: ActorAddress) -> None:
        """A module has given up on a message."""
        self.add(message.module, message.port, message.message, message.headers, message.error)
        self._journal.end_unit()

    def add(self, module: str, port: str, message: bytes, headers: bytes | None, error: dict[str, Any]) -> None:
        """Keep a dead letter; a full store stops the flow rather than lose one."""
        record = self._record
        record.dead_letter_count += 1
        letter_id = f"{record.flow.id}/{record.dead_letter_count}"
        letter = DeadLetter(letter_id, module, port, message, headers, error, time.time())
        record.dead_letters.append(letter)
        record.dead_letter_bytes += len(message)
        self._journal.note_letter(letter)
        if record.errors.take(f"{record.flow.id}/{module}", f"dead letter {letter.id}", error):
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

    def receiveMsg_DeadLetters(self, message: api.DeadLetters, sender: ActorAddress) -> None:
        """The dead letters of a flow, oldest first."""
        view, record = View(), self._record
        self._answers.reply(
            message, sender, [letter_view(view, record.flow.id, letter) for letter in record.dead_letters]
        )

    def receiveMsg_ReplayDeadLetter(self, message: api.ReplayDeadLetter, sender: ActorAddress) -> None:
        """Send it again and take it off the list."""
        record = self._record
        letter = next((letter for letter in record.dead_letters if letter.id == message.id), None)
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
        body = join([letter.message], [letter.headers] if letter.headers else None)
        flags = HEADERS if letter.headers else 0
        self._submit(letter.module, letter.port, body, flags, "dead", request_id, self._port.address)

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
