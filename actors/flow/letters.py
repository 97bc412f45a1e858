"""Messages from outside, and dead letters: kept, shown, replayed. Mixed into the Runner actor."""

from __future__ import annotations

import time
from typing import Any

from thespian.actors import ActorAddress

from actors.counted import counted
from actors.definition.model import FlowError
from actors.definition.ports import port_problem
from actors.definition.wire_names import outside_wire
from actors.flow.record import MAX_DEAD_LETTER_BYTES, MAX_DEAD_LETTERS, DeadLetter, FlowRecord
from actors.flow.requests import FlowRequests
from actors.messages import client_to_runner as api
from actors.messages import module_to_runner as from_module
from actors.messages.runner_to_client import Reply
from actors.messages.runner_to_module import SubmitMessage
from actors.state.shown import View
from runtimes.frames import HEADERS, join

SAY_REST_S = 10.0  # after the first error that is only counted


class FlowMessages(FlowRequests):
    """The part of the Runner actor that sends into flows and keeps what they could not handle."""

    def __init__(self) -> None:
        super().__init__()
        self.replays: dict[str, tuple[FlowRecord, DeadLetter, api.ReplayDeadLetter, ActorAddress]] = {}
        self.count_replays = 0

    def receiveMsg_SendMessage(self, message: api.SendMessage, sender: ActorAddress) -> None:
        """One message from outside."""
        found = self.find_module(message, sender, message.flow_module_id)
        if found is None:
            return
        record, module = found
        problem = port_problem(record.flow.modules[module], "in", message.port)
        if problem is not None:
            self.refuse(message, sender, f"{record.flow.id}: {problem}")
            return
        encoded = self.encode_message(message, sender, message.message)
        if encoded is not None:
            self._submit(record, module, message.port, join([encoded]), 0, "api", message.request_id, sender)

    def _submit(
        self, record: FlowRecord, module: str, port: str, body: bytes, flags: int, origin: str, request_id: str,
        client: ActorAddress,
    ) -> None:  # fmt: skip
        wire = outside_wire(origin, f"{module}.{port}")
        try:
            self.input_wire(record, module, port, wire, None)
        except FlowError as error:
            self.send(client, Reply(request_id=request_id, ok=False, value=False, error=f"{record.flow.id}: {error}"))
            return
        number = record.input_numbers.get(wire, 0)
        record.input_numbers[wire] = number + 1
        self.send(
            record.modules[module],
            SubmitMessage(request_id=request_id, client=client, wire=wire, body=body, flags=flags, number=number),
        )

    # dead letters --------------------------------------------------------------------------------------------------

    def receiveMsg_DeadLettered(self, message: from_module.DeadLettered, _sender: ActorAddress) -> None:
        """A module has given up on a message."""
        record = self.flows[message.flow]
        self.add_dead_letter(record, message.module, message.port, message.message, message.headers, message.error)

    def add_dead_letter(
        self, record: FlowRecord, module: str, port: str, message: bytes, headers: bytes | None, error: dict[str, Any]
    ) -> None:
        """Keep a dead letter; a full store stops the flow rather than lose one."""
        record.dead_letter_count += 1
        letter = DeadLetter(
            f"{record.flow.id}/{record.dead_letter_count}", module, port, message, headers, error, time.time()
        )
        record.dead_letters.append(letter)
        record.dead_letter_bytes += len(message)
        if record.errors.take(f"{record.flow.id}/{module}", f"dead letter {letter.id}", error):
            self.wakeupAfter(SAY_REST_S, ("rest", record))
        if len(record.dead_letters) >= MAX_DEAD_LETTERS or record.dead_letter_bytes >= MAX_DEAD_LETTER_BYTES:
            self.fail_flow(
                record, f"{record.flow.id}: {counted(len(record.dead_letters), 'dead letter')}: the flow is stopped"
            )

    def receiveMsg_DeadLetters(self, message: api.DeadLetters, sender: ActorAddress) -> None:
        """The dead letters of a flow, oldest first."""
        record = self.find_flow(message, sender, message.flow_id)
        if record is not None:
            view = View()
            self.reply(message, sender, [letter_view(view, record.flow.id, letter) for letter in record.dead_letters])

    def receiveMsg_ReplayDeadLetter(self, message: api.ReplayDeadLetter, sender: ActorAddress) -> None:
        """Send it again and take it off the list."""
        flow_id = message.id.partition("/")[0]
        record = self.find_flow(message, sender, flow_id)
        if record is None:
            return
        letter = next((letter for letter in record.dead_letters if letter.id == message.id), None)
        if letter is None or letter.module not in record.modules:
            self.refuse(message, sender, f"there is no dead letter {message.id!r} that could be replayed")
            return
        record.dead_letters.remove(letter)  # at once: nobody replays it twice; it comes back if it is not taken
        record.dead_letter_bytes -= len(letter.message)
        self.count_replays += 1
        request_id = f"replay-{self.count_replays}"
        self.replays[request_id] = (record, letter, message, sender)
        body = join([letter.message], [letter.headers] if letter.headers else None)
        flags = HEADERS if letter.headers else 0
        self._submit(record, letter.module, letter.port, body, flags, "dead", request_id, self.address)

    def replayed(self, reply: Reply) -> None:
        """The module has taken the message, or not."""
        record, letter, request, client = self.replays.pop(reply.request_id)
        if reply.ok:
            self.reply(request, client)
        else:
            record.dead_letters.appendleft(letter)
            record.dead_letter_bytes += len(letter.message)
            self.refuse(request, client, reply.error or "the message was not taken")


def letter_view(view: View, flow_id: str, letter: DeadLetter) -> dict[str, Any]:
    """A dead letter as the API shows it."""
    return {
        "id": letter.id, "flowModuleId": f"{flow_id}/{letter.module}", "port": letter.port,
        **view.message(letter.message, letter.headers), "error": letter.error, "time": letter.time,
    }  # fmt: skip
