"""What has changed of a flow file and of everything it names, for `--watch`. It reads; it applies nothing.

An edit counts when its file is whole: closed after writing, or renamed into place. A file that vanishes, or is being
written, gets SETTLE_S to come back: editors do both.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from actors import inotify
from actors.flows.model import FlowError
from actors.flows.reading import FlowSource, LookedAt, read_flow_file
from actors.flows.validation import check_flow

SETTLE_S = 0.5
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
        self.file, self._seen, self._said = file, source.document, tuple[str, ...]()
        self._files: set[Path] = set()  # each by the real path of its folder, as the kernel names it
        self._patterns: set[str] = set()
        self._unsettled: set[Path] = set()
        self._empty: set[Path] = set()
        self._inotify = inotify.Inotify()
        self.fd = self._inotify.fd
        self.due: float | None = time.monotonic()

    def close(self) -> None:
        """The end."""
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
        self.due = None
        self._unsettled.clear()
        problems: tuple[str, ...] = ()
        looked_at = LookedAt()
        try:
            document = self._read(looked_at)
        except FlowError as error:
            document, problems = self._seen, tuple(error.problems)
            self._files |= set(map(_real, looked_at.files))
            self._patterns |= looked_at.patterns
        else:
            self._files, self._patterns = set(map(_real, looked_at.files)), looked_at.patterns
        try:
            fresh = self._watch_folders()
        except OSError as error:
            problems += (f"{error.filename} cannot be watched: {error.strerror}",)
            fresh = False
        self.take_in()
        empty = {file for file in looked_at.files if _is_empty(file)}
        young, self._empty = empty - self._empty, empty
        if young:  # about to be written: the kernel tells of the cut a while after it can be seen
            self._unsettled |= set(map(_real, young))
            self.due = time.monotonic() + SETTLE_S
        if fresh or self.due is not None:  # what we have read may be of before, or half of what comes
            self.due = self.due or time.monotonic()
            return None
        if problems == self._said and document == self._seen:
            return None
        self._seen, self._said = document, problems
        return Edit(document=document, problems=problems)

    def _read(self, looked_at: LookedAt) -> dict[str, Any]:
        source = read_flow_file(self.file, looked_at)
        flow = check_flow(source.document, source.places)
        before = self._seen["id"]
        if flow.id != before:
            raise FlowError([f"{self.file}: the flow is watched as {before!r}; it cannot become {flow.id!r}."])
        return source.document

    def _watch_folders(self) -> bool:
        """Watch every folder in which something of the flow is or may appear; whether one is new."""
        wanted = {file.parent for file in self._files} | {Path(os.path.realpath(file)).parent for file in self._files}
        home = Path(os.path.realpath(self.file.parent))
        for pattern in self._patterns:
            wanted |= _folders(home, pattern)
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


def _real(file: Path) -> Path:
    """The file itself may be a link, which can be replaced."""
    return Path(os.path.realpath(file.parent)) / file.name


def _nearest(folder: Path) -> Path:
    """The folder, or the one above it in which it, or a part of the way to it, would appear."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def _folders(home: Path, pattern: str) -> set[Path]:
    """The folders that a pattern of `files` looks into."""
    level = found = {home}
    for part in PurePosixPath(pattern).parts[:-1]:
        below = "**/" if part == "**" else f"{part}/"
        level = {Path(os.path.realpath(path)) for folder in level for path in folder.glob(below) if path.is_dir()}
        found = found | level
    return found
