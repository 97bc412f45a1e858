"""Random events on a running flow: deaths, updates, debugging, taps, stops. Knows what version should be running."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from actors.chaos.faults import CAN_CUT, Faults
from actors.chaos.looking import unbalanced
from actors.chaos.swarm.flow import FLOW, Version
from actors.chaos.swarm.sender import Sender
from actors.chaos.swarm.subject import CALL_TIMEOUT_S, Subject
from actors.console.client import Outcome, RunnerError

WATCH_TIMEOUT_S = 25.0
CONDITIONS = [
    None, "message.number % 7 == 0", "message.value > 500000", "message.nofield == 1", '"x-i" in headers',
    "has(context.n) && context.n > 20",
]  # fmt: skip
BROKEN_START = "def start(context):\n    raise ValueError('no start')\ndef run(message, context): pass\n"


class Chaos:
    """`run(seconds)`; afterwards `counts` says what was done, `problems` what went wrong, `mixed` if versions mixed."""

    def __init__(self, subject: Subject, sender: Sender, rng: random.Random) -> None:
        self.subject, self.sender, self.rng = subject, sender, rng
        self.now = deepcopy(subject.flow.first)
        self.before = [self.now]  # versions, the newest last
        self.problems: list[str] = []
        self.mixed = self.stopped = False
        self.taps: list[str] = []
        self.faults = Faults(subject, rng, self.note)
        self.counts = self.faults.counts
        self._events = (subject.folder / "events.log").open("a")
        self._begun = time.monotonic()

    @property
    def client(self) -> Any:
        """The connection: a new one after each restart."""
        return self.subject.client

    def note(self, *words: object) -> None:
        """For whoever looks for the reason."""
        print(f"{time.monotonic() - self._begun:7.3f}", *words, file=self._events, flush=True)

    def bad(self, *words: object) -> None:
        """A promise that was not kept."""
        self.problems.append(" ".join(map(str, words)))
        self.note("PROBLEM", *words)

    def run(self, seconds: float) -> None:
        """Events for so long, then everything that was set or stopped is taken back."""
        events: dict[Callable[[], None], float] = {
            self.faults.kill: 5, self.faults.freeze: 2, self.update: 5, self.roll_back: 2, self.break_update: 1,
            self.debug: 2, self.pause: 1.5, self.tap: 2, self.stop_and_start: 1, self.down_and_up: 0.7,
        }  # fmt: skip
        if self.subject.is_spread:
            dying = self.subject.mode in ("killed", "mortal")
            events |= {
                self.faults.freeze_runner: 1, self.faults.cut: 2 * CAN_CUT, self.move: 4, self.drain: 1,
                self.restart: 1.5, self.faults.kill_runner: 3 * dying, self.faults.kill_journal: 1 * dying,
            }  # fmt: skip
        musts = (self.move, self.restart, self.update, self.faults.kill_runner)
        first = [event for event in musts if events.get(event)]
        self.rng.shuffle(first)  # each of these at least once
        end = time.monotonic() + seconds
        while first or time.monotonic() < end:
            event = first.pop() if first else self.rng.choices(list(events), list(events.values()))[0]
            try:
                event()
                self.check_accounts()
            except RunnerError as error:
                self.note("refused:", event.__name__, error)
            time.sleep(self.rng.choice([0, 0.02, 0.1, 0.3]))
        for module in self.now.modules:
            self.client.remove_break_point_at_module(f"{FLOW}/{module}", timeout=CALL_TIMEOUT_S)
        self.client.resume_flow(FLOW, timeout=CALL_TIMEOUT_S)
        while self.taps:
            with contextlib.suppress(RunnerError):  # its runner was killed
                self.client.end_tap(self.taps.pop(), timeout=CALL_TIMEOUT_S)

    def close(self) -> None:
        """What stands still goes on; nothing more is noted."""
        self.faults.close()
        self._events.close()

    def check_accounts(self) -> None:
        """They balance at any moment."""
        for name, row in unbalanced(self.subject.audit()):
            self.bad("the accounts do not balance:", name, row)

    # between runners -----------------------------------------------------------------------------------------------

    def move(self) -> None:
        """A module goes to another runner."""
        spared = self.subject.spared
        name = self.rng.choice([name for name in self.now.modules if name not in spared])
        here = self.client.flow_state(FLOW, timeout=CALL_TIMEOUT_S)["modules"][name]["runner"]
        runner = self.rng.choice([runner for runner in self.subject.runners if runner != here])
        outcome = self.client.move_module(f"{FLOW}/{name}", runner, timeout=CALL_TIMEOUT_S)
        self.note("move", name, runner, outcome.ok, outcome.error)
        self.counts["moves" if outcome else "refused moves"] += 1

    def drain(self) -> None:
        """All that may leave a runner leaves it; soon it may be used again."""
        runner = self.rng.choice(self.subject.runners[bool(self.subject.spared) :])
        outcome = self.client.drain_runner(runner, timeout=CALL_TIMEOUT_S)
        self.note("drain", runner, outcome.ok, outcome.error)
        self.counts["drains" if outcome else "refused drains"] += 1
        time.sleep(self.rng.choice([0, 0.1]))
        self.client.drain_runner(runner, end=True, timeout=CALL_TIMEOUT_S)

    def restart(self) -> None:
        """A runner ends in order and begins again."""
        runner = self.rng.choice(self.subject.runners)
        outcome = self.client.restart_runner(runner, timeout=CALL_TIMEOUT_S)
        self.note("restart", runner, outcome.ok, outcome.error)
        self.counts["restarted runners" if outcome else "refused restarts"] += 1

    # updates -------------------------------------------------------------------------------------------------------

    def update(self) -> None:
        """Another version that does the same; sometimes a host dies meanwhile."""
        version, changes = self.subject.flow.changed(self.now)
        killer = None
        if self.rng.random() < 0.35:
            killer = threading.Timer(self.rng.choice([0, 0.02, 0.1, 0.3, 0.8]), self._kill_quietly)
            killer.start()
        self.note("update", changes, "with a kill" if killer else "")
        if self.subject.mode == "watch" and self.rng.random() < 0.6:
            self._edit(version, changes)
        else:
            self._apply(version)
        if killer is not None:
            killer.join()

    def _kill_quietly(self) -> None:
        with contextlib.suppress(RunnerError, TimeoutError):
            self.faults.kill()

    def _apply(self, version: Version) -> None:
        document = self.subject.document(version)
        outcome = self.client.add_or_update_flow(document, timeout=CALL_TIMEOUT_S)
        if self._updated("updates", outcome):
            self._runs(version)

    def _edit(self, version: Version, changes: list[str]) -> None:
        """The file changes, and the runner is to notice."""
        if self.subject.document(version) == self.subject.document(self.now):
            return
        before = self._version_number()
        self.subject.write(version)
        deadline = time.monotonic() + WATCH_TIMEOUT_S
        while self._version_number() == before:
            if time.monotonic() > deadline:
                if any(change.split()[0] in ("text", "config", "version", "watch") for change in changes):
                    self.bad(f"an edit was not applied within {WATCH_TIMEOUT_S:g} s:", changes)
                break
            time.sleep(0.05)  # --watch tells no client
        self._take_receipt(self.client.last_receipt(FLOW, timeout=CALL_TIMEOUT_S))
        self.counts["edits"] += 1
        self._runs(version)

    def _version_number(self) -> int | None:
        with contextlib.suppress(RunnerError):
            return int((self.client.last_receipt(FLOW, timeout=CALL_TIMEOUT_S) or {}).get("version", 0))
        return None

    def _updated(self, what: str, outcome: Outcome) -> bool:
        self.note(what, outcome.ok, outcome.error, json.dumps(outcome.receipt)[:1500])
        self.counts[what if outcome else f"refused {what}"] += 1
        if outcome:
            self._take_receipt(outcome.receipt)
        return outcome.ok

    def _take_receipt(self, receipt: dict[str, Any] | None) -> None:
        self.mixed |= any(did.get("mixed") for did in (receipt or {}).get("modules", {}).values())

    def _runs(self, version: Version) -> None:
        if self.subject.document(version) != self.subject.document(self.now):
            self.before.append(version)
        self.now = version

    def roll_back(self) -> None:
        """To the version before."""
        if len(self.before) < 2:
            return
        if self._updated("rollbacks", self.client.rollback_flow(FLOW, timeout=CALL_TIMEOUT_S)):
            self.now = self.before[-2]
            self.before.append(self.now)

    def break_update(self) -> None:
        """A version that cannot run: it must be refused."""
        document = self.subject.document(self.now)
        name, how = self.rng.choice(list(document["modules"])), self.rng.choice(["text", "wire", "runtime", "start"])
        module = document["modules"][name]
        match how:
            case "text":
                module["code"] = "def run(:\n"
            case "wire":
                document["wires"].append({"from": "nowhere.out", "to": f"{name}.in"})
            case "runtime":
                module["runtime"] = "cobol"
            case "start":
                document["modules"][name] = {"runtime": "python3", "code": BROKEN_START}
        if self._updated("broken updates", self.client.add_or_update_flow(document, timeout=CALL_TIMEOUT_S)):
            self.bad("a broken flow was accepted:", how, name)
            self._apply(self.now)

    # debugging -----------------------------------------------------------------------------------------------------

    def debug(self) -> None:
        """A breakpoint, and some of what can be done at one."""
        place = f"{FLOW}/{self.rng.choice(self.now.working())}"
        when = self.rng.choice(CONDITIONS)
        outcome = self.client.set_break_point_at_module(
            place, when=when, scope=self.rng.choice(["flow", "module"]), log=self.rng.random() < 0.15,
            timeout_s=self.rng.choice([None, 2.0]), timeout=CALL_TIMEOUT_S,
        )  # fmt: skip
        self.note("break", place, when, outcome.ok, outcome.error)
        self.counts["breakpoints"] += 1
        for _ in range(self.rng.randint(0, 4)):
            time.sleep(self.rng.choice([0.02, 0.2]))
            action = self.rng.choice([self._step, self._resume, self._release, self._edit_held, self.faults.kill])
            with contextlib.suppress(RunnerError):
                self.note("debug", action.__name__)
                action()
        if self.rng.random() < 0.7:
            self.client.remove_break_point_at_module(place, timeout=CALL_TIMEOUT_S)
            self._resume()

    def pause(self) -> None:
        """Pause, some waves, resume."""
        self.client.pause_flow(FLOW, timeout=CALL_TIMEOUT_S)
        self.counts["pauses"] += 1
        for _ in range(self.rng.randint(0, 8)):
            chance = self.rng.random()
            if chance < 0.15:
                self.faults.kill()
            elif chance < 0.25:
                self.update()
            with contextlib.suppress(RunnerError):  # it has gone on by itself
                self._step()
        self._resume()

    def _step(self) -> None:
        self.client.single_step_flow(FLOW, timeout=CALL_TIMEOUT_S)
        self.counts["steps"] += 1

    def _resume(self) -> None:
        self.client.resume_flow(FLOW, timeout=CALL_TIMEOUT_S)

    def _release(self) -> None:
        if held := self.client.list_held(FLOW, timeout=CALL_TIMEOUT_S):
            self.client.release_held(self.rng.choice(held)["id"], timeout=CALL_TIMEOUT_S)

    def _edit_held(self) -> None:
        if held := self.client.list_held(FLOW, timeout=CALL_TIMEOUT_S):
            one = self.rng.choice(held)
            self.client.edit_held(one["id"], one["message"], timeout=CALL_TIMEOUT_S)

    def tap(self) -> None:
        """One more that looks on, or one less."""
        if self.taps and self.rng.random() < 0.6:
            self.client.end_tap(self.taps.pop(), timeout=CALL_TIMEOUT_S)
            return
        place = f"{FLOW}/{self.rng.choice(self.now.working())}"
        self.taps.append(self.client.tap_port(place, "out", timeout=CALL_TIMEOUT_S))
        self.counts["taps"] += 1

    # stops (only where the flow outlives them) ---------------------------------------------------------------------

    def stop_and_start(self) -> None:
        """stopFlow, perhaps an update, startFlow."""
        if not self.subject.is_up:
            return
        self.client.stop_flow(FLOW, timeout=CALL_TIMEOUT_S)
        time.sleep(self.rng.choice([0, 0.1, 0.5]))
        if self.rng.random() < 0.3:
            self.update()
        outcome = self.client.start_flow(FLOW, timeout=CALL_TIMEOUT_S)
        self.counts["stops"] += 1
        if not outcome:
            self.bad("startFlow after stopFlow:", outcome.error)

    def down_and_up(self) -> None:
        """An orderly restart of everything keeps mailboxes and contexts."""
        if not self.subject.is_up:
            return
        with self.sender.held():
            self.subject.write(self.now)
            self.taps.clear()
            self.subject.down_and_up()
        self.counts["restarts"] += 1
