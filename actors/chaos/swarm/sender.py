"""Sends into the entries of a flow over the API, in bursts, and knows what was accepted."""

from __future__ import annotations

import random
import threading
import traceback

from actors.chaos.swarm.flow import FLOW
from actors.chaos.swarm.kinds import Message
from actors.chaos.swarm.subject import Subject
from actors.console.client import RunnerError

ANSWER_TIMEOUT_S = 60.0


class Sender:
    """A thread. `held()` waits until nothing is under way; `accepted` is what the runner has said yes to."""

    def __init__(self, subject: Subject, rng: random.Random) -> None:
        self.subject, self.flow, self.rng = subject, subject.flow, rng
        self.accepted: dict[str, list[Message]] = {entry: [] for entry in self.flow.entries}
        self.refusals: dict[str, int] = {}
        self.problems: list[str] = []
        self._tried = dict.fromkeys(self.flow.entries, 0)
        self._lock = threading.Lock()  # held while a burst is under way
        self._ended = threading.Event()
        self.thread = threading.Thread(target=self._send_all, daemon=True)

    def held(self) -> threading.Lock:
        """In a `with`: nothing is sent, and all that was has been answered."""
        return self._lock

    def end(self, timeout_s: float | None) -> None:
        """Wait for the last message; without a time: stop at once."""
        if timeout_s is None:
            self._ended.set()
        self.thread.join(timeout_s or ANSWER_TIMEOUT_S)
        if self.thread.is_alive():
            self.problems.append("the sender waits for answers that do not come")

    def _left(self) -> list[str]:
        return [entry for entry, tried in self._tried.items() if tried < self.flow.messages]

    def _send_all(self) -> None:
        try:
            while (left := self._left()) and not self._ended.is_set():
                entry = self.rng.choice(left)
                with self._lock:
                    self._burst(entry, self.rng.choice([1, 3, 20, 100]))
                self._ended.wait(self.rng.choice([0.001, 0.01, 0.05, 0.2]))
        except Exception:  # of a thread: it is shown with the seed's result
            self.problems.append(f"the sender: {traceback.format_exc()}")

    def _burst(self, entry: str, size: int) -> None:
        calls = []
        for _ in range(min(size, self.flow.messages - self._tried[entry])):
            message = self.flow.message(entry, self._tried[entry])
            self._tried[entry] += 1
            call = self.subject.client.begin("sendMessage", flowModuleId=f"{FLOW}/{entry}", message=message)
            calls.append((message, call))
        for message, call in calls:
            try:
                outcome = call.result(ANSWER_TIMEOUT_S)
            except (RunnerError, TimeoutError) as error:
                self.problems.append(f"sendMessage: {type(error).__name__}: {error}")
                continue
            if outcome:
                self.accepted[entry].append(message)
            else:
                reason = str(outcome.error)
                self.refusals[reason] = self.refusals.get(reason, 0) + 1
