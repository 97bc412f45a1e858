"""The jobs of a flow, one after the other; and what becomes of it when one has raised: it goes on, or it has failed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from thespian.actors import ActorAddress

from actors.definition.model import FlowError
from actors.flow.record import FlowRecord
from actors.messages.flow_to_module import GoOn, StopModule
from actors.messages.flow_to_session import FlowEnded
from actors.messages.system_to_actor import QuietPoint
from actors.system.job import Expect, Job, JobError, Jobs, NotBegunError, Operation, Steps
from actors.system.port import Port

log = logging.getLogger("runner.flow")


def _nobody(_: Any) -> None:
    """Takes the result of a job for which nobody waits."""


class FlowJobs:
    """Each job is a generator of Expects (system/job.py)."""

    def __init__(self, record: FlowRecord, port: Port, stop_hosts: Callable[[], Steps]) -> None:
        self._record, self._port, self._stop_hosts = record, port, stop_hosts
        self._jobs = Jobs()
        self._refusal: NotBegunError | None = None  # of all that come after the last one

    def add(
        self, steps: Callable[[], Steps], done: Callable[[Any], None] = _nobody, failed: Callable[[str], None] = _nobody
    ) -> None:
        """Do it when those before it have ended; `failed` gets the sentence if it raises."""
        if self._refusal is not None:
            failed(str(self._refusal))
            return
        job = Job(steps, done, lambda error: failed(self._mend(error)))
        self._jobs.add(job, self._port.wakeupAfter)

    def add_last(
        self, steps: Callable[[], Steps], done: Callable[[Any], None], failed: Callable[[str], None], refusal: str
    ) -> None:
        """The same; those that have not begun never will, nor those that come after it: they are refused."""
        self._refusal = None
        self._jobs.refuse_waiting(NotBegunError(refusal))
        self.add(steps, done, failed)
        self._refusal = NotBegunError(refusal)

    # what the job under way waits for ------------------------------------------------------------------------------

    def take(self, message: Any) -> None:
        """A message that it may wait for."""
        self._jobs.take(message)

    def resolve(self, key: Any, value: Any) -> None:
        """Something else that it may wait for."""
        self._jobs.resolve(key, value)

    def quiet(self) -> Steps:
        """Until this burst of messages has run, no descriptor is read: nobody sends to an actor that is going."""
        self._port.system.ask_quiet_point(self._port.address)
        yield Expect([QuietPoint])

    def receiveMsg_QuietPoint(self, message: QuietPoint, _sender: ActorAddress) -> None:
        """Handovers may happen now."""
        self._jobs.resolve(QuietPoint, message)

    def attempt(self, steps: Steps) -> Steps:
        """Steps that touch nothing of what runs: if they raise, that is an error as those that they return."""
        try:
            return (yield from steps)
        except Exception as error:
            return (self.sentence(error),)

    # the end of jobs -----------------------------------------------------------------------------------------------

    def fail(self, error: str) -> bool:
        """Raise in the job under way, if there is one."""
        return self._jobs.fail(JobError(error))

    def hurry(self, after_s: float) -> None:
        """The job that is under way is ended half-way if it still is then."""
        if self._jobs.current is not None:
            self._port.wakeupAfter(after_s, (self._hurry, self._jobs.current))

    def _hurry(self, late: Operation) -> None:
        if self._jobs.current is late:
            self.fail(f"{self._record.flow.id}: ended half-way: it was told to stop meanwhile")

    # what has raised -----------------------------------------------------------------------------------------------

    def sentence(self, error: Exception) -> str:
        """What a job has raised, for people; what it never should have is logged whole, and counts as a failure."""
        if isinstance(error, (JobError, FlowError)):
            return str(error)
        self._port.system.failures += 1
        log.error("%s: a job has failed", self._record.flow.id, exc_info=error)
        return f"{self._record.flow.id}: internal error: {type(error).__name__}: {error}"

    def _mend(self, error: Exception) -> str:
        """After a job has raised; returns the sentence. A flow that may be neither here nor there now is ended."""
        record, said = self._record, self.sentence(error)
        if isinstance(error, NotBegunError):
            return said
        if record.state in ("starting", "stopping") or record.phase:
            job = Job(lambda: self._breaking(said), _nobody, lambda again: self._break(said, again))
            self._jobs.add(job, self._port.wakeupAfter, first=True)
        elif record.state == "running":
            self._tell_modules(GoOn(reason="fusing"))
        return said

    def _breaking(self, said: str) -> Steps:
        self._record.move("break")
        self._record.phase = ""
        self._tell_modules(StopModule(reason="flow"))
        if self._record.commands:
            yield from self._stop_hosts()
        self._break(said)

    def _break(self, said: str, again: Exception | None = None) -> None:
        errors = (said,) if again is None else (said, self.sentence(again))
        self._record.fail(errors)
        if self._record.watcher is not None:
            self._port.send(self._record.watcher, FlowEnded(flow=self._record.flow.id, errors=errors))

    def _tell_modules(self, message: Any) -> None:
        for module in self._record.modules.values():
            self._port.send(module, message)
