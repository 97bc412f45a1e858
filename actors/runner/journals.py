"""What a runner has its flows written down with: the Journal actor, begun when a flow is the first to need it."""

from __future__ import annotations

import os

from thespian.actors import ActorAddress

from actors.definition.model import Flow, FlowError
from actors.flow.journalled import OpenedJournal, find_journalled, open_journal
from actors.flow.kept import Kept, find_kept
from actors.messages import to_journal
from actors.messages.from_journal import JournalsClosed
from actors.messages.owner_to_runner import CloseJournals, ConfigureRunner
from actors.preparation.premises import Journals, Premises
from actors.system.answers import Answers
from actors.system.port import Port


class RunnerJournals:
    """Of one runner, for all its flows."""

    def __init__(self, port: Port, answers: Answers) -> None:
        self._port, self._answers = port, answers
        self._actor: ActorAddress | None = None
        self._closing: tuple[CloseJournals, ActorAddress] | None = None

    def place(self, message: ConfigureRunner) -> Journals | None:
        """Where they are; None if the runner has none."""
        if message.journals is None:
            return None
        opened = to_journal.OpenJournals(folder=message.journals, lost=message.journal_lost)
        return Journals(
            actor=lambda: self._begun(opened), folder=message.journals, every_flow=message.kept is not None,
            accept_loss=message.accept_loss, fresh=message.fresh,
        )  # fmt: skip

    def _begun(self, opened: to_journal.OpenJournals) -> ActorAddress:
        if self._actor is None:
            from actors.journal.actor import JournalActor

            self._actor = self._port.createActor(JournalActor)
            self._port.send(self._actor, opened)
        return self._actor

    def what_was(self, premises: Premises, flow: Flow) -> tuple[OpenedJournal | None, Kept | None]:
        """Of a flow that is not here: its journal, and what it was. Raises FlowError."""
        opened = open_journal(premises, flow)
        try:
            kept = find_kept(premises, flow)
            if kept is None and opened is not None:
                kept = find_journalled(premises, opened, flow)
        except FlowError:
            if opened is not None:
                os.close(opened.lock)
            raise
        return opened, kept

    def receiveMsg_CloseJournals(self, message: CloseJournals, sender: ActorAddress) -> None:
        """All flows have been closed; what has left them is noted, too."""
        if self._actor is None:
            self._answers.reply(message, sender)
        else:
            self._closing = message, sender
            self._port.send(self._actor, to_journal.CloseJournals())

    def receiveMsg_JournalsClosed(self, _message: JournalsClosed, _sender: ActorAddress) -> None:
        """All that was to be noted is durable."""
        assert self._closing is not None
        self._answers.reply(*self._closing)
