"""Flows over a clean end of the runner: kept in files when it stops, taken up again when it is back. Mixed into the
Runner actor, which does this only if it has a folder for it (`runner up`).
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from actors.counted import counted
from actors.definition import graph
from actors.definition.model import Flow, FlowError
from actors.definition.validation import check_flow
from actors.flow.kept_file import KeptFlow, KeptFlowError, is_worth_keeping, read_kept, remove_kept, write_kept
from actors.flow.record import FlowRecord
from actors.flow.update import FlowUpdate
from actors.system.job import Steps

_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")  # as in flow.schema.json
log = logging.getLogger("runner.flow")


class FlowKeep(FlowUpdate):
    """The part of the Runner actor that outlives it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept_folder: Path | None = None

    def kept_file(self, flow_id: str) -> Path | None:
        """The file in which this flow waits to go on, if there is one."""
        if self.kept_folder is None:
            return None
        path = self.kept_folder / f"{flow_id}.flow"
        return path if path.exists() else None

    def forget_kept(self, flow_id: str) -> bool:
        """Remove what is kept of a flow that is not here; False if nothing is."""
        path = self.kept_file(flow_id) if _ID.fullmatch(flow_id) else None
        if path is not None:
            remove_kept(path)
        return path is not None

    def keeping(self, record: FlowRecord) -> Steps:
        """Stop a flow and write it down; after that it is not here any more. Returns what went wrong."""
        errors = tuple(f"{record.flow.id}: stopped, but {error}" for error in (yield from self.stopping(record)))
        if self.kept_folder is not None and self.flows.get(record.flow.id) is record:  # else it is told twice
            errors += yield from self._writing(record, self.kept_folder)
        return errors

    def _writing(self, record: FlowRecord, folder: Path) -> Steps:
        states = yield from self.take_states(record)
        del self.flows[record.flow.id]  # whoever sends to it from now on is told so
        if not is_worth_keeping(record, states):
            return ()
        messages = sum(state.queued for state, _ in states.values())
        path = folder / f"{record.flow.id}.flow"
        try:
            write_kept(path, record, states)
        except OSError as error:
            what = f"{record.flow.id}: lost, with {counted(messages, 'message')}"
            lost = f"{what}: {path} cannot be written: {error.strerror}"
            log.error("%s", lost)
            return (lost,)
        log.info("%s: kept, with %s", record.flow.id, counted(messages, "message"))
        return ()

    def kept_record(self, path: Path) -> tuple[FlowRecord, KeptFlow]:
        """The flow of a file, as it was, without actors. Raises FlowError if it cannot be taken up."""
        try:
            kept = read_kept(path)
            flow = check_flow(kept.document, runtimes=self.runtimes)
        except (KeptFlowError, FlowError) as error:
            problems = error.problems if isinstance(error, FlowError) else [str(error)]
            raise FlowError([*problems, _still(path)]) from None
        record = FlowRecord(flow=graph.without_modules(flow, kept.left_out.keys()), left_out=kept.left_out, kept=path)
        record.input_numbers = kept.input_numbers
        record.dead_letters.extend(kept.dead_letters)
        record.dead_letter_bytes = sum(len(letter.message) for letter in kept.dead_letters)
        record.dead_letter_count = kept.dead_letter_count
        record.gauge.pending = sum(state.queued for state, _ in kept.states.values())
        return record, kept

    def taking_up(self, record: FlowRecord, flow: Flow, left_out: dict[str, str], *, kept: KeptFlow) -> Steps:
        """Go on from what was kept; what has changed since is an update. Returns what `updating` returns."""
        messages = record.gauge.pending
        self.build(record, kept.states)
        try:
            errors, receipt = yield from self.updating(record, flow, left_out)
        except Exception as error:
            errors, receipt = (self.mending.sentence(record, error),), None
        if errors:
            yield from self.take_states(record)
            del self.flows[record.flow.id]
            assert record.kept is not None
            return (*errors, _still(record.kept)), receipt
        log.info("%s: goes on from where it was stopped, with %s", flow.id, counted(messages, "message"))
        return (), receipt


def _still(path: Path) -> str:
    return f"what was kept of the flow at its last stop is still in {path}; without that file it starts anew"
