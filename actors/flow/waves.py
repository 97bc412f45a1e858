"""A step of several runners is one wave: what a module sends in it reaches no other runner before its end."""

from __future__ import annotations

from thespian.actors import ActorAddress

from actors.flow.answers import FlowAnswers
from actors.flow.crossings import Crossings
from actors.flow.jobs import FlowJobs
from actors.flow.record import FlowRecord
from actors.messages.front_to_flow import HoldCrossings


class Waves:
    """Of one flow: the front says when a wave begins and ends."""

    def __init__(self, record: FlowRecord, answers: FlowAnswers, jobs: FlowJobs, crossings: Crossings) -> None:
        self._record, self._answers, self._jobs, self._crossings = record, answers, jobs, crossings

    def receiveMsg_HoldCrossings(self, message: HoldCrossings, sender: ActorAddress) -> None:
        """Answered when everything that may arrive has arrived, as far as it does within `step_timeout_s`."""
        done = lambda _: self._answers.reply(message, sender)  # noqa: E731
        limit_s, hold = self._record.flow.step_timeout_s, message.on
        steps = lambda: self._crossings.emptying(None, limit_s, hold=hold)  # noqa: E731
        self._jobs.add(steps, done, self._answers.refusing(message, sender))
