"""Whatever a host writes: the runner answers, loses nothing, keeps true accounts, and goes on with the next host.

Two ways: random frames to the pure half, by hypothesis; and a flow whose hosts are honest but for one frame, which is
changed at random (mutations.py), in every phase of a host's life. `SEED=1 CASES=20000 pytest -k transcript tests/host`
plays those; a failure prints seed and case.
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.host.bridge import BridgeActor
from actors.messages import client_to_runner as api
from actors.module.source import Source
from runtimes.conversation import Conversation
from runtimes.frames import TURN_FLAG, Decoder, Frame, Kind, ProtocolError, encode, split
from runtimes.given import Given
from tests.harness import Collector
from tests.host.links.mutations import BODIES, SIZES, mutate
from tests.host.links.puppet import Puppet, Stage, as_it_is, on_stage

SEED = int(os.environ.get("SEED", "1"))
A_STAGE = 100  # cases with one runner
SOON_S = 0.01
ANYTHING = ("nothing", "nothing", "pause", "restart", "stop", "update", "source", "step")
MADE_BY = {  # what makes an honest host say it; else messages do
    Kind.HELLO: ("restart", "update", "source", "stop"),
    Kind.RESULT: ("restart", "update", "source", "stop"),
    Kind.CONTEXT: ("restart", "stop", "stop"),
    Kind.PAUSED: ("pause", "step", "stop", "update"),
    Kind.FINISHED: ("source", "stop"),
    Kind.PONG: ("restart", "stop"),
}
SAID = (*MADE_BY, Kind.COMMIT, Kind.DATA, Kind.ERROR, Kind.TURN)
PLACES = ("a", "b", "s")
RESTARTS = (BridgeActor._restart, Source._due)  # what timers are set for


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of deaths are meant."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


# the pure half -----------------------------------------------------------------------------------------------------


def conversation() -> Conversation:
    """In the midst of much: messages, credit, a source, a PAUSE, hooks, announced turns, requests of all kinds."""
    talk = Conversation({0: (0, "out"), 1: (1, "out"), 2: (1, "side")})
    talk.given[0] = Given(retry=True, context={b"key": b"1"})
    talk.given[1] = Given()
    talk.transaction.allow(1 << 16)
    talk.given[0].take([Frame(Kind.DATA, 0, b"[1,\n2,\n3]", count=3, first=7, flags=TURN_FLAG)])
    talk.given[1].take([Frame(Kind.PULL, 1, count=4), Frame(Kind.PAUSE, 1, first=2)])
    talk.given[1].source = True
    for what in ("load", "start", "stop", "unload", "ping", "migrate"):
        talk.ask(what, 0)
    return talk


def take(talk: Conversation, frame: Frame) -> None:
    """As the bridge does."""
    kind = frame.kind
    if kind == Kind.DATA:
        talk.transaction.data.append(frame)
        talk.transaction.grow(len(frame.body))
    elif kind in (Kind.CONTEXT, Kind.ERROR):
        talk.transaction.others.append(frame)
        talk.transaction.grow(len(frame.body))
    else:
        others = {
            Kind.HELLO: talk.hello, Kind.PAUSED: talk.paused, Kind.TURN: talk.turn, Kind.RESULT: talk.result,
            Kind.FINISHED: talk.finished, Kind.PONG: talk.pong, Kind.COMMIT: talk.transaction.commit,
        }  # fmt: skip
        if kind not in others:
            raise ProtocolError("not a host's")
        others[Kind(kind)](frame)


def numbers(name: str) -> st.SearchStrategy[int]:
    few = st.integers(0, 8)
    return few | st.integers(0, (1 << SIZES[name]) - 1) if SIZES[name] > 8 else few | st.sampled_from([16, 24, 255])


CELLS = st.integers(0, 4) | st.sampled_from([-1, 1.5, None, True, "1", 2**32, 2**70, []])
ROWS = st.lists(st.lists(CELLS, min_size=9, max_size=9) | st.lists(CELLS, max_size=10), max_size=3)
FRAMES = st.builds(
    Frame,
    st.sampled_from([int(kind) for kind in Kind if kind >= Kind.HELLO or kind == Kind.DATA] * 2 + [1, 9]),
    slot=numbers("slot"), flags=numbers("flags"), skip=numbers("skip"), count=numbers("count"), first=numbers("first"),
    body=st.sampled_from(BODIES) | st.binary(max_size=40) | ROWS.map(lambda rows: json.dumps(rows).encode()),
)  # fmt: skip


def any_frames(frames: list[Frame]) -> None:
    """Only ProtocolError is raised; a transaction that is refused leaves everything as it was."""
    talk = conversation()
    for frame in frames:
        before = copy.deepcopy({slot: vars(given) for slot, given in talk.given.items()})
        try:
            take(talk, frame)
        except ProtocolError:
            if frame.kind == Kind.COMMIT:
                assert {slot: vars(given) for slot, given in talk.given.items()} == before
            return
        for had in talk.given.values():
            assert had.messages >= 0 and had.credit >= -1 and had.context_bytes == sum(had.context.values())


def test_a_source_owes_one_turn_after_a_pause_and_no_more() -> None:
    talk = conversation()

    def pulled(turns: int) -> None:
        take(talk, Frame(Kind.COMMIT, body=b"[[1,0,%d,0,%d,0,0,5,0]]" % (turns, turns)))

    pulled(2)
    with pytest.raises(ProtocolError, match="credit"):
        pulled(3)  # it has two, and PAUSED was not said
    take(talk, Frame(Kind.PAUSED, 1, first=2))
    pulled(1)
    with pytest.raises(ProtocolError, match="credit"):
        pulled(1)
    pulled(0)
    talk.given[1].take([Frame(Kind.PULL, 1, count=3)])
    with pytest.raises(ProtocolError, match="credit"):
        pulled(3)
    pulled(2)


@given(st.lists(FRAMES, max_size=8))
def test_any_frames(frames: list[Frame]) -> None:
    any_frames(frames)


@pytest.mark.full
@pytest.mark.timeout(3000)
def test_any_20_000_frames() -> None:
    settings(max_examples=20_000, deadline=None)(given(st.lists(FRAMES, max_size=8))(any_frames))()


@given(st.lists(FRAMES, max_size=5), st.binary(max_size=60), st.integers(1, 30))
def test_any_bytes(frames: list[Frame], noise: bytes, size: int) -> None:
    """However they are cut, the codec yields the same frames, then perhaps a ProtocolError."""
    data = b"".join(map(encode, frames)) + noise
    found: list[tuple[list[Frame], bool]] = []
    for step in (max(1, len(data)), size):
        decoder, got, broken = Decoder(), [], False
        try:
            for at in range(0, len(data), step):
                got += decoder.feed(data[at : at + step])
        except ProtocolError:
            broken = True
        found.append((got, broken))
    assert found[0][0][: len(frames)] == frames
    assert found[1][0][: len(frames)] == frames
    assert found[0][1] == found[1][1]


# mutated transcripts -----------------------------------------------------------------------------------------------


class Bytes(Collector):
    """Keeps messages as they came: not every one is JSON."""

    def take(self, message: Any) -> None:
        messages, _ = split(message.body, message.flags)
        self.got += messages[message.skip : message.skip + message.count]


class Case:
    """One changed frame, and what is asked of the runner meanwhile."""

    def __init__(self, stage: Stage, number: int, outs: dict[str, Any], happened: Counter[str]) -> None:
        self.stage, self.number, self.outs, self.happened = stage, number, outs, happened
        self.random = random.Random(f"{SEED}-{number}")
        self.wanted = self.random.choice([None, *SAID])  # a kind, or any
        self.left = (
            self.random.choice([0, 0, 0, 1, 1, 2, 3, 5, 8]) if self.wanted is None else self.random.choice([0, 0, 1])
        )
        self.liar: Puppet | None = None
        self.said = ""
        self.honest_commits = 0

    def change(self, puppet: Puppet, frame: Frame) -> list[Frame | bytes]:
        """All frames of all hosts come by."""
        if self.liar is not None or self.wanted not in (None, frame.kind):
            return [frame]
        self.left -= 1
        if self.left >= 0:
            return [frame]
        what, written = mutate(self.random, frame)
        self.liar, self.honest_commits = puppet, puppet.said.get(Kind.COMMIT, 0) - (frame.kind == Kind.COMMIT)
        self.said = f"{what}: {frame} -> {written}"
        self.happened[what] += 1
        self.happened[f"of {Kind(frame.kind).name}"] += 1
        return written

    def play(self) -> None:
        """Do it, see that everything is as it should be."""
        stage, before = self.stage, {name: len(out.got) for name, out in self.outs.items()}
        Puppet.change = self.change
        sent = [f"{self.number}-{n}" for n in range(self.random.randint(self.wanted not in (None, *MADE_BY), 4))]
        posts = [self.post(api.SendMessage, flow_module_id="f/a", port="in", message=message) for message in sent]
        if self.random.random() < 0.3 or self.wanted == Kind.ERROR:
            posts.append(self.post(api.SendMessage, flow_module_id="f/a", port="in", message="bad"))
        action = self.random.choice(MADE_BY.get(self.wanted, ANYTHING))
        self.happened[f"with {action}"] += 1
        late = self.act(action)
        self.settle()
        if self.liar is None:  # there was nothing to change
            Puppet.change = as_it_is
        for _ in range(20):
            if self.is_over(posts, late):
                break
            for puppet in Puppet.started:  # whoever lives may be silent, or not in step with the runner, for ever
                puppet.exit()
            self.settle()
        assert self.is_over(posts, late), self.told("not over")
        Puppet.change = as_it_is
        for request in late:
            self.happened["refused" if not stage.reply(request).ok else "done"] += 1
        if stage.record("f").state == "failed":
            self.happened["failed flows"] += 1
            assert stage.state("f")["errors"], self.told("no reason")
            assert "internal error" not in str(stage.state("f")["errors"]), self.told(str(stage.state("f")["errors"]))
        stage.ok(api.StartFlow, flow_id="f")
        stage.ok(api.ResumeFlow, flow_id="f")
        stage.wait(lambda: stage.at_rest("f") and stage.record("f").activity.pending == 0, self.told("no rest"))
        self.look()
        if self.liar is not None and self.liar.is_dead and self.liar.believed <= self.honest_commits:
            self.happened["not believed"] += 1
            texts = [f'"{message}"'.encode() for message in sent]
            got = [message for message in self.outs["b"].got[before["b"] :] if message in texts]
            assert got == texts, self.told(f"{texts} became {got}")

    def post(self, kind: type, **fields: Any) -> str:
        return self.stage.post(kind, **fields)

    def act(self, action: str) -> list[str]:
        """What a user does meanwhile; the requests whose answer is to come."""
        if action == "pause":
            return [self.post(api.PauseFlow, flow_id="f"), self.post(api.ResumeFlow, flow_id="f")]
        if action == "step":
            return [self.post(kind, flow_id="f") for kind in (api.PauseFlow, api.SingleStepFlow, api.ResumeFlow)]
        if action == "stop":
            return [self.post(api.StopFlow, flow_id="f"), self.post(api.StartFlow, flow_id="f")]
        if action == "restart":
            with contextlib.suppress(StopIteration):  # it has just been ended, for what it has said
                self.stage.puppet(self.random.choice(["a", "b"])).exit()
        if action == "update":
            return [self.post(api.AddOrUpdateFlow, flow=document(self.random.choice(["a", "b"]), self.number))]
        if action == "source":
            return [self.post(api.AddOrUpdateFlow, flow=document("s", self.number))]
        return []

    def settle(self) -> None:
        """Until nothing moves, and no host is about to be started again."""
        base, still = self.stage.base, 0
        while still < 3:
            moved = [puppet.pump() for puppet in Puppet.started if not puppet.is_dead]
            soon = time.monotonic() + SOON_S
            busy = base.busy or any(
                at < soon and isinstance(payload, partial) and payload.func.__func__ in RESTARTS
                for at, _, _, payload in base._timers
            )
            base.turn()
            still = 0 if any(moved) or busy or base.busy else still + 1
        Puppet.started[:] = [puppet for puppet in Puppet.started if puppet._fds]

    def is_over(self, posts: list[str], late: list[str]) -> bool:
        """Whether every request has been answered and nothing is under way."""
        answered = {getattr(message, "request_id", "") for message in self.stage.inbox}
        return answered >= {*posts, *late} and self.stage.at_rest("f") and self.stage.record("f").activity.pending == 0

    def look(self) -> None:
        """Whatever can be asked is answered, as JSON, and the accounts are true."""
        stage = self.stage
        answers = [stage.state("f"), stage.ok(api.Audit), stage.ok(api.DeadLetters, flow_id="f")]
        assert json.dumps(answers, allow_nan=False)
        assert not stage.base.failures, self.told("a handler failed")
        for name, row in answers[1].items():
            assert row["balanced"], self.told(f"{name}: {row}")

    def told(self, what: str) -> str:
        record = self.stage.record("f")
        lines = [f"SEED={SEED} case {self.number}: {what}; {self.said[:1000]}"]
        lines += [f"f: {record.state}, {record.activity.pending} pending, {record.failed_for}"]
        for name, address in record.modules.items():
            state = self.stage.actor(address).record.state
            lines.append(f"{name}: {state.mailbox.queued} queued, {state.recall.link.name}")
        for key, address in record.bridges.items():
            bridge = self.stage.actor(address)
            lines.append(f"{key}: {bridge.life.name}, {vars(bridge.orders)}, {bridge.restarts.count} restarts")
        return "\n".join(lines)


def document(changed: str, number: int) -> dict[str, Any]:
    """A flow of a chain and a source; `changed` is new."""
    codes = {"a": "start stop context echo", "b": "stop migrate echo", "s": "start source"}
    modules: dict[str, Any] = {
        name: {"runtime": "python3", "code": code, "isolated": True, "config": number if name == changed else 0}
        for name, code in codes.items()
    }
    modules["a"]["retry"] = {"times": 1, "backoff_s": 0}
    modules["b"]["timeout_s"] = 100
    return {"id": "f", "modules": modules, "wires": ["a -> b"]}


def transcripts(folder: Path, monkeypatch: pytest.MonkeyPatch, cases: int) -> Counter[str]:
    """Play them, some hundred with one runner; those in which there was nothing to change do not count."""
    happened: Counter[str] = Counter()
    commit = BridgeActor._commit

    def counting(self: BridgeActor, frame: Frame) -> None:
        commit(self, frame)
        assert self.host is not None
        assert isinstance(self.host.link.process, Puppet)
        self.host.link.process.believed += 1

    monkeypatch.setattr(BridgeActor, "_commit", counting)
    begun = time.monotonic()
    numbers = count()
    while happened["cases"] < cases:
        with monkeypatch.context() as patch, on_stage(folder / f"{happened['cases']}", patch) as stage:
            stage.ok(api.AddOrUpdateFlow, flow=document("", 0))
            outs = {name: stage.collect("f", name, Bytes) for name in PLACES}
            stage.start("f")
            for number in islice(numbers, A_STAGE):
                case = Case(stage, number, outs, happened)
                try:
                    case.play()
                except BaseException:
                    print(case.told("failed"))
                    raise
                happened["cases"] += case.liar is not None
    print(f"\nSEED={SEED}, {time.monotonic() - begun:.0f} s: {dict(sorted(happened.items()))}")
    return happened


def test_mutated_transcripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened = transcripts(tmp_path, monkeypatch, int(os.environ.get("CASES", "300")))
    assert happened["not believed"] > happened["cases"] / 10


@pytest.mark.full
@pytest.mark.timeout(3000)
def test_20_000_mutated_transcripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "SEED" not in os.environ:
        monkeypatch.setattr("tests.host.links.test_fuzz.SEED", random.SystemRandom().randrange(1, 1 << 32))
    happened = transcripts(tmp_path, monkeypatch, 20_000)
    assert all(happened[f"of {kind.name}"] > 300 for kind in SAID)
