"""What becomes of a message that has failed: to the error port if that is wired, else to the dead letters."""

from __future__ import annotations

from typing import Any

import orjson

from actors.messages import module_to_flow as to_flow
from actors.module.port import ModulePort
from actors.module.record import ModuleRecord
from actors.module.wires import Wires
from actors.state.effects import Failed
from actors.state.tracing import followed, under
from runtimes.frames import HEADERS, join


class Failures:
    """Of one module: each goes to the error port if that is wired, else it is a dead letter."""

    def __init__(self, record: ModuleRecord, port: ModulePort, wires: Wires) -> None:
        self._record, self._port, self._wires = record, port, wires

    def fail(self, failed: Failed) -> dict[str, Any]:
        """A message is given up; returns its error."""
        record, info = self._record, orjson.loads(failed.info)
        error: dict[str, Any] = record.placed(record.module.id, info["error"])
        port = failed.port or info.get("port") or "in"
        headers = failed.headers if failed.headers != b"null" else None
        said = orjson.dumps(info["headers"]) if info.get("headers") else None
        if headers is None:
            headers = said
        elif said is not None and (context := followed(said)) is not None:
            headers = under(headers, context.span)  # it comes from the turn that has failed
        if self._wires.takes_errors:
            about = {"error": error, "module": record.module.id, "port": port}
            self._emit(orjson.dumps(about)[:-1] + b',"message":' + failed.message + b"}", headers)
        else:
            record.state.dead_letter()
            self.dead_letter(port, failed.message, headers, error, info.get("id"))
        return error

    def fail_source(self, error: dict[str, Any]) -> None:
        """A source has failed for good: its error goes to the error port; there is no message."""
        if self._wires.takes_errors:
            about = {"error": error, "module": self._record.module.id, "port": "start", "message": None}
            self._emit(orjson.dumps(about), None)

    def _emit(self, message: bytes, headers: bytes | None) -> None:
        body, flags = join([message], [headers] if headers else None), HEADERS if headers else 0
        if self._record.step is not None:
            self._record.step.add_outputs("error", body, flags)
        self._wires.emit("error", body, flags, 1)

    def dead_letter(
        self, port: str, message: bytes, headers: bytes | None, error: dict[str, Any], message_id: str | None = None
    ) -> None:
        """Tell the flow of a message that nobody will handle."""
        record = self._record
        letter = to_flow.DeadLettered(
            flow=record.flow,
            module=record.module.id,
            port=port,
            message=message,
            headers=headers,
            error=error,
            message_id=message_id,
        )
        if record.notes is not None:
            record.notes.journal.begin()  # until the flow has it
        self._port.send(record.owner, letter)
