"""What an update works with: the parts of the flow that it is an update of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from actors.flow.figures import Figures
from actors.flow.hosts import Hosts
from actors.flow.jobs import FlowJobs
from actors.flow.journal import FlowJournal
from actors.flow.letters import Letters
from actors.flow.life import Life
from actors.flow.record import FlowRecord
from actors.flow.wiring import Wiring
from actors.preparation.premises import Premises
from actors.system.port import Port


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """The same for all updates of a flow. `fail`: the flow cannot go on, for these reasons."""

    record: FlowRecord
    port: Port
    premises: Premises
    jobs: FlowJobs
    hosts: Hosts
    wiring: Wiring
    letters: Letters
    life: Life
    journal: FlowJournal
    figures: Figures
    fail: Callable[..., None]
