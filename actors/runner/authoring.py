"""What whoever writes flows needs of a runner: modules to begin with, and the files that its flows are from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress

from actors.definition.share import Share
from actors.messages.client_to_authoring import ListStarters, SaveFlow
from actors.messages.runner_to_scribe import FlowWritten, WriteFlow
from actors.system.answers import Answers
from actors.system.port import Port
from runtimes.manifest import Runtime


class Authoring:
    """`files`: those of flows, which said `_said` when they were read or written last; `shares`: what is here."""

    def __init__(
        self, port: Port, answers: Answers, folder: Path, files: Mapping[str, Path],
        shares: Callable[[], Iterable[Share]], runtimes: Mapping[str, Runtime],
    ) -> None:  # fmt: skip
        self._port, self._answers, self._folder, self._files, self._shares = port, answers, folder, files, shares
        self._runtimes = runtimes
        self._said: dict[str, dict[str, Any]] = {}  # by flow: what its file says, as far as is known
        self._scribe: ActorAddress | None = None

    def read(self, document: dict[str, Any]) -> None:
        """A flow is added: the first time that is as its file has it."""
        if document.get("id") in self._files:
            self._said.setdefault(document["id"], document)

    def receiveMsg_ListStarters(self, message: ListStarters, sender: ActorAddress) -> None:
        """Those of the runtimes that this runner offers, then the catalogue's."""
        from actors.definition.catalogue import Catalogue

        found = [
            {"name": id, "module": {"runtime": id, "code": file.read_text("utf-8")}}
            for id, runtime in self._runtimes.items()
            for file in sorted((runtime.folder / "starter").glob("NAME.*")) if file.suffix != ".yaml"
        ]  # fmt: skip
        found += [{"name": name, "module": {"use": name}} for name in sorted(Catalogue().names())]
        self._answers.reply(message, sender, found)

    def receiveMsg_SaveFlow(self, message: SaveFlow, sender: ActorAddress) -> None:
        """A process of its own does it."""
        flow = next((one.flow for one in self._shares() if one.flow.id == message.flow_id), None)
        if flow is None:
            self._answers.refuse(message, sender, f"there is no flow {message.flow_id!r} here")
            return
        from actors.ends.scribe import ScribeActor  # `runner run` starts without it

        self._scribe = self._scribe or self._port.createActor(ScribeActor)
        self._port.send(self._scribe, WriteFlow(
            request_id=message.request_id, client=sender, file=self._files.get(flow.id), folder=self._folder,
            base=self._said.get(flow.id, flow.document), new=flow.document,
        ))  # fmt: skip

    def receiveMsg_FlowWritten(self, message: FlowWritten, _sender: ActorAddress) -> None:
        """From here on that is what differs from it."""
        if message.document["id"] in self._files:
            self._said[message.document["id"]] = message.document
