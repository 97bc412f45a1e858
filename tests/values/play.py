"""Plays a tree in a runner, in one of the ways a flow can run, and gathers everything that can be seen of it."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter, defaultdict
from itertools import count
from typing import Any

import orjson
from thespian.actors import ActorAddress

from actors.messages import client_to_runner as api
from actors.messages.flow_to_session import Attached
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.session_to_flow import AttachEnd
from actors.system.base import BaseActor
from runtimes.frames import HEADERS, join, split
from tests.harness import Collector, Harness
from tests.values.cases import Tree
from tests.values.middle import Middle

VARIANTS = ("isolated", "tapped", "stepped", "killed", "joined", "halted")  # each of them is compared with "fused"
IN_THE_MIDDLE = {"joined", "halted"}  # a consumer is added, a breakpoint set while messages are under way
WAVES = 12  # of single steps, then the flow goes on by itself
FIGURES = ("accepted", "completed", "queued", "dropped", "deadLettered", "errors")
IDS = count()

Seen = dict[str, Any]


class Texts(Collector):
    """Keeps messages as they came, with their headers."""

    def take(self, message: Any) -> None:
        messages, headers = split(message.body, message.flags)
        for index in range(message.skip, message.skip + message.count):
            self.got.append((messages[index].decode(), _users(headers[index]) if headers else None))


def _users(headers: bytes) -> Any:
    return {key: value for key, value in (orjson.loads(headers) or {}).items() if key != "id"} or None


def play(runner: Harness, tree: Tree, variant: str, happened: Counter[str]) -> Seen:
    """Run a tree to its end."""
    flow_id = f"f{next(IDS)}"
    flow = _flow(tree, flow_id, variant)
    runner.ok(api.AddOrUpdateFlow, flow=flow)
    outs = {f"{module}.{port}": runner.collect(flow_id, f"{module}.{port}", Texts) for module, port in tree.outs}
    if variant == "stepped":
        runner.ok(api.PauseFlow, flow_id=flow_id)
    runner.start(flow_id)
    if variant == "tapped":
        for module in tree.styles:
            for port in ("out", "side"):
                runner.ok(api.TapPort, flow_module_id=f"{flow_id}/{module}", port=port)
    feed = None if tree.has_source else _feed(runner, flow_id, tree, variant in IN_THE_MIDDLE)
    if variant in IN_THE_MIDDLE:
        Middle(runner, tree, flow_id, feed, happened).run(variant, flow)
    if variant == "stepped":
        for _ in range(WAVES):
            happened["waves"] += bool(runner.ok(api.SingleStepFlow, flow_id=flow_id))
        runner.ok(api.ResumeFlow, flow_id=flow_id)
    if variant == "killed" and tree.has_source:
        _kill(runner, flow_id)
    ended = runner.wait_idle(flow_id, 30 + tree.count)
    bridges = [runner.actor(bridge) for bridge in runner.record(flow_id).bridges.values()]
    happened[f"{variant}: hosts with fused wires"] += sum(bool(bridge.fusing.fused) for bridge in bridges)
    happened[f"{variant}: deaths"] += sum(bridge.starts - 1 for bridge in bridges)
    seen = {**_contexts(runner, flow_id, tree), **{f"out {place}": out.got for place, out in outs.items()}}
    seen |= _dead_letters(runner, flow_id) | _figures(runner, flow_id, tree)
    if tree.has_source:  # one that has failed fails again after a death of its host
        del seen["figure a.errors"]
    seen["errors"] = [*dict.fromkeys(error.removeprefix(flow_id) for error in ended.errors)]
    runner.ok(api.RemoveFlow, flow_id=flow_id)
    return seen


def _flow(tree: Tree, flow_id: str, variant: str) -> dict[str, Any]:
    programs, deadly = tree.programs(), tree.deadly() if variant == "killed" else {}
    modules = {
        name: {
            "runtime": tree.runtime, "code": tree.language.code(style), "name": tree.language.file,
            "isolated": variant == "isolated",
            "config": {
                "programs": programs[name], "die": deadly.get(name, []), "count": tree.count,
                "part": {"rows": [{"a": 1}, [2, "x"]], "name": name},
            },
        }
        for name, style in tree.styles.items()
    }  # fmt: skip
    wires = [f"{module}.{port} -> {to}" for to, (module, port) in tree.feeders.items()]
    limit = {"max_turn_bytes": tree.limit} if tree.limit else {}
    return {"id": flow_id, "modules": modules, "wires": wires, **limit}


class Batch(BaseActor):
    """A feed that sends everything in two frames, or in three."""

    def receiveMsg_AttachEnd(self, message: AttachEnd, _sender: ActorAddress) -> None:
        self.module: ActorAddress | None = None
        self.wire = message.wire
        self.send(self.runner, message)

    def receiveMsg_Attached(self, message: Attached, _sender: ActorAddress) -> None:
        assert message.error is None, message.error
        self.module, self.activity = message.module, message.activity

    def receiveMsg_HoldWire(self, _message: HoldWire, _sender: ActorAddress) -> None:
        """There is no more."""

    def receiveMsg_ReleaseWire(self, _message: ReleaseWire, _sender: ActorAddress) -> None:
        """There is no more."""

    def take(self, tree: Tree) -> None:
        """What it has to send: the first message alone, then the rest."""
        messages = [json.dumps(message, separators=(",", ":")).encode() for message in tree.messages()]
        headers = [b'{"x-h":"%d"}' % n if n % 3 else b"null" for n in range(len(messages))] if tree.headers else None
        self.body, self.flags = join(messages, headers), HEADERS if headers else 0
        self.activity.pending += len(messages)
        self.sent, self.count = 0, len(messages)
        self.deliver(1)

    def deliver(self, end: int) -> None:
        """The messages before this one that have not been sent."""
        if end > self.sent:
            self.send(self.module, Deliver(self.wire, self.body, self.flags, self.sent, end - self.sent, self.sent))
            self.sent = end


def _feed(runner: Harness, flow_id: str, tree: Tree, in_parts: bool) -> Batch:
    address = runner.system.createActor(Batch)
    feed: Batch = runner.actor(address)
    feed.runner = runner.runner
    runner.system.tell(address, AttachEnd(side="in", flow=flow_id, module="a", port="in", wire="test->a.in"))
    runner.wait(lambda: getattr(feed, "module", None), "the feed")
    feed.take(tree)
    if not in_parts:
        feed.deliver(feed.count)
    return feed


def _kill(runner: Harness, flow_id: str) -> None:
    """When its host has committed something, if it has not ended before."""
    [bridge] = [runner.actor(bridge) for bridge in runner.record(flow_id).bridges.values()]
    runner.wait(lambda: bridge.commits.number > 1, "a commit")
    if bridge.host is not None:
        os.kill(bridge.host.pid, signal.SIGKILL)


def _contexts(runner: Harness, flow_id: str, tree: Tree) -> Seen:
    return {
        f"context {name}.{key.decode()}": value.decode()
        for name in tree.styles
        for key, value in runner.module(flow_id, name).state.context.items()
    }


def _dead_letters(runner: Harness, flow_id: str) -> Seen:
    """By module, without what names the place of the error among the host's own frames."""
    dead: dict[str, list[Any]] = defaultdict(list)
    for letter in runner.record(flow_id).dead_letters:
        error = {key: letter.error.get(key) for key in ("type", "message", "file", "line")}
        dead[f"dead {letter.module}"].append(
            (letter.port, error, letter.message.decode(), _users(letter.headers) if letter.headers else None)
        )
    return dead


def _figures(runner: Harness, flow_id: str, tree: Tree) -> Seen:
    """The accounts, not of a consumer that was added. While a port without a wire is tapped its messages are `sent`."""
    seen: Seen = {}
    rows = runner.state(flow_id)["modules"]
    for name, figures in ((name, rows[name]) for name in tree.styles):
        seen |= {f"figure {name}.{figure}": figures[figure] for figure in FIGURES}
        seen[f"figure {name}.sent"] = figures["sent"] + figures["unwired"]
    return seen
