"""Whatever is done to a durable flow, what its journal says is what it is."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.definition.wire_names import is_sink
from actors.flow.journalled import OpenedJournal, find_journalled
from actors.flow.record import FlowRecord
from actors.journal.store import recover
from actors.messages import client_to_runner as api
from actors.state.facts import States
from actors.state.module import ModuleState
from tests.harness import Harness, running
from tests.journal.runs import children

WORK = """
# version {version}
import os
def run(message, context):
    context.set("n", context.get("n", 0) + 1)
    context.set(f"k{{message['v'] % 5}}", message["v"])
    if message["v"] % 3 == 0:
        context.delete(f"k{{message['v'] % 4}}")
    if message.get("bad"):
        raise ValueError("bad")
    if message.get("deadly"):
        os._exit(1)
    context.send("more", {{"v": message["v"] + 1}})
    return {{"v": message["v"]}}
def stop(context):
    context.set("stops", context.get("stops", 0) + 1)
def migrate(context, from_version):
    context.set("migrated", context.get("migrated", 0) + 1)
"""


class Mirror:
    """A runner with one flow, to which random things are done."""

    def __init__(self, runner: Harness, journals: Path, seed: int) -> None:
        self.runner, self.path, self.chance = runner, journals / "f.db", random.Random(seed)
        self.version = self.count = 0
        self.paused = False
        self.done: list[str] = []

    def flow(self) -> dict[str, Any]:
        self.version += 1
        chance = self.chance

        def module(name: str, **more: Any) -> dict[str, Any]:
            version = self.version if chance.random() < 0.5 else 0
            more |= {"retry": {"times": 1, "backoff_s": 0.01}} if name == "b" else {}
            return {"runtime": "python3", "code": WORK.format(version=version), "isolated": name == "b", **more}

        modules = {name: module(name, state_version=1 + chance.randrange(2)) for name in "abc"}
        delivery = chance.choice(["disk", "disk", "lossy"])
        wires: list[Any] = ["a -> b", {"from": "a.more", "to": "c", "delivery": delivery}]
        if chance.random() < 0.5:
            modules["d"] = module("d")
            wires.append("b -> d" if chance.random() < 0.5 else "b.more -> d")
        if chance.random() < 0.3:
            wires.append("b.error -> c.errors")
            modules["c"]["ports"] = {"in": ["in", "errors"], "out": ["out", "more"]}
            modules["c"]["code"] = modules["c"]["code"].replace("def run(message, context):", TAKE_ERRORS)
        return {"id": "f", "durable": True, "modules": modules, "wires": wires}

    # what can be done ----------------------------------------------------------------------------------------------

    def send(self) -> None:
        for _ in range(self.chance.randint(1, 20)):
            self.count += 1
            message: dict[str, Any] = {"v": self.count}
            if self.chance.random() < 0.1:
                message["bad"] = True
            elif self.chance.random() < 0.01:
                message["deadly"] = True
            self.runner.call(
                api.SendMessage, flow_module_id=f"f/{self.chance.choice('aab')}", port="in", message=message
            )

    def update(self) -> None:
        self.runner.call(api.AddOrUpdateFlow, flow=self.flow())

    def rollback(self) -> None:
        self.runner.call(api.RollbackFlow, flow_id="f", context=self.chance.choice(["current", "snapshot"]))

    def pause(self) -> None:
        self.runner.call(api.PauseFlow, flow_id="f")
        self.paused = True

    def resume(self) -> None:
        self.runner.call(api.ResumeFlow, flow_id="f")
        self.paused = False

    def step(self) -> None:
        if self.paused:
            self.runner.call(api.SingleStepFlow, flow_id="f")

    def edit(self) -> None:
        held = self.runner.call(api.ListHeld, flow_id="f").value or []
        for one in self.chance.sample(held, min(3, len(held))):
            if self.chance.random() < 0.5:
                self.runner.call(api.DropHeld, id=one["id"])
            else:
                self.runner.call(api.EditHeld, id=one["id"], message={"v": 10_000 + self.count})

    def breakpoint(self) -> None:
        if self.chance.random() < 0.5:
            when = f"message.v == {self.count + self.chance.randrange(10)}"
            self.runner.call(api.SetBreakPointAtModule, flow_module_id="f/b", when=when, scope="module")
        else:
            self.runner.call(api.RemoveBreakPointAtModule, flow_module_id="f/b")

    def replay(self) -> None:
        letters = self.runner.ok(api.DeadLetters, flow_id="f")
        for letter in self.chance.sample(letters, min(2, len(letters))):
            self.runner.call(api.ReplayDeadLetter, id=letter["id"])

    def stop(self) -> None:
        self.runner.call(api.StopFlow, flow_id="f")

    def start(self) -> None:
        self.runner.call(api.StartFlow, flow_id="f")

    def kill(self) -> None:
        hosts = children(os.getpid())
        if hosts:
            self.chance.choice(hosts).kill()

    def anything(self) -> None:
        names = ["send"] * 8 + [
            "update",
            "rollback",
            "pause",
            "resume",
            "resume",
            "step",
            "edit",
            "breakpoint",
            "replay",
        ]
        name = self.chance.choice([*names, "stop", "start", "start", "kill"])
        self.done.append(name)
        getattr(self, name)()

    # what it is, and what is written ---------------------------------------------------------------------------------

    @property
    def record(self) -> FlowRecord:
        return self.runner.record("f")

    def settle(self) -> None:
        """Until nothing moves any more, and all of that is durable."""
        journal = self.record.journal
        assert journal is not None

        def still() -> bool:
            states = [self.runner.module("f", name).state for name in self.record.modules]
            return not self.runner.base.busy and not any(state.mailbox.window for state in states)

        for _ in range(3):
            self.runner.wait(still)
            self.runner.turn_for(0.02)
        self.runner.wait(still)
        journal.hurry(journal._group.number)
        self.runner.wait(lambda: journal._empty and journal._writing == journal.durable_number)

    def lives(self) -> dict[str, Any]:
        record = self.record
        states = {
            name: (self.runner.module("f", name).state, self.runner.actor(actor).wires.numbers)
            for name, actor in record.modules.items()
        }
        return facts(record, states, record.journal.keeps)  # type: ignore[union-attr]

    def is_written(self) -> dict[str, Any]:
        copy = self.path.parent / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.path.parent, copy, ignore=shutil.ignore_patterns("copy", "*.lock"))
        opened = OpenedJournal(copy / "f.db", -1, recover(copy / "f.db"))
        kept = find_journalled(self.runner.actor(self.runner.runner).premises, opened, self.record.flow)
        assert kept is not None
        record = kept.record()
        journal = self.runner.actor(self.runner.actor(self.runner.runner).flows["f"].actor).journal
        before, journal._record = journal._record, record
        journal.restore(opened.found, kept.facts.states)
        journal._record = before
        journal._versions = {version.number for version in before.versions}
        return facts(record, kept.facts.states, before.journal.keeps)

    def check(self) -> None:
        self.settle()
        lives, written = self.lives(), self.is_written()
        for name in lives:
            assert lives[name] == written[name], (name, self.done)


TAKE_ERRORS = """def run(message, context):
    if context.port == "errors":
        context.set("errors", context.get("errors", 0) + 1)
        return None
"""


def facts(record: FlowRecord, states: States, keeps: Any) -> dict[str, Any]:
    """What is to be the same."""
    found: dict[str, Any] = {
        "document": record.flow.document, "version": record.version,
        "versions": [(v.number, v.contexts, v.share.flow.document) for v in record.versions],
        "letters": [(x.id, x.module, x.port, x.message, x.headers, x.error) for x in record.dead_letters],
        "letter count": record.dead_letter_count,
        "breakpoints": {name: it.view() for name, it in record.debug.breakpoints.items()},
    }  # fmt: skip
    for name, (state, numbers) in states.items():
        found[f"context of {name}"] = state.context
        found[f"mailbox of {name}"] = mailbox(state, keeps)
        found[f"numbers of {name}"] = numbers
        lossy = sum(s.count for s in (*state.mailbox.window, *state.mailbox.waiting()) if not keeps[s.wire])
        accounts = state.accounts()
        accounts["accepted"] -= lossy
        found[f"accounts of {name}"] = accounts
    return found


def mailbox(state: ModuleState, keeps: Any) -> dict[str, list[tuple[int, bytes, bytes | None]]]:
    found: dict[str, list[tuple[int, bytes, bytes | None]]] = {}
    for segment in (*state.mailbox.window, *state.mailbox.waiting()):
        if keeps[segment.wire] and not is_sink(segment.wire):
            messages = [(segment.first + at, *segment.message(at)) for at in range(segment.count)]
            found.setdefault(segment.wire, []).extend(messages)
    return found


@pytest.fixture
def journals(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "journal"


@pytest.mark.parametrize("seed", [int(os.environ["SEED"])] if "SEED" in os.environ else (40, 41, 43))
def test_what_is_written_is_what_it_is(tmp_path: Path, journals: Path, seed: int) -> None:
    with running(tmp_path / "state", journals=journals) as runner:
        mirror = Mirror(runner, journals, seed)
        runner.ok(api.AddOrUpdateFlow, flow=mirror.flow())
        runner.start("f")
        for _ in range(12):
            for _ in range(mirror.chance.randint(1, 4)):
                mirror.anything()
            mirror.check()
        print(f"seed {seed}: {', '.join(mirror.done)}")
