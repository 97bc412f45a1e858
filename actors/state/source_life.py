"""The life of a module's source: it runs, ends, fails, and is started again as often as the flow file allows. Pure."""

from __future__ import annotations

from typing import Any

from actors.definition.model import Retry
from actors.state.permanent import is_permanent


class SourceLife:
    """What has become of the source that `start` has returned. `failures` are those since its last message."""

    def __init__(self, restart: Retry | None) -> None:
        self._restart = restart
        self.state = ""  # of no source
        self.error: dict[str, Any] | None = None  # the last one, until it works again
        self.failures = 0
        self.restarts = 0
        self.due = False  # it is to be started again, as soon as nothing is under way
        self.life = 0  # a timer that was set in another one is too old

    def begun(self, is_source: bool) -> None:
        """A `start` has returned."""
        self.state = "running" if is_source else ""
        self.due = False
        self.life += 1

    def host_down(self) -> None:
        """The host has ended; a next one begins anew."""
        if self.state in ("running", "restarting"):
            self.begun(False)

    def time_up(self, life: int) -> bool:
        """The time before the next `start` is over; False if that was another life's."""
        if life != self.life:
            return False
        self.due = True
        return True

    def called(self) -> None:
        """`start` is called again."""
        self.due = False

    def has_sent(self) -> None:
        """A message of it is committed: whatever was wrong is over."""
        self.failures, self.error = 0, None

    def ended(self) -> None:
        """It has come to its end."""
        self.state, self.error = "finished", None

    def raised(self, error: dict[str, Any]) -> None:
        """What it has raised; `failed` comes next."""
        self.error = error

    def failed(self) -> float | None:
        """It has ended with an error. Seconds after which it is started again; None: it is not."""
        self.failures += 1
        if self._restart is None or self.failures > self._restart.times or is_permanent(self.error or {}):
            self.state = "failed"
            return None
        self.state = "restarting"
        self.restarts += 1
        return self._restart.backoff_s

    def view(self) -> dict[str, Any] | None:
        """As flowState shows it."""
        if not self.state:
            return None
        error = {"error": self.error} if self.error is not None else {}
        return {"state": self.state, "restarts": self.restarts, **error}
