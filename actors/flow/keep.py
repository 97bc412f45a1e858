"""The end of a runner: its flows are kept in files, if there is a folder for them (`runner up`)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from actors.counted import counted
from actors.flow.journal import FlowJournal
from actors.flow.kept_file import is_worth_keeping, write_kept
from actors.flow.life import Life
from actors.flow.record import FlowRecord
from actors.system.job import Steps

log = logging.getLogger("runner.flow")


class Keep:
    """Outlives the runner. `leave`: the flow is not here any more."""

    def __init__(
        self, record: FlowRecord, life: Life, journal: FlowJournal, folder: Path | None, leave: Callable[[], None]
    ) -> None:
        self._record, self._life, self._journal, self._folder, self._leave = record, life, journal, folder, leave

    def keeping(self) -> Steps:
        """Stop the flow and write it down; after that it is not here any more. Returns what went wrong."""
        errors = tuple(f"{self._record.flow.id}: stopped, but {error}" for error in (yield from self._life.stopping()))
        yield from self._journal.syncing()  # what is asked for when a group goes is asked while it is there
        if self._folder is not None:
            errors += yield from self._writing(self._folder)
        self._journal.note_open(False)
        if self._folder is None:  # else all journals are closed together, when this flow may be no more
            yield from self._journal.syncing()
        return errors

    def _writing(self, folder: Path) -> Steps:
        record = self._record
        ends = yield from self._life.take_ends()
        states = yield from self._life.take_states()
        self._leave()  # whoever sends to it from now on is told so
        if record.durable_journal is not None:
            self._journal.note_left(states, ends)
            return ()
        if not is_worth_keeping(record, states):
            return ()
        messages = ends.messages + sum(state.mailbox.queued for state, _ in states.values())
        path = folder / f"{record.flow.id}.flow"
        try:
            write_kept(path, record, states, ends)
        except OSError as error:
            what = f"{record.flow.id}: lost, with {counted(messages, 'message')}"
            lost = f"{what}: {path} cannot be written: {error.strerror}"
            log.error("%s", lost)
            return (lost,)
        log.info("%s: kept, with %s", record.flow.id, counted(messages, "message"))
        return ()
