"""The Scribe actor: writes flows into their files, a child process at a time (definition/flow_file.py)."""

from __future__ import annotations

import itertools
import json
import sys
from collections import deque
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest

from actors.messages.runner_to_client import Reply
from actors.messages.runner_to_scribe import FlowWritten, WriteFlow
from actors.messages.system_to_actor import Ready
from actors.preparation.command import Command
from actors.preparation.watched import Watched
from actors.system.base import BaseActor

ROOT = Path(__file__).parents[2]


class ScribeActor(BaseActor):
    """One per runner, once somebody wants to save a flow."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: deque[tuple[WriteFlow, ActorAddress]] = deque()
        self.command: Watched | None = None
        self.numbers = itertools.count(1)
        self.said: list[str] = []

    def receiveMsg_WriteFlow(self, message: WriteFlow, sender: ActorAddress) -> None:
        """When those before it are written."""
        self.waiting.append((message, sender))
        if self.command is None:
            self._begin()

    def _begin(self) -> None:
        message, _ = self.waiting[0]
        self.job, self.said = message.folder / f"save-{next(self.numbers)}.json", []
        file = None if message.file is None else str(message.file)
        script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from actors.definition.flow_file import main; main()"
        try:
            self.job.write_text(json.dumps({"file": file, "base": message.base, "new": message.new}), "utf-8")
            command = Command.of([sys.executable, "-c", script, str(self.job)])
        except OSError as error:
            self._answer({"errors": [f"it cannot be written: {error.strerror}"]})
            return
        self.command = Watched(command, self.system, self.myAddress, self._say)

    def _say(self, lines: list[str]) -> None:
        self.said = [*self.said, *lines][-5:]

    def receiveMsg_Ready(self, message: Ready, _sender: ActorAddress) -> None:
        """It has said something, or ended."""
        if self.command is None or not self.command.ready(message.fd):
            return
        self.command = None
        answer: dict[str, Any] = {"errors": [f"it could not be written: {' '.join(self.said)}"]}
        out = Path(f"{self.job}.out")
        if out.exists():
            answer = json.loads(out.read_text("utf-8"))
            out.unlink()
        self.job.unlink(missing_ok=True)
        self._answer(answer)

    def _answer(self, answer: dict[str, Any]) -> None:
        message, runner = self.waiting.popleft()
        errors = answer.get("errors")
        if errors:
            error = "\n".join(errors)
            reply = Reply(request_id=message.request_id, ok=False, value=False, error=error, data=errors)
        else:
            file = None if message.file is None else str(message.file)
            reply = Reply(request_id=message.request_id, ok=True, value={"file": file, **answer})
            self.send(runner, FlowWritten(document=message.new))
        self.send(message.client, reply)
        if self.waiting:
            self._begin()

    def receiveMsg_ActorExitRequest(self, _message: ActorExitRequest, _sender: ActorAddress) -> None:
        """Leave no process behind."""
        if self.command is not None:
            self.command.end()
            self.command = None
