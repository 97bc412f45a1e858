"""What one module does in a wave, as singleStepFlow shows it."""

from __future__ import annotations

import time
from typing import Any

import orjson

from actors.messages.bridge_to_module import TurnsCommitted
from actors.state.module import ModuleState
from actors.state.shown import View
from runtimes.frames import HEADERS, split


class Step:
    """One module's part of a wave, while it runs."""

    def __init__(self, wave: int, takes: bool, pulls: bool, state: ModuleState) -> None:
        self.wave, self.takes, self.pulls = wave, takes, pulls
        self.begun = time.monotonic()
        self.view = View()
        self.context, pending = dict(state.context), state.mailbox.queued
        self.inputs: list[dict[str, Any]] = []
        if takes:
            head = state.mailbox.ready[0]
            name = {"port": state.mailbox.wires[head.wire].port, "messageId": f"{head.wire}#{head.first}"}
            self.inputs.append({**name, **self.view.message(*head.message(0)), "pending": pending})
        self.outputs: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []

    def add(self, message: TurnsCommitted) -> None:
        """What the host has committed."""
        for port, frame in message.outputs:
            self.add_outputs(port, frame.body, frame.flags & HEADERS)
        for error in message.errors:
            self.errors.append(orjson.loads(error.body[: error.skip])["error"])
        if message.consumed or message.failed:
            self.takes = False
        if message.pulled:
            self.pulls = False

    def end_pulling(self) -> None:
        """Nothing will come of the source."""
        self.pulls = False

    def host_died(self, reason: str, stderr: str) -> None:
        """Nothing more will come of it."""
        self.errors.append({"type": "HostDied", "message": reason, "stack": stderr})
        self.takes = self.pulls = False

    def add_outputs(self, port: str, body: bytes, flags: int) -> None:
        """What has left a port."""
        bodies, headers = split(body, flags)
        self.outputs += [
            {"port": port, **self.view.message(body, headers[index] if headers else None)}
            for index, body in enumerate(bodies)
        ]

    def result(self, state: ModuleState, version: str) -> dict[str, Any]:
        """As singleStepFlow answers it."""
        before, after = self.context, state.context
        changed = frozenset(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
        for taken in self.inputs:
            taken["context"] = View().context(before, changed)
        return {
            "inputStates": self.inputs, "outputStates": self.outputs, "errors": self.errors,
            "context": View().context(after, changed), "pending": state.mailbox.queued,
            "ms": round((time.monotonic() - self.begun) * 1000, 3), "version": version,
        }  # fmt: skip
