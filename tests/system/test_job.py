"""Jobs: every one ends, with a result or with what it raised, and the next one begins."""

from __future__ import annotations

from typing import Any

import pytest

from actors.system.job import Expect, Job, JobError, Jobs, NotBegunError, Operation, Steps


class Board:
    """What became of jobs, and the timers that they have set."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.timers: list[tuple[float, Any]] = []

    def timer(self, seconds: float, payload: object) -> None:
        if seconds < 0:
            raise OverflowError(seconds)
        self.timers.append((seconds, payload))

    def begin(self, steps: Steps) -> Operation:
        operation = Operation(steps, self.done, self.failed, self.timer)
        operation.begin()
        return operation

    def done(self, result: Any) -> None:
        self.events.append(result)

    def failed(self, error: Exception) -> None:
        self.events.append(repr(error))

    def job(self, steps: Any) -> Job:
        return Job(steps, self.done, self.failed)


def waits(*keys: str, timeout_s: float | None = None) -> Steps:
    came = yield Expect(keys, timeout_s)
    return came


def raises() -> Steps:
    raise ValueError("no")
    yield Expect([])


def test_a_job_that_raises_has_ended() -> None:
    board = Board()
    board.begin(raises())
    assert board.events == ["ValueError('no')"]


def test_a_job_that_raises_at_what_came_has_ended() -> None:
    def steps() -> Steps:
        came = yield Expect(["a"])
        return came["b"]

    board = Board()
    operation = board.begin(steps())
    operation.resolve("a", 1)
    operation.resolve("a", 2)
    assert board.events == ["KeyError('b')"]


def test_a_timer_that_cannot_be_set_is_the_jobs_error() -> None:
    board = Board()
    board.begin(waits("a", timeout_s=-1.0))
    assert board.events == ["OverflowError(-1.0)"]


def test_what_a_job_waits_for_can_fail_and_the_job_may_go_on() -> None:
    def steps() -> Steps:
        try:
            yield Expect(["a"])
        except JobError as error:
            came = yield Expect(["b"])
            return str(error), came["b"]

    board = Board()
    operation = board.begin(steps())
    operation.fail(JobError("a cannot come"))
    operation.resolve("a", 0)
    operation.resolve("b", 1)
    operation.fail(JobError("too late"))
    assert board.events == [("a cannot come", 1)]


def test_jobs_after_one_another() -> None:
    board, jobs = Board(), Jobs()
    for steps in (lambda: waits("a"), raises, lambda: waits("b")):
        jobs.add(board.job(steps), board.timer)
    assert board.events == []
    jobs.resolve("a", 1)
    assert board.events == [{"a": 1}, "ValueError('no')"]
    jobs.resolve("b", 2)
    assert board.events[2:] == [{"b": 2}]
    assert jobs.current is None


@pytest.mark.parametrize("raising", ["done", "failed"])
def test_who_is_told_may_raise(raising: str) -> None:
    board, jobs = Board(), Jobs()

    def tell(_: Any) -> None:
        raise RuntimeError("told")

    first = Job(lambda: waits("a"), tell if raising == "done" else board.done, board.failed)
    if raising == "failed":
        first = Job(lambda: waits("a"), board.done, tell)
    jobs.add(first, board.timer)
    jobs.add(board.job(lambda: waits("b")), board.timer)
    if raising == "done":
        jobs.resolve("a", 1)
        assert board.events == ["RuntimeError('told')"]
    else:
        with pytest.raises(RuntimeError):
            jobs.fail(JobError("no"))
    jobs.resolve("b", 2)
    assert board.events[-1] == {"b": 2}


def test_thousands_that_end_at_once() -> None:
    board, jobs = Board(), Jobs()
    jobs.add(board.job(lambda: waits("a")), board.timer)
    for _ in range(5000):
        jobs.add(board.job(waits), board.timer)
    jobs.resolve("a", 1)
    assert len(board.events) == 5001


def test_what_has_not_begun_can_be_refused() -> None:
    board, jobs = Board(), Jobs()
    for key in "ab":
        jobs.add(board.job(lambda key=key: waits(key)), board.timer)
    jobs.refuse_waiting(NotBegunError("the end"))
    assert board.events == ["NotBegunError('the end')"]
    jobs.resolve("a", 1)
    jobs.resolve("b", 1)
    assert board.events[1:] == [{"a": 1}]
