"""`runner chaos FLOW.yaml`: does this flow keep what it promises, when everything goes wrong around it?"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from actors.chaos.checking import Verdict, judge_whole, verdict
from actors.chaos.copying import Copy, dangers, made, made_whole, single_paths, without_pages
from actors.chaos.faults import Faults
from actors.chaos.messages import made_up, of_files, of_tests, roots
from actors.chaos.plant import CALL_S, Plant
from actors.chaos.trying import (
    QUIET_LINKS_S,
    QUIET_S,
    Feeding,
    Outcome,
    begin,
    checked,
    disturbances,
    look_at_accounts,
    numbered,
    tried,
)
from actors.console.client import RunnerError
from actors.console.errors import UserError
from actors.console.run import read_checked
from actors.counted import counted
from actors.definition.model import Flow

LOOK_AT_SOURCES_S = 3.0
FAULT_S = 0.8  # one takes about so long; each meets a burst of messages
LEAST_S = 5.0  # of faults, however long the calm runs have taken
WEIGHTS = {
    "kill": 5, "freeze": 2, "slow": 1, "garbage": 2, "torn_frame": 2, "poison": 1, "update": 3, "rollback": 2,
    "freeze_runner": 1, "kill_runner": 2, "cut": 2, "kill_journal": 1, "fill_disk": 1,
}  # fmt: skip
OF_JOURNALS, JOURNALS = ("kill_journal", "fill_disk"), ("killed journals", "full disks")


def chaos(options: argparse.Namespace) -> int:
    """Exit status 0 if it kept them all."""
    began = time.monotonic()
    seed = options.seed if options.seed is not None else random.SystemRandom().randint(1, 10**6)
    if options.swarm:
        from actors.chaos.swarming import swarm  # reads its modules

        return swarm(options, seed)
    if options.flow is None:
        raise UserError("chaos wants FLOW.yaml, or --swarm", usage=True)
    _, flow = read_checked(options.flow)
    flow = without_pages(flow)
    if options.check and options.input:
        raise UserError("with --check the flow's own sources feed it: -i has no place", usage=True)
    _refuse_dangers(flow, options)
    _chosen(options)
    given = of_files(options.input, flow)
    folder = Path(tempfile.mkdtemp(prefix="runner-chaos-"))
    try:
        run = _Run(flow, given, seed, folder, options, began)
        found, outcome = run.done()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if found.problems:
        print(f"runner: what the runners wrote, and what was done when: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    facts = {
        "ok": not found.problems, "seed": seed, "messages": run.origin, "sent": len(outcome.sent),
        "done": dict(run.faults.counts), "compared": found.compared, "problems": found.problems,
        "excused": found.excused, "loose": found.loose, "check": run.said,
        "seconds": round(time.monotonic() - began, 1), "folder": str(folder) if found.problems else None,
    }  # fmt: skip
    print(json.dumps(facts) if options.json else "\n".join(_lines(flow, facts)))
    return 1 if found.problems else 0


def _refuse_dangers(flow: Flow, options: argparse.Namespace) -> None:
    found = dangers(flow)
    if found and not options.yes:
        raise UserError(*found, "the copy would do that for real: `--yes` says that it may")


def _chosen(options: argparse.Namespace) -> list[str]:
    """The faults that are wanted."""
    wanted = options.only.split(",") if options.only else list(WEIGHTS)
    if unknown := [name for name in wanted if name not in WEIGHTS]:
        raise UserError(f"there is no fault {unknown[0]!r}; there are {', '.join(WEIGHTS)}", usage=True)
    return wanted


def _lines(flow: Flow, facts: dict[str, Any]) -> list[str]:
    done = ", ".join(f"{count} {what}" for what, count in sorted(facts["done"].items())) or "nothing"
    if facts["check"] is None:
        fed = f"{counted(facts['sent'], 'message')} sent ({facts['messages']})"
        looked = [f"compared with two calm runs: {counted(facts['compared'], 'message')}"]
    else:
        fed, looked = facts["messages"], facts["check"].splitlines()[-5:]
    lines = [
        f"{flow.id}, seed {facts['seed']}: {fed}",
        f"done: {done}",
        *looked,
        *(f"looked at loosely: {text}" for text in facts["loose"]),
        *facts["excused"],
    ]
    for kind, texts in facts["problems"].items():
        lines.append(f"{kind.upper()}: {counted(len(texts), 'case')}")
        lines += [f"  {text}" for text in texts[:5]]
    kept = "what it promises was kept" if facts["ok"] else f"`--seed {facts['seed']}` does the same again"
    return [*lines, f"{kept} ({facts['seconds']:g} s)"]


class _Run:
    """The calm runs, then the other one, on one deployment."""

    def __init__(
        self, flow: Flow, given: dict[str, list[Any]], seed: int, folder: Path, options: argparse.Namespace,
        began: float,
    ) -> None:  # fmt: skip
        self._flow, self._given, self._options, self._began = flow, given, options, began
        self._folder, self._rng = folder, random.Random(seed)
        self._chance = random.Random(seed)  # of the faults: the same ones, however many messages were made up
        self.origin = ""
        self.said: str | None = None  # by the user's check

    def done(self) -> tuple[Verdict, Outcome]:
        """What was found, and the disturbed run."""
        self._say(f"starting two runners in {self._folder}")
        plant = Plant(self._folder, self._flow.id, durable=self._flow.durable)
        self.faults = Faults(plant, self._chance, self._note)
        try:
            with (self._folder / "events").open("a") as self._events:
                found, outcome = self._whole(plant) if self._options.check else self._tried(plant)
                problems = plant.faults()
        finally:
            self.faults.close()
            late = plant.end()
        for problem in [*problems, *late]:
            found.bad("the runner itself", problem)
        return found, outcome

    def _tried(self, plant: Plant) -> tuple[Verdict, Outcome]:
        places, sources = self._messages(plant)
        entries = {f"p{number}": place for number, place in enumerate(places)}
        copy = made(self._flow, entries, sources)
        values = {port: places[place] for port, place in entries.items()}
        messages = list(numbered(values, self._options.messages))
        if not messages:
            raise UserError(f"{self._flow.id}: there is nothing to feed it with: -i MODULE.PORT=FILE gives messages")
        self._say(f"two calm runs with {counted(len(messages), 'message')} ({self.origin})")
        first = tried(plant, copy, messages, 100, lambda: 0.0)
        second = tried(plant, copy, messages, 40, lambda: self._rng.choice([0, 0.05, 0.1]))
        for one in (first, second):
            if one.problems:
                raise UserError("even an undisturbed run does not come to its end:", *one.problems)
        for_s = max(LEAST_S, self._options.for_s - (time.monotonic() - self._began) - first.seconds - 8.0)
        self._say(f"faults for {for_s:.0f} s")
        burst = max(1, round(len(messages) * FAULT_S / for_s))
        got = tried(
            plant, copy, messages, burst, lambda: 2 * FAULT_S,
            lambda feeding: self._disturb(plant, copy, feeding, for_s),
        )  # fmt: skip
        deaths = self.faults.counts["killed runners"]
        lost = plant.reported_lost() if deaths and not self._flow.durable else None
        return verdict(copy, single_paths(self._flow, copy), (first, second), got, lost), got

    def _whole(self, plant: Plant) -> tuple[Verdict, Outcome]:
        """The flow with its sources; what has come of it outside is looked at by the user's own command."""
        copy, found, outcome = made_whole(self._flow), Verdict(), Outcome()
        self.origin = "fed by its own sources"
        begin(plant.client, copy.document)
        for_s = max(LEAST_S, self._options.for_s - (time.monotonic() - self._began))
        self._say(f"faults for {for_s:.0f} s")
        self._disturb(plant, copy, Feeding(plant, self._flow.id, outcome), for_s)
        self.faults.close()
        self._say(f"checking: {self._options.check}")
        status, self.said = checked(self._options.check, plant.own.state)
        if status:
            found.bad("check", f"exit status {status}: {self.said[-2000:]}")
        look_at_accounts(plant, copy, outcome)
        judge_whole(found, copy, outcome)
        return found, outcome

    def _disturb(self, plant: Plant, copy: Copy, feeding: Feeding, for_s: float) -> float:
        """Each fault once, in any order; then as they come."""
        faults = self.faults
        what = faults.by_name() | disturbances(plant, copy, self._chance, faults, feeding, self._note)
        unfit = () if self._flow.durable else (*OF_JOURNALS, *(["kill_runner"] if self._options.check else []))
        names = [name for name in _chosen(self._options) if name not in unfit]
        first = self._chance.sample(names, len(names))
        end = time.monotonic() + for_s
        while time.monotonic() < end:
            name = first.pop() if first else self._chance.choices(names, [WEIGHTS[name] for name in names])[0]
            feeding.wanted.set()
            time.sleep(self._chance.choice([0, 0.005, 0.02]))
            try:
                what[name]()
            except (RunnerError, TimeoutError) as error:
                self._note("refused", name, error)
            time.sleep(self._chance.choice([0.05, 0.3, 0.8]))
        return QUIET_LINKS_S if {*faults.counts} & {"killed runners", "frozen runners", "cuts", *JOURNALS} else QUIET_S

    # messages ------------------------------------------------------------------------------------------------------

    def _messages(self, plant: Plant) -> tuple[dict[str, list[Any]], frozenset[str]]:
        """Per `module.port` what it is fed with; and the sources, which are left out."""
        flow = self._flow
        from_tests = of_tests(flow)
        entries = self._given or from_tests
        unfed = [name for name in roots(flow) if not any(place.startswith(f"{name}.") for place in entries)]
        sources, examples = self._look_at_sources(plant, unfed) if unfed else (frozenset[str](), {})
        if self._given:
            self.origin = "from -i"
        elif from_tests:
            self.origin = "from its tests"
        elif examples:
            self.origin, entries = "as its sources have sent them", examples
        else:
            self.origin = "made up: it has no tests, and -i was not given"
            entries = {f"{name}.in": made_up(flow.modules[name], self._rng) for name in unfed if name not in sources}
        return entries, sources

    def _look_at_sources(self, plant: Plant, unfed: list[str]) -> tuple[frozenset[str], dict[str, list[Any]]]:
        """Which of these modules are sources, and what they send: to the ports that it is sent to."""
        copy = made(self._flow, {}, frozenset())
        for module in copy.document["modules"].values():
            module.pop("durable", None)
        client, flow_id = plant.client, self._flow.id
        begin(client, copy.document)
        state = client.flow_state(flow_id, rates=False, timeout=CALL_S)
        sources = frozenset(name for name in unfed if state["modules"][name].get("source") is not None)
        examples: dict[str, list[Any]] = {}
        if sources and not self._given:
            taps = {name: client.tap_port(f"{flow_id}/{name}", timeout=CALL_S) for name in sources}
            end = time.monotonic() + LOOK_AT_SOURCES_S
            seen: dict[str, list[Any]] = {name: [] for name in sources}
            while time.monotonic() < end:
                for name, tap in taps.items():
                    read = client.read_tap(tap, waitS=0.2, timeout=CALL_S)
                    seen[name] += [one["message"] for one in read["messages"]]
            for wire in self._flow.wires:
                if seen.get(wire.from_module):
                    examples.setdefault(f"{wire.to_module}.{wire.to_port}", []).extend(seen[wire.from_module])
        client.remove_flow(flow_id, timeout=None)
        return sources, examples

    def _note(self, *words: object) -> None:
        print(f"{time.monotonic() - self._began:7.2f}", *words, file=self._events, flush=True)

    def _say(self, text: str) -> None:
        if not self._options.json:
            print(f"-- {text}", file=sys.stderr, flush=True)
