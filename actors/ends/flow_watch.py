"""What has changed of a flow file and of everything it names, for `--watch`. It reads; it applies nothing.

An edit counts when its file is whole: closed after writing, or renamed into place; who keeps it open is waited for. A
file that vanishes gets SETTLE_S to come back: editors do that. Links on the way to a file may be changed as well as the
file: mounted configuration and releases are swapped like that.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from actors.definition.model import FlowError
from actors.definition.reading import FlowSource, LookedAt, folders_of, read_flow_file
from actors.definition.validation import check_flow
from actors.ends import inotify

SETTLE_S = 0.5
SAY_AFTER_S = 5.0  # that an edit waits for a file to be closed
MAX_LINKS = 40  # on the way to a file, as the kernel has it
_WHOLE = inotify.WRITTEN | inotify.MOVED_HERE | inotify.OVERFLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What the flow is now; or `problems`, whole sentences, why it cannot be told."""

    document: dict[str, Any]
    problems: tuple[str, ...] = ()


class FlowWatch:
    """Of one flow file. `fd` is readable when something has happened: `take_in`; `due` says when to `reread`."""

    def __init__(self, file: Path, source: FlowSource) -> None:
        """`source` is what was read last; whatever has changed since is an edit. OSError if nothing can be watched."""
        self.file, self._seen, self._said = file, source.sent, tuple[str, ...]()
        self._files: set[Path] = set()  # and the links on the way to them, each as the kernel names it
        self._patterns: set[str] = set()
        self._unsettled: set[Path] = set()
        self._empty: set[Path] = set()
        self._waiting_since: float | None = None  # for somebody to close a file
        self._inotify = inotify.Inotify()
        self.fd = self._inotify.fd
        self.due: float | None = time.monotonic()

    def close(self) -> None:
        """Watch nothing any more; `fd` is closed."""
        self._inotify.close()

    def take_in(self) -> None:
        """Read what the kernel says; sets `due`."""
        for change in self._inotify.read():
            if not self._concerns(change):
                continue
            if change.mask & (_WHOLE | inotify.IS_FOLDER) or change.path is None:
                self._unsettled.discard(change.path or self.file)
            else:
                self._unsettled.add(change.path)
            self.due = time.monotonic() + (SETTLE_S if self._unsettled else 0.0)

    def _concerns(self, change: inotify.Change) -> bool:
        if change.path is None or change.mask & (inotify.IS_FOLDER | inotify.FORGOTTEN) or change.path in self._files:
            return True
        if self._said and change.mask & _WHOLE:  # what the flow lacks may be there now
            return True
        return any(fnmatch(change.path.name, PurePosixPath(pattern).name) for pattern in self._patterns)

    def reread(self) -> Edit | None:
        """What is different now; None: nothing, or it is not the time to tell."""
        if open_ones := sorted(str(file) for file in self._unsettled if _is_being_written(file)):
            return self._wait_for(open_ones)
        self._waiting_since = self.due = None
        self._unsettled.clear()
        problems: tuple[str, ...] = ()
        looked_at = LookedAt()
        try:
            document = self._read(looked_at)
        except FlowError as error:
            document, problems = self._seen, tuple(error.problems)
            self._files |= _ways(looked_at.files)
            self._patterns |= looked_at.patterns
        else:
            self._files, self._patterns = _ways(looked_at.files), looked_at.patterns
        try:
            fresh = self._watch_folders()
        except OSError as error:
            problems += (f"{error.filename} cannot be watched: {error.strerror}",)
            fresh = False
        self.take_in()
        empty = {file for file in looked_at.files if _is_empty(file)}
        young, self._empty = empty - self._empty, empty
        if young:  # about to be written: the kernel tells of the cut a while after it can be seen
            self._unsettled |= {Path(os.path.realpath(file)) for file in young}
            self.due = time.monotonic() + SETTLE_S
        if fresh or self.due is not None:  # what we have read may be of before, or half of what comes
            self.due = self.due or time.monotonic()
            return None
        if problems == self._said and document == self._seen:
            return None
        self._seen, self._said = document, problems
        return Edit(document=document, problems=problems)

    def _wait_for(self, files: list[str]) -> Edit | None:
        """Until they are closed, which is an event; it is looked for as well, since one can be missed."""
        now = time.monotonic()
        self.due = now + SETTLE_S
        since = self._waiting_since = self._waiting_since or now
        said = (f"{', '.join(files)}: still open for writing; the edit is taken when it is closed",)
        if now - since < SAY_AFTER_S or self._said == said:
            return None
        self._said = said
        return Edit(document=self._seen, problems=said)

    def _read(self, looked_at: LookedAt) -> dict[str, Any]:
        source = read_flow_file(self.file, looked_at)
        flow = check_flow(source.document, source.places)
        before = self._seen["id"]
        if flow.id != before:
            raise FlowError([f"{self.file}: the flow is watched as {before!r}; it cannot become {flow.id!r}."])
        return source.sent

    def _watch_folders(self) -> bool:
        """Watch every folder in which something of the flow is or may appear; whether one is new."""
        folders = {folder for pattern in self._patterns for folder in folders_of(self.file.parent, pattern)}
        self._files |= _ways(folders)
        wanted = {file.parent for file in self._files} | {Path(os.path.realpath(folder)) for folder in folders}
        wanted = set(map(_nearest, wanted))
        before = self._inotify.folders
        for folder in before - wanted:
            self._inotify.forget(folder)
        for folder in wanted - before:
            self._inotify.watch(folder)
        return bool(wanted - before)


def _is_empty(file: Path) -> bool:
    try:
        return file.stat().st_size == 0
    except OSError:
        return False


def _is_being_written(file: Path) -> bool:
    """Whether somebody has it open for writing; no if that cannot be told: it is another user's, or on a network."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)  # for who opens it meanwhile; it does nothing
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        pass
    finally:
        os.close(fd)
    return False


def _ways(paths: Iterable[Path]) -> set[Path]:
    """What the kernel comes across on its way to these paths: every link, and their ends, by the real path."""
    return {point for path in paths for point in _way(path)}


def _way(path: Path) -> Iterator[Path]:
    rest = list(reversed(path.absolute().parts))
    at, links = Path(rest.pop()), 0
    while rest:
        part = rest.pop()
        at = at.parent if part == ".." else at / part
        try:
            target = Path(at.readlink())
        except OSError:
            continue  # no link, or not there
        yield at
        links += 1
        if links > MAX_LINKS:
            return
        at = at.parent
        rest += reversed(target.parts)  # an absolute target begins with /, which replaces what came before
    yield at


def _nearest(folder: Path) -> Path:
    """The folder, or the one above it in which it, or a part of the way to it, would appear."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder
