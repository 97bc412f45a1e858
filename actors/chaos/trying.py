"""One run of the copy: it is added, fed, perhaps disturbed, waited for and looked at."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from actors.chaos.copying import FEED, Copy
from actors.chaos.looking import unbalanced
from actors.chaos.plant import CALL_S, Plant
from actors.console.client import RunnerClient, RunnerError
from actors.console.errors import UserError

CHECK_S = 600.0
START_S = 120.0  # for an update, a rollback, a removal; for all messages of a calm run
QUIET_S, QUIET_LINKS_S, STUCK_S = 1.0, 6.0, 20.0  # a link is given up, and made anew, within 6 s
Seen = tuple[str | None, str, str]  # id of the message that it comes from, digest, beginning of the text


@dataclass(slots=True)
class Outcome:
    """What has come of a run. `maybe`: ids of messages of which nobody has said whether they were taken."""

    sent: list[str] = field(default_factory=list)
    maybe: set[str] = field(default_factory=set)
    ports: dict[str, list[Seen]] = field(default_factory=dict)
    contexts: dict[str, dict[str, Any]] = field(default_factory=dict)
    dead: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)  # of the last dead letter of each module
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    poisons: int = 0
    seconds: float = 0.0


class Feeding:
    """Sends messages to the feed of a copy; in a thread, when something else happens meanwhile."""

    def __init__(self, plant: Plant, flow_id: str, outcome: Outcome) -> None:
        self._plant, self._place, self._outcome = plant, f"{flow_id}/{FEED}", outcome
        self._lock = threading.Lock()
        self.wanted, self.hurried, self.ended = threading.Event(), threading.Event(), threading.Event()

    def send_all(self, messages: list[tuple[str, str, Any]], burst: int, pause: Callable[[], float]) -> None:
        """(id, port, value) each, in order, so many at once; `pause` seconds between them, or until some are `wanted`.

        Without pauses when it is `hurried`; it returns early if it was `ended`.
        """
        left = list(messages)
        while left and not self.ended.is_set():
            left[:burst] = self._burst(left[:burst])
            if not self.hurried.is_set():
                self.wanted.wait(pause())
                self.wanted.clear()

    def poison(self, id: str, port: str) -> None:
        """A message that its module dies of; it is counted if it was taken.

        One comes before it that does no harm: a host that does nothing but die is given up.
        """
        with self._lock, contextlib.suppress(RunnerError, TimeoutError):
            for poison in (False, True):
                message = {"id": id, "port": port, "value": poison}
                taken = self._plant.client.send_message(self._place, message=message, timeout=CALL_S)
            self._outcome.poisons += bool(taken)

    def _burst(self, burst: list[tuple[str, str, Any]]) -> list[tuple[str, str, Any]]:
        """Those that were refused since the mailbox was full, to be sent again."""
        again = []
        with self._lock:
            calls = [
                self._plant.client.begin(
                    "sendMessage", flowModuleId=self._place, message={"id": id, "port": port, "value": value}
                )
                for id, port, value in burst
            ]
            for (id, port, value), call in zip(burst, calls, strict=True):
                try:
                    taken = call.result(CALL_S)
                except (RunnerError, TimeoutError):
                    taken = None
                if taken:
                    self._outcome.sent.append(id)
                elif taken is not None and isinstance(taken.data, dict) and taken.data.get("full"):
                    again.append((id, port, value))
                else:
                    self._outcome.maybe.add(id)  # its runner may have died after it took it
        return again


def begin(client: RunnerClient, document: dict[str, Any]) -> None:
    """Add a flow and start it: environments may have to be made, modules compiled. Raises UserError."""
    outcome = client.add_or_update_flow(document, timeout=None)
    if outcome:
        outcome = client.start_flow(str(document["id"]), timeout=None)
    if not outcome:
        raise UserError(*(map(str, outcome.data) if isinstance(outcome.data, list) else [str(outcome.error)]))


def tried(
    plant: Plant, copy: Copy, messages: list[tuple[str, str, Any]], burst: int, pause: Callable[[], float],
    disturb: Callable[[Feeding], float] | None = None,
) -> Outcome:  # fmt: skip
    """A run from the beginning to the end. `disturb` is called when it has begun, and returns when that is enough: for
    how many seconds nothing may move before nothing more is to come.
    """
    began = time.monotonic()
    flow_id, outcome = str(copy.document["id"]), Outcome()
    begin(plant.client, copy.document)
    feeding = Feeding(plant, flow_id, outcome)
    thread = threading.Thread(target=feeding.send_all, args=(messages, burst, pause), daemon=True)
    thread.start()
    quiet_s = QUIET_S
    try:
        if disturb is not None:
            quiet_s = disturb(feeding)
            feeding.hurried.set()
            feeding.wanted.set()
        thread.join(START_S)
    finally:
        feeding.ended.set()
        feeding.wanted.set()
        thread.join(CALL_S + 5)
    outcome.problems += settled(plant, flow_id, quiet_s)
    _look(plant, copy, flow_id, outcome)
    outcome.seconds = time.monotonic() - began
    plant.client.remove_flow(flow_id, timeout=START_S)
    return outcome


def settled(plant: Plant, flow_id: str, quiet_s: float) -> list[str]:
    """Wait until nothing is queued and nothing moves any more; a sentence if something is, and does not."""
    before, since = None, time.monotonic()
    while True:
        try:
            rows = plant.audit()
            away = plant.client.flow_state(flow_id, rates=False, timeout=CALL_S).get("away")
        except (RunnerError, TimeoutError):  # a runner is on its way back
            rows, away = {}, {"?": "?"}
        if rows != before or away:
            before, since = rows, (time.monotonic() if rows != before else since)
        still_s = time.monotonic() - since
        queued = {name: row["queued"] for name, row in rows.items() if row["queued"]}
        if still_s > quiet_s and rows and not away and not queued:
            return []
        if still_s > STUCK_S:
            what = f"{queued} wait" if queued else f"{away or 'accounts'} are away"
            return [f"nothing has moved for {still_s:.0f} s, and {what}", *plant.client.explain(flow_id)[:3]]
        time.sleep(0.15)  # nobody is told that nothing happens


def _look(plant: Plant, copy: Copy, flow_id: str, outcome: Outcome) -> None:
    client = plant.client
    for collector, place in copy.collectors.items():
        kept = client.get_context(f"{flow_id}/{collector}", timeout=CALL_S)
        outcome.ports[place] = [tuple(kept[f"k{at}"]) for at in range(kept.get("count", 0))]
    outcome.contexts = {name: client.get_context(f"{flow_id}/{name}", timeout=CALL_S) for name in copy.own}
    look_at_accounts(plant, copy, outcome)


def look_at_accounts(plant: Plant, copy: Copy, outcome: Outcome) -> None:
    """Dead letters, and whether everything is accounted for."""
    dead = partial(plant.client.dead_letters, str(copy.document["id"]), timeout=CALL_S)
    end = time.monotonic() + STUCK_S
    while len(dead()) < outcome.poisons and time.monotonic() < end:
        time.sleep(0.15)  # each kills its host three times
    for letter in dead():
        name = letter["flowModuleId"].partition("/")[2]
        outcome.dead[name] = outcome.dead.get(name, 0) + 1
        outcome.reasons[name] = f"{letter['error']['type']}: {letter['error']['message']}"
    outcome.accounts = plant.audit()
    for name, row in unbalanced(outcome.accounts):
        outcome.problems.append(f"the accounts of {name} do not balance: {row}")


def checked(command: str, state: Path) -> tuple[int, str]:
    """Exit status and output of a user's command; it finds the runners that are tried by RUNNER_STATE."""
    try:
        done = subprocess.run(
            command, shell=True, env={**os.environ, "RUNNER_STATE": str(state)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=CHECK_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return 124, f"it has not ended within {CHECK_S:.0f} s"
    return done.returncode, done.stdout.strip()


def disturbances(
    plant: Plant, copy: Copy, rng: random.Random, faults: Any, feeding: Feeding, note: Callable[..., None]
) -> dict[str, Callable[[], None]]:
    """What else can happen to the copy beside the faults of processes, by name."""
    flow_id = str(copy.document["id"])
    poisoned = iter(range(1_000_000))

    def update() -> None:
        if (found := copy.changed(rng)) is not None:
            document, module = found
            outcome = plant.client.add_or_update_flow(document, timeout=START_S)
            faults.counts["updates" if outcome else "refused updates"] += 1
            note("update", module, outcome.ok, outcome.error)

    def roll_back() -> None:
        if len(plant.client.list_versions(flow_id, timeout=CALL_S)) > 1:
            outcome = plant.client.rollback_flow(flow_id, timeout=START_S)
            faults.counts["rollbacks" if outcome else "refused rollbacks"] += 1
            note("rollback", outcome.ok, outcome.error)

    def poison() -> None:
        if copy.poisons:
            port = rng.choice(sorted(copy.poisons))
            feeding.poison(f"poison#{next(poisoned)}", port)
            faults.counts["poison"] += 1
            note("poison", port)
            faults.spare(3.0)

    return {"update": update, "rollback": roll_back, "poison": poison}


def numbered(messages: dict[str, list[Any]], count: int) -> Iterator[tuple[str, str, Any]]:
    """`count` messages in all, by turns of each port: (id, port, value); too few are taken again."""
    ports = [port for port, values in messages.items() if values]
    for number in range(count if ports else 0):
        port = ports[number % len(ports)]
        values = messages[port]
        yield f"{port}#{number}", port, values[(number // len(ports)) % len(values)]
