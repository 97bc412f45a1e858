"""The data contract over every ordered pair of runtimes: the corpus goes through A -> B -> A."""

from __future__ import annotations

import json
from typing import Any

from thespian.actors import ActorAddress

from actors.messages import client_to_runner as api
from actors.messages.flow_to_session import Attached
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.session_to_flow import AttachEnd
from actors.system.base import BaseActor
from runtimes.conformance.corpus import corpus
from runtimes.conformance.values import equal, parse, short
from runtimes.frames import HEADERS, join, split
from tests.harness import Collector, Harness
from tests.languages.available import AVAILABLE, PAIRS, suite_module


class Numbered(Collector):
    """Keeps what comes by the number in its header."""

    def take(self, message: Deliver) -> None:
        messages, headers = split(message.body, message.flags)
        assert headers is not None
        for at in range(message.skip, message.skip + message.count):
            self.got.append((int(json.loads(headers[at])["x-n"]), messages[at]))


class CorpusFeed(BaseActor):
    """Sends every text of the corpus in a frame of its own, numbered in a header."""

    def receiveMsg_AttachEnd(self, message: AttachEnd, _sender: ActorAddress) -> None:
        self.wire = message.wire
        self.send(self.runner, message)

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        assert message.error is None, message.error
        for number, entry in enumerate(corpus()):
            body = join([entry.text], [b'{"x-n":"%d"}' % number])
            message.activity.pending += 1
            self.send(message.module, Deliver(self.wire, body, HEADERS, 0, 1, number))
        self.has_fed = True

    def receiveMsg_HoldWire(self, message: HoldWire, _sender: ActorAddress) -> None:
        """It is sent already."""

    def receiveMsg_ReleaseWire(self, message: ReleaseWire, _sender: ActorAddress) -> None:
        """It is sent already."""


def feed_corpus(runner: Harness, flow: str, module: str) -> None:
    address = runner.system.createActor(CorpusFeed)
    actor = runner.actor(address)
    actor.runner = runner.runner
    runner.system.tell(address, AttachEnd(side="in", flow=flow, module=module, port="in", wire=f"corpus->{module}"))
    runner.wait(lambda: getattr(actor, "has_fed", False), "the feed")


def test_the_corpus_over_every_ordered_pair(runner: Harness) -> None:
    """It comes back equal, or is refused with DataError where the contract allows that."""
    modules: dict[str, Any] = {f"{a}-first": suite_module(a, "identity") for a in AVAILABLE}
    wires = []
    for a, b in PAIRS:
        modules |= {f"{a}-{b}": suite_module(b, "identity"), f"{a}-{b}-back": suite_module(a, "identity")}
        wires += [f"{a}-first -> {a}-{b}", f"{a}-{b} -> {a}-{b}-back"]
    runner.add("pairs", modules, wires)
    out = {(a, b): runner.collect("pairs", f"{a}-{b}-back", Numbered) for a, b in PAIRS}
    runner.start("pairs")
    for a in AVAILABLE:
        feed_corpus(runner, "pairs", f"{a}-first")
    runner.wait_idle("pairs")
    refused: dict[str, set[int]] = {}
    for letter in runner.record("pairs").dead_letters:
        assert letter.error["type"] == "DataError", (letter.module, letter.error)
        refused.setdefault(letter.module, set()).add(int(json.loads(letter.headers)["x-n"]))
    wrong = []
    for a, b in PAIRS:
        at_first = refused.get(f"{a}-first", set())
        missing = at_first | refused.get(f"{a}-{b}", set()) | refused.get(f"{a}-{b}-back", set())
        numbers = [number for number, _ in out[a, b].got]
        assert numbers == sorted(set(range(len(corpus()))) - missing), f"{a} -> {b} -> {a}"
        for number, text in out[a, b].got:
            entry = corpus()[number]
            if entry.is_refused:
                wrong.append(f"{a} -> {b}: {entry.name}: not refused")
            elif not equal(parse(text), entry.wanted):
                wrong.append(f"{a} -> {b}: {entry.name}: {short(entry.wanted, 60)} became {short(parse(text), 60)}")
        for number in missing:
            entry = corpus()[number]
            if not (entry.is_refused or entry.may_refuse):
                wrong.append(f"{a} -> {b}: {entry.name}: refused")
    assert not wrong, f"{len(wrong)} of {len(PAIRS) * len(corpus())}: " + "; ".join(wrong[:20])
    assert len(runner.ok(api.ListFlows)) == 1
