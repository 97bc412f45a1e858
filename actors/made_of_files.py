"""What is made of files, and made anew when they are replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

Made = TypeVar("Made")


class MadeOfFiles(Generic[Made]):
    """What `make` makes of the files: now, and whenever one of them is another than before.

    Files are replaced one after the other: what cannot be made yet stays as it was. `failed` is told why, once for
    each state of the files.
    """

    def __init__(
        self, files: tuple[Path, ...], make: Callable[[], Made], failed: Callable[[OSError], None] | None = None
    ) -> None:
        """Raises OSError: a file is not there, or `make` does so."""
        self._files, self._make, self._failed = files, make, failed
        self._stamps = self._now()
        self._made = self._remake()

    def get(self) -> Made:
        """Of the files as they are."""
        if (stamps := self._now()) != self._stamps:
            self._stamps = stamps
            try:
                self._made = self._remake()
            except OSError as error:
                if self._failed is not None:
                    self._failed(error)
        return self._made

    def _remake(self) -> Made:
        for file in self._files:
            file.stat()  # names the one that is not there
        return self._make()

    def _now(self) -> list[tuple[int, int] | None]:
        return [_stamp(file) for file in self._files]


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
