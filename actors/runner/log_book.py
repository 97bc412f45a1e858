"""The last lines of this process's log, for `readLog`: a ring, which costs a log line some microseconds."""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Callable, Collection
from typing import Any

from thespian.actors import ActorAddress

from actors.definition.places import among
from actors.log_subject import subject_of
from actors.messages import client_to_runner as api
from actors.system.answers import Answers

MAX_LINES = 1_000
MAX_CHARACTERS = 4_000  # of a line


class Ring:
    """Keeps what loggers called `runner...` say, in whichever of logging's trees they are: Thespian makes new ones."""

    def __init__(self) -> None:
        self.lines: deque[tuple[int, logging.LogRecord, str]] = deque(maxlen=MAX_LINES)
        self._numbers = itertools.count(1)
        self._make: Callable[..., logging.LogRecord] | None = None

    def begin(self) -> None:
        """Keep records from now on; again has no effect."""
        if self._make is None:
            self._make = logging.getLogRecordFactory()
            logging.setLogRecordFactory(self._take)

    def _take(self, name: str, *args: Any, **more: Any) -> logging.LogRecord:
        assert self._make is not None
        record = self._make(name, *args, **more)
        if name.startswith("runner"):
            try:
                text = record.getMessage()
            except Exception:  # arguments that do not fit: logging itself says so, whoever has logged goes on
                text = str(record.msg)
            if record.exc_info:
                text += "\n" + logging.Formatter().formatException(record.exc_info)
            self.lines.append((next(self._numbers), record, text[:MAX_CHARACTERS]))
        return record


_ring = Ring()


class LogBook:
    """Answers from the ring. `flows`: the ids of those that are here."""

    def __init__(self, answers: Answers, flows: Callable[[], Collection[str]]) -> None:
        self._answers, self._flows = answers, flows
        _ring.begin()

    def receiveMsg_ReadLog(self, message: api.ReadLog, sender: ActorAddress) -> None:
        """Lines of a flow or of one of its modules; of all, if none is named."""
        flows = self._flows()
        if message.flow_id is not None and message.flow_id not in flows:
            said = f"there is no flow {among(message.flow_id, flows, 'flows here:')}"
            self._answers.refuse(message, sender, said)
            return
        after = int(message.after) if message.after is not None and message.after.isdecimal() else 0
        wanted = (message.flow_id, message.module_id)
        shown = [
            line for number, record, text in _ring.lines if number > after
            if _is_meant((line := _line(record, text, flows)), *wanted)
        ]  # fmt: skip
        last = _ring.lines[-1][0] if _ring.lines else 0
        self._answers.reply(message, sender, {"lines": shown, "after": str(last)})


def _line(record: logging.LogRecord, text: str, flows: Collection[str]) -> dict[str, Any]:
    line = {"time": record.created, "level": record.levelname.lower(), "logger": record.name, "message": text}
    subject = subject_of(record, text)
    return {**line, **subject} if subject.get("flow") in flows else line


def _is_meant(line: dict[str, Any], flow_id: str | None, module_id: str | None) -> bool:
    return flow_id in (None, line.get("flow")) and module_id in (None, line.get("module"))
