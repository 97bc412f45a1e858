"""What other threads leave for the main loop. It does not know what becomes of it."""

from __future__ import annotations

import contextlib
import os
from _thread import allocate_lock

from .call import Produced
from .source_batch import SourceBatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Item = Produced | SourceBatch | Callable[[], None]


class Inbox:
    """A list, the lock of it and of every slot's credit, and what wakes the main loop when it is no longer empty."""

    def __init__(self) -> None:
        self.lock = allocate_lock()
        self.items: list[Item] = []
        self.wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def ring(self) -> None:
        """Wake the main loop."""
        os.eventfd_write(self.wake, 1)

    def post(self, item: Produced | Callable[[], None]) -> None:
        """Leave something; from any thread."""
        with self.lock:
            first = not self.items
            self.items.append(item)
            if type(item) is Produced and item.error is None:
                item.apply()
        if first:
            self.ring()

    def take(self) -> list[Item]:
        """All of it, for the main loop; batches of sources are ended."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.wake)  # before the items are taken: what comes later wakes again
        with self.lock:
            items, self.items = self.items, []
            for item in items:
                if type(item) is SourceBatch:
                    item.end()
        return items
