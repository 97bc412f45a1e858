"""What becomes of a flow when a job of it has raised: it goes on, or it is ended and has failed."""

from __future__ import annotations

import logging
from typing import Any, Protocol

from actors.definition.model import FlowError
from actors.flow.record import FlowRecord
from actors.messages.runner_to_module import GoOn, StopModule
from actors.messages.runner_to_session import FlowEnded
from actors.system.job import Job, JobError, NotBegunError, Steps

log = logging.getLogger("runner.flow")


class Life(Protocol):
    """What is needed of the actor that has the flows."""

    @property
    def system(self) -> Any:
        """Counts failures."""

    def send(self, to: Any, message: Any) -> None:
        """As any actor does."""

    def wakeupAfter(self, seconds: float, payload: Any) -> None:
        """As any actor does."""

    def stop_hosts(self, record: FlowRecord) -> Steps:
        """End the hosts of a flow."""


class Mending:
    """Of all flows; the Runner actor has it."""

    def __init__(self, life: Life) -> None:
        self._life = life

    def sentence(self, record: FlowRecord, error: Exception) -> str:
        """What a job has raised, for people; what it never should have is logged whole, and counts as a failure."""
        if isinstance(error, (JobError, FlowError)):
            return str(error)
        self._life.system.failures += 1
        log.error("%s: a job has failed", record.flow.id, exc_info=error)
        return f"{record.flow.id}: internal error: {type(error).__name__}: {error}"

    def mend(self, record: FlowRecord, error: Exception) -> str:
        """After a job has raised; returns the sentence. A flow that may be neither here nor there now is ended."""
        said = self.sentence(record, error)
        if isinstance(error, NotBegunError):
            return said
        if record.state in ("starting", "stopping") or record.phase:
            job = Job(lambda: self._breaking(record, said), _nobody, lambda again: self._break(record, said, again))
            record.jobs.add(job, self._life.wakeupAfter, first=True)
        elif record.state == "running":
            self._tell_modules(record, GoOn(reason="fusing"))
        return said

    def _breaking(self, record: FlowRecord, said: str) -> Steps:
        record.state, record.phase = "stopping", ""
        self._tell_modules(record, StopModule(reason="flow"))
        if record.commands:
            yield from self._life.stop_hosts(record)
        self._break(record, said)

    def _break(self, record: FlowRecord, said: str, again: Exception | None = None) -> None:
        errors = (said,) if again is None else (said, self.sentence(record, again))
        record.state, record.failed_for = "failed", errors
        if record.watcher is not None:
            self._life.send(record.watcher, FlowEnded(flow=record.flow.id, errors=errors))

    def _tell_modules(self, record: FlowRecord, message: Any) -> None:
        for module in record.modules.values():
            self._life.send(module, message)


def _nobody(_: Any) -> None:
    """Waits for it."""
