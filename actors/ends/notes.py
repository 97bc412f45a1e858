"""How far an `-i` or `-o` of a durable flow is, as its journal has it; and how the next run goes on from there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from actors.ends.file_mark import FileMark, Progress
from actors.ends.input_lines import InputLines
from actors.journal.gathering import Gathering
from actors.messages.module_to_module import Deliver

ANEW = "; --fresh starts anew and forgets what the run before has done"


class InputNotes:
    """Of one `-i`: what has been delivered of it, and where the line behind that begins."""

    def __init__(self, journal: Gathering, fd: int, places: Iterable[str], lines: InputLines) -> None:
        self._journal, self._fd, self._lines = journal, fd, lines
        self._key = f"input/{','.join(sorted(places))}"
        self._position = 0  # bytes that have been read
        self.number = 0  # of the next message

    def go_on(self) -> str | None:
        """To where the run before was. Returns why that cannot be."""
        if (noted := self._journal.found.facts.get(self._key)) is None:
            return None
        before = Progress.decoded(noted)
        self.number = before.number
        self._lines.number, self._lines.bad_count = before.lines, before.bad
        if before.mark is None:
            return None
        if problem := before.mark.input_problem(self._fd):
            return problem + ANEW
        self._position = before.mark.position
        os.lseek(self._fd, self._position, os.SEEK_SET)
        return None

    def read(self, size: int) -> None:
        """So many bytes more."""
        self._position += size

    def delivered(self, wires: Iterable[str], body: bytes, flags: int, count: int) -> None:
        """Messages, the next ones."""
        for wire in wires:
            self._journal.sent(wire, body, flags, 0, count, self.number)
        self.number += count
        self._journal.fact_later(self._key, self._progress)

    def ended(self) -> None:
        """Before the descriptor is closed."""
        self._journal.fact(self._key, self._progress())

    def _progress(self) -> bytes:
        mark = FileMark.of(self._fd, self._position - self._lines.open_bytes)
        return Progress(mark, self.number, self._lines.number, self._lines.bad_count).encoded()


class OutputNotes:
    """Of one `-o`: what has been written, of which messages. A file is cut to that, the rest is written again."""

    def __init__(self, journal: Gathering, fd: int, places: Iterable[str]) -> None:
        self.journal, self._fd = journal, fd
        self._key = f"output/{','.join(sorted(places))}"
        self._position = 0  # bytes that are in the file, from its beginning
        self.undurable = 0  # bodies that may not be written yet
        is_file = stat.S_ISREG(os.fstat(fd).st_mode)
        self._reader = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC) if is_file else -1

    def go_on(self, ours: bool) -> str | None:
        """From where the run before was; one that is `ours` is emptied else. Returns why that cannot be."""
        noted = self.journal.found.facts.get(self._key)
        before = Progress.decoded(noted).mark if noted is not None else None
        if before is not None:
            if problem := before.output_problem(self._fd if self._reader < 0 else self._reader):
                return problem + ANEW
            self._cut(before.position)
        elif self._reader >= 0:
            self._cut(0) if ours else self._cut(os.fstat(self._fd).st_size)
        self.journal.fact(self._key, self._progress())
        return None

    def _cut(self, position: int) -> None:
        os.ftruncate(self._fd, position)
        self._position = os.lseek(self._fd, position, os.SEEK_SET)

    def rest(self, wires: Iterable[str]) -> list[Deliver]:
        """What left the flow in the run before and has not been written."""
        found, mine = self.journal.found, {*wires}
        bodies = [body for body in found.bodies if body.wire in mine]
        found.bodies = [body for body in found.bodies if body.wire not in mine]
        return [Deliver(b.wire, bytes(b.body), b.flags, b.skip, b.count, b.first) for b in bodies]

    def written(self, wire: str, through: int, size: int) -> None:
        """So many bytes: the messages of a wire with lower numbers are done."""
        self._position += size
        self.journal.consumed(wire, through)
        self.journal.fact_later(self._key, self._progress)
        if self._reader >= 0:
            self.journal.needs(self._fd)

    def _progress(self) -> bytes:
        return Progress(FileMark.of(self._reader, self._position) if self._reader >= 0 else None).encoded()
