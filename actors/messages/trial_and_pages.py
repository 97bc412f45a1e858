"""What the trial of browser modules asks of those who have the pages, and what it is told."""

from __future__ import annotations

from msgspec import Struct


class TryInPage(Struct, frozen=True, kw_only=True):
    """Let one page load this body of LOAD, in a Worker that is thrown away; then PageTried. `window`: it is for a
    page's window, of which a Worker can only tell whether it is JavaScript.
    """

    number: int
    body: bytes
    window: bool


class PageTried(Struct, frozen=True, kw_only=True):
    """The body of RESULT; it is good, too, if no page is there that could say so."""

    number: int
    body: bytes
