"""What the front of a deployment asks of the flows of its runners, beyond the API: their parts in what is one for all.

Each names its flow, and is answered with Reply. None of it is a method of the API.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import field

from actors.messages.client_to_runner import Request


class PrepareUpdate(Request, frozen=True, kw_only=True):
    """Begin your part of an update, which goes on when it is told to. Nothing is paused by it.

    `flow`: the document; `update`: a name for what comes next; `number`: of the new version, `before`: of the one that
    it replaces; `contexts_of`: the version whose contexts come back; `moves`: module -> the runner that has it, and the
    one that is to have it: nothing else changes, then; `plan`: only say what it would do. The value:
    {unsettled: modules that must be quiet for what is here, paused, nothing: whether anything differs here}.
    """

    flow: dict[str, Any]
    update: str
    number: int
    before: int
    contexts_of: int | None = None
    moves: dict[str, tuple[str, str]] = field(default_factory=dict)
    plan: bool = False


class AdvanceUpdate(Request, frozen=True, kw_only=True):
    """The next step of the part here: load the new versions (`modules`: all that must be quiet, on any runner); hold
    what they lead to, which the value has, feeders first; let `modules` run dry; switch, provisionally. If modules
    move, nothing runs dry: hold stops what has to be quiet, and with the switch what they have goes to their new
    runners, which does not take it away.
    """

    flow_id: str
    update: str
    step: Literal["load", "hold", "dry", "switch"]
    modules: tuple[str, ...] = ()
    paused: bool = False


class DecideUpdate(Request, frozen=True, kw_only=True):
    """It stands everywhere, or is as if it had never begun. The receipt is that of the part here."""

    flow_id: str
    update: str
    commit: bool


class JoinPause(Request, frozen=True, kw_only=True):
    """Pause the part here as well, until ResumeFlow; `by`: why, as the API shows it."""

    flow_id: str
    by: str


class HoldCrossings(Request, frozen=True, kw_only=True):
    """`on`: let the other runners have what is on its way to them, and then nothing more; else what has come since."""

    flow_id: str
    on: bool
