"""Flows that wait in files for their runner to be back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from actors.definition import graph
from actors.definition.model import Flow, FlowError
from actors.definition.share import Share
from actors.flow.kept_file import KeptFlow, KeptFlowError, read_kept, remove_kept
from actors.flow.moved import Moved, placed_as
from actors.flow.record import FlowRecord
from actors.preparation.premises import Premises

_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")  # as in flow.schema.json


@dataclass(frozen=True, slots=True)
class Kept:
    """A flow that is kept: `share` is what was here, without the modules that it went without."""

    path: Path
    share: Share
    facts: KeptFlow
    in_journal: bool = False
    moved: Moved | None = None  # what has left or come since it was written

    def record(self) -> FlowRecord:
        """As it was, without actors."""
        facts = self.facts
        record = FlowRecord(share=self.share, left_out=facts.left_out, kept=None if self.in_journal else self.path)
        record.input_numbers = facts.input_numbers
        record.dead_letters.extend(facts.dead_letters)
        record.dead_letter_bytes = sum(len(letter.message) for letter in facts.dead_letters)
        record.dead_letter_count = facts.dead_letter_count
        record.crossed = facts.crossed
        record.sessions = tuple(facts.sessions)
        waiting = sum(state.mailbox.queued for state, _ in facts.states.values())
        record.activity.pending = facts.leaving + facts.crossed.messages + waiting
        return record

    @property
    def still(self) -> str:
        """What is said when it cannot be taken up."""
        return f"what is durable of it is still in {self.path}" if self.in_journal else _still(self.path)


def find_kept(premises: Premises, wanted: Flow) -> Kept | None:
    """The flow if it is kept; `wanted`: as it is to be. Raises FlowError if it cannot be taken up."""
    path = _kept_file(premises.kept, wanted.id)
    if path is None:
        return None
    try:
        facts = read_kept(path)
        facts.document = placed_as(facts.document, wanted, premises.name, {})
        flow = premises.check(facts.document)
    except (KeptFlowError, FlowError) as error:
        problems = error.problems if isinstance(error, FlowError) else [str(error)]
        raise FlowError([*problems, _still(path)]) from None
    share = premises.share_of(graph.without_modules(flow, facts.left_out.keys()))
    return Kept(path, share, facts)


def forget_kept(folder: Path | None, flow_id: str) -> bool:
    """Remove what is kept of a flow that is not here; False if nothing is."""
    path = _kept_file(folder, flow_id) if _ID.fullmatch(flow_id) else None
    if path is not None:
        remove_kept(path)
    return path is not None


def _kept_file(folder: Path | None, flow_id: str) -> Path | None:
    path = folder / f"{flow_id}.flow" if folder is not None else None
    return path if path is not None and path.exists() else None


def _still(path: Path) -> str:
    return f"what was kept of the flow at its last stop is still in {path}; without that file it starts anew"
