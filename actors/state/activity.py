"""A flow's count of messages under way, shared by its module actors because they live in one thread."""

from __future__ import annotations


class Activity:
    """`pending`: messages accepted somewhere and not yet done; `sources`: sources and feeds that may still send.

    A feeder adds before it sends, the target subtracts when done, so `pending` is never 0 while a message is under way.
    """

    __slots__ = ("pending", "sources", "watched")

    def __init__(self) -> None:
        self.pending = 0
        self.sources = 0
        self.watched = False  # somebody wants to know when the flow is idle

    @property
    def idle(self) -> bool:
        """Whether somebody waits for it, nothing is under way and nothing will come."""
        return self.watched and not self.pending and not self.sources
