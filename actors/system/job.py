"""A long-running job of an actor, written as a generator that yields what it waits for.

    def stop(self):
        for ...: self.send(...)
        answers = yield Expect([(ModuleStopped, "a"), (ModuleStopped, "b")], timeout_s=10)

The actor hands every event to `resolve(key, value)`, or a message to `take(message)`: its key is its class and the
field that the class says it comes `by`. When all expected keys have come (or the time is up) the generator goes on with
the dictionary of what came. Every job ends: with a result, or with what it has raised.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any


class Expect:
    """What a step waits for: keys, and seconds at most (None: for ever). Keys of `also` are taken if they come."""

    def __init__(self, keys: Iterable[Hashable], timeout_s: float | None = None, also: Iterable[Hashable] = ()) -> None:
        self.keys = set(keys)
        self.timeout_s = timeout_s
        self.also = set(also)


class JobError(Exception):
    """Raised in a job at what it waits for: that cannot come any more, or nobody wants to wait. A whole sentence."""


class NotBegunError(JobError):
    """Of a job that has done nothing, and will not."""


Steps = Generator[Expect, dict[Any, Any], Any]
SetTimer = Callable[[float, object], None]


class Operation:
    """Runs a generator of Expects; at its end `done(result)` is called, or `failed(error)` if it has raised."""

    def __init__(
        self, steps: Steps, done: Callable[[Any], None], failed: Callable[[Exception], None], set_timer: SetTimer
    ) -> None:
        self._steps, self._done, self._failed, self._set_timer = steps, done, failed, set_timer
        self._expected: set[Hashable] = set()
        self._also: set[Hashable] = set()
        self._came: dict[Hashable, Any] = {}
        self._step = 0

    def begin(self) -> None:
        """Run to the first wait."""
        self._advance(lambda: next(self._steps))

    def resolve(self, key: Hashable, value: Any) -> None:
        """An event; ignored if not expected."""
        if key in self._also:
            self._came[key] = value
        elif key in self._expected:
            self._expected.discard(key)
            self._came[key] = value
            if not self._expected:
                self._go_on()

    def time_up(self, step: int) -> None:
        """The timer of a step; late ones are ignored."""
        if step == self._step and self._expected:
            self._go_on()

    def fail(self, error: JobError) -> None:
        """Raise in the job, if it waits for anything. It may catch that and go on."""
        if self._expected:
            self._advance(lambda: self._steps.throw(error))

    def _go_on(self) -> None:
        came = self._came
        self._advance(lambda: self._steps.send(came))

    def _advance(self, step: Callable[[], Expect]) -> None:
        """To the next thing that has to be waited for, or to the end."""
        self._expected = set()
        while True:
            self._step += 1
            try:
                expect = step()
                if expect.keys and expect.timeout_s is not None:
                    self._set_timer(expect.timeout_s, (self, self._step))
            except StopIteration as stop:
                self._done(stop.value)
                return
            except Exception as error:
                self._failed(error)
                return
            self._expected, self._also, self._came = set(expect.keys), expect.also, {}
            if self._expected:
                return
            step = lambda: self._steps.send({})  # noqa: E731  nothing to wait for


@dataclass(frozen=True, slots=True)
class Job:
    """Steps that are to be done, and who is told of their end."""

    steps: Callable[[], Steps]
    done: Callable[[Any], None]
    failed: Callable[[Exception], None]

    def run(self) -> Steps:
        """The steps; making them may raise as well."""
        return (yield from self.steps())


class Jobs:
    """Jobs that are done one after the other, whatever becomes of each."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._operation: Operation | None = None
        self._beginning = False

    def add(self, job: Job, set_timer: SetTimer, *, first: bool = False) -> None:
        """Do it when those before it have ended; `first`: before all that wait."""
        if first:
            self._waiting.appendleft(job)
        else:
            self._waiting.append(job)
        self._begin_next(set_timer)

    def _begin_next(self, set_timer: SetTimer) -> None:
        while self._waiting and self._operation is None and not self._beginning:
            self._beginning = True  # jobs that end at once are no recursion
            try:
                self._begin(self._waiting.popleft(), set_timer)
            finally:
                self._beginning = False

    def _begin(self, job: Job, set_timer: SetTimer) -> None:
        def done(result: Any) -> None:
            self._operation = None
            try:
                job.done(result)
            except Exception as error:
                job.failed(error)
            finally:
                self._begin_next(set_timer)

        def failed(error: Exception) -> None:
            self._operation = None
            try:
                job.failed(error)
            finally:
                self._begin_next(set_timer)

        self._operation = Operation(job.run(), done, failed, set_timer)
        self._operation.begin()

    @property
    def current(self) -> Operation | None:
        """The job under way."""
        return self._operation

    def resolve(self, key: Hashable, value: Any) -> None:
        """An event that the job under way may wait for."""
        if self._operation is not None:
            self._operation.resolve(key, value)

    def take(self, message: Any) -> None:
        """A message that the job under way may wait for, also one that comes `instead_of` what it waits for."""
        name = getattr(message, message.by)
        for kind in (type(message), *getattr(message, "instead_of", ())):
            self.resolve((kind, name), message)

    def refuse_waiting(self, error: NotBegunError) -> None:
        """Those that have not begun never will."""
        waiting, self._waiting = self._waiting, deque()
        for job in waiting:
            job.failed(error)

    def fail(self, error: JobError) -> bool:
        """Raise in the job under way, if there is one."""
        if self._operation is None:
            return False
        self._operation.fail(error)
        return True


class Operations:
    """Operations that go on at the same time."""

    def __init__(self, set_timer: SetTimer) -> None:
        self._set_timer = set_timer
        self._all: dict[Operation, None] = {}

    def begin(self, steps: Steps, done: Callable[[Any], None], failed: Callable[[Exception], None]) -> Operation:
        """One more; `done` or `failed` is called at its end."""

        def ended(tell: Callable[[Any], None], what: Any) -> None:
            del self._all[operation]
            tell(what)

        operation = Operation(steps, partial(ended, done), partial(ended, failed), self._set_timer)
        self._all[operation] = None
        operation.begin()
        return operation

    def resolve(self, key: Hashable, value: Any) -> None:
        """An event that any of them may wait for."""
        for operation in list(self._all):
            operation.resolve(key, value)

    def time_up(self, operation: Operation, step: int) -> None:
        """The timer of one, which may have ended."""
        if operation in self._all:
            operation.time_up(step)
