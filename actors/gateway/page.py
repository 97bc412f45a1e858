"""What a client needs of whoever speaks for the page that it is."""

from __future__ import annotations

from typing import Protocol


class Page(Protocol):
    """What speaks for a page that has joined."""

    @property
    def is_full(self) -> bool:
        """Whether the page is not to be listened to now."""

    def take(self, message: bytes) -> object:
        """The page has said something."""

    def read(self) -> None:
        """There is room for what it is to be told."""

    def leave(self, code: int | None) -> None:
        """Its socket has gone; `code`: the page's, if it said goodbye."""
