"""Requests of the Runner API: finding what they name, and answering them. Mixed into the Runner actor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from thespian.actors import ActorAddress

from actors.definition.places import closest, cut
from actors.flow.life import FlowLife
from actors.flow.record import FlowRecord
from actors.messages import client_to_runner as api
from actors.messages.runner_to_client import Reply
from actors.state.shown import MAX_MESSAGE_DEPTH, is_nested_deeper
from runtimes.manifest import Runtime

MAX_NAME = 64  # characters of one that is looked for
MAX_LISTED = 20


class FlowRequests(FlowLife):
    """The part of the Runner actor that knows how a client is answered."""

    def reply(self, request: Any, sender: ActorAddress, value: Any = True, **more: Any) -> None:
        """Answer a request."""
        self.send(sender, Reply(request_id=request.request_id, ok=True, value=value, **more))

    def receiveMsg_Ping(self, message: api.Ping, sender: ActorAddress) -> None:
        """It works."""
        self.reply(message, sender)

    def refuse(self, request: Any, sender: ActorAddress, error: str, data: Any = None) -> None:
        """Refuse a request."""
        self.send(sender, Reply(request_id=request.request_id, ok=False, value=False, error=error, data=data))

    def reply_or_regret(self, request: Any, sender: ActorAddress, done: str, errors: tuple[str, ...]) -> None:
        """It is done; but if anything went wrong with it, that is no success."""
        if errors:
            regrets = [f"{done}, but {error}" for error in errors]
            self.refuse(request, sender, "\n".join(regrets), regrets)
        else:
            self.reply(request, sender)

    def refusing(self, request: Any, sender: ActorAddress) -> Callable[[str], None]:
        """What refuses a request with a sentence: for the end of a job that has failed."""
        return lambda error: self.refuse(request, sender, error)

    def find_flow(self, request: Any, sender: ActorAddress, flow_id: str) -> FlowRecord | None:
        """The flow; None if the request is refused, or has to wait."""
        record = self.flows.get(flow_id)
        if record is None:
            self.refuse(request, sender, f"there is no flow {among(flow_id, self.flows, 'flows here:')}")
        return None if self.comes_too_early(record, request, sender) else record

    def comes_too_early(self, record: FlowRecord | None, request: Any, sender: ActorAddress) -> bool:
        """Whether the flow is being removed or taken up again: the request is then looked at when that is done."""
        if record is None or not record.unsettled:
            return False
        record.early.append((request, sender))
        return True

    def find_module(self, request: Any, sender: ActorAddress, flow_module_id: str) -> tuple[FlowRecord, str] | None:
        """The flow and the module, or a refusal."""
        flow_id, slash, module = flow_module_id.partition("/")
        if not slash:
            self.refuse(request, sender, f"{flow_module_id!r} is not of the form flow/module")
            return None
        record = self.find_flow(request, sender, flow_id)
        if record is None:
            return None
        if module not in record.modules:
            found = among(module, record.modules, "it has")
            self.refuse(request, sender, f"the flow {flow_id!r} has no module {found}")
            return None
        return record, module

    def find_runtime(self, request: Any, sender: ActorAddress, runtime_id: str) -> Runtime | None:
        """The runtime, or a refusal."""
        if runtime_id not in self.runtimes:
            known = ", ".join(sorted(self.runtimes))
            self.refuse(request, sender, f"there is no runtime {runtime_id!r}; there are {known}")
        return self.runtimes.get(runtime_id)

    def encode_message(self, request: Any, sender: ActorAddress, message: Any) -> bytes | None:
        """The message as JSON, or a refusal."""
        try:
            encoded = json.dumps(message, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
        except (ValueError, TypeError) as error:
            self.refuse(request, sender, f"the message is not JSON: {error}")
            return None
        except RecursionError:
            encoded = None
        if encoded is None or is_nested_deeper(encoded, MAX_MESSAGE_DEPTH):
            self.refuse(request, sender, f"the message is nested deeper than {MAX_MESSAGE_DEPTH} levels")
            return None
        return encoded


def among(name: str, known: Iterable[str], words: str) -> str:
    """An unknown name, the nearest one, and what there is instead."""
    names = sorted(known)
    close = closest(name[:MAX_NAME], names)
    some = ", ".join(names[:MAX_LISTED]) or "none"
    hint = f"did you mean {close!r}? " if close else ""
    return f"{cut(name)!r}; {hint}{words} {some}{' ...' if len(names) > MAX_LISTED else ''}"
