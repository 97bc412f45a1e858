"""Actors with parts: a message class finds its method by itself, and only one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, get_type_hints

import pytest
from thespian.actors import ActorAddress

import actors
from actors.messages import client_to_runner as api
from actors.messages.actor_to_sender import ActorFailed
from actors.messages.owner_to_runner import ShutDown
from actors.system.base import BaseActor
from actors.system.in_process import ActorSystem
from tests.harness import Harness


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """For a part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """For another part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """Two parts claim it."""


class Part:
    def __init__(self, name: str, seen: list[str]) -> None:
        self.name, self.seen = name, seen


class LeftPart(Part):
    def receiveMsg_Left(self, _message: Left, _sender: ActorAddress) -> None:
        self.seen.append(self.name)

    def receiveMsg_Both(self, _message: Both, _sender: ActorAddress) -> None:
        self.seen.append("never")


class RightPart(Part):
    def receiveMsg_Right(self, _message: Right, _sender: ActorAddress) -> None:
        self.seen.append(self.name)

    receiveMsg_Both = receiveMsg_Right


class Whole(BaseActor):
    parts = ("left", "right")

    def receiveMsg_list(self, seen: list[str], sender: ActorAddress) -> None:
        self.left, self.right = LeftPart(f"left of {len(seen)}", seen), RightPart("right", seen)
        self.asker = sender

    def receiveMsg_str(self, text: str, sender: ActorAddress) -> None:
        """To another one like it, which answers."""
        self.pass_on(float(text), sender, self.asker)


class Diverting(Whole):
    """Part of what comes for its left part is seen by somebody else before, while that is wanted."""

    def receiveMsg_bool(self, wanted: bool, _sender: ActorAddress) -> None:
        if wanted:
            self.divert({Left: self.see_left})
        else:
            self.restore()

    def see_left(self, message: Left, sender: ActorAddress) -> None:
        self.left.seen.append("seen")
        self.handle(message, sender)


class Late(Whole):
    """Nobody has found handlers of it before."""


class Asker(BaseActor):
    answers: ClassVar[list[tuple[Any, ActorAddress]]] = []

    def receiveMsg_tuple(self, message: tuple[Any, ActorAddress], _sender: ActorAddress) -> None:
        self.send(message[1], message[0])

    def receiveMsg_float(self, message: float, sender: ActorAddress) -> None:
        self.answers.append((message, sender))

    def receiveMsg_ActorFailed(self, message: ActorFailed, sender: ActorAddress) -> None:
        self.answers.append((message.error, sender))


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    Asker.answers = []
    system = ActorSystem()
    yield system
    system.shutdown()


def run(system: ActorSystem) -> None:
    while system.base.busy:
        system.base.turn()


def test_a_message_class_finds_its_part_of_each_actor(system: ActorSystem) -> None:
    seen: list[str] = []
    one, other = system.createActor(Whole), system.createActor(Whole)
    system.tell(one, seen)
    run(system)
    seen.append("begun")
    system.tell(other, seen)
    for actor in (one, other, one):
        system.tell(actor, Left())
        system.tell(actor, Right())
    run(system)
    assert seen == ["begun", "left of 0", "right", "left of 1", "right", "left of 0", "right"]


def test_two_parts_with_one_message_class_are_an_error(system: ActorSystem) -> None:
    seen: list[str] = []
    whole, asker = system.createActor(Whole), system.createActor(Asker)
    system.tell(whole, seen)
    system.tell(asker, (Both(), whole))
    run(system)
    ((error, sender),) = Asker.answers
    assert "Whole has more than one handler of Both" in error
    assert sender == whole
    assert not seen


def test_what_is_diverted(system: ActorSystem) -> None:
    """Only of one actor, and only while it is; whatever comes otherwise meanwhile, also for the first time."""
    seen: list[str] = []
    one, other = system.createActor(Diverting), system.createActor(Diverting)
    for actor in (one, other):
        system.tell(actor, seen)
    for message in (True, Left(), Right(), Left(), False, Left()):
        system.tell(one, message)
    system.tell(other, Left())
    run(system)
    left = "left of 0"
    assert seen == ["seen", left, "right", "seen", left, left, left]


def test_what_comes_before_the_parts_are_there_is_answered_and_not_for_good(system: ActorSystem) -> None:
    seen: list[str] = []
    early, asker, late = system.createActor(Late), system.createActor(Asker), system.createActor(Late)
    system.tell(asker, (Left(), early))
    run(system)
    ((error, _),) = Asker.answers
    assert "Late does not know Left" in error
    system.tell(late, seen)
    system.tell(late, Left())
    run(system)
    assert seen == ["left of 0"]


def test_what_is_passed_on_keeps_its_sender(system: ActorSystem) -> None:
    whole, asker, other = system.createActor(Whole), system.createActor(Asker), system.createActor(Asker)
    system.tell(other, ([], whole))  # so `other` is whom it passes on to
    system.tell(asker, ("1.5", whole))
    run(system)
    assert Asker.answers == [(1.5, asker)]


def every_actor() -> list[type[BaseActor]]:
    for module in pkgutil.walk_packages(actors.__path__, "actors."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: list[type[BaseActor]] = []
    kinds = [BaseActor]
    while kinds:
        kind = kinds.pop()
        found += [kind] if kind.__module__.startswith("actors.") else []
        kinds += kind.__subclasses__()
    return found


def handlers(kind: type) -> set[str]:
    inherited = {name for name in dir(BaseActor) if getattr(kind, name, None) is getattr(BaseActor, name)}
    return {name for name in dir(kind) if name.startswith("receiveMsg_")} - inherited


@pytest.mark.parametrize("kind", [kind for kind in every_actor() if kind.parts], ids=lambda kind: kind.__name__)
def test_no_actor_has_two_handlers_of_one_message(kind: type[BaseActor]) -> None:
    hints = get_type_hints(kind)
    seen = handlers(kind)
    for part in kind.parts:
        of_part = handlers(hints[part])
        assert of_part, f"{part} has no handler: it need not be one of the parts"
        assert not of_part & seen, f"{part}: {of_part & seen}"
        seen |= of_part


def test_what_comes_while_a_flow_is_removed_is_answered_after_it_and_in_order(runner: Harness) -> None:
    """Some of it by the flow that takes its place."""
    code = "import time\ndef stop(c):\n    time.sleep(0.3)\ndef run(m, c):\n    return m\n"
    flow = {"id": "f", "modules": {"a": {"runtime": "python3", "code": code}}}
    runner.ok(api.AddOrUpdateFlow, flow=flow)
    runner.start("f")
    removed = runner.post(api.RemoveFlow, flow_id="f")
    asked = [
        runner.post(api.StartFlow, flow_id="f"), runner.post(api.AddOrUpdateFlow, flow=flow),
        runner.post(api.FlowState, flow_id="f"), runner.post(api.RemoveFlow, flow_id="f"),
        runner.post(api.DeadLetters, flow_id="f"),
    ]  # fmt: skip
    assert runner.reply(removed).ok
    start, add, state, remove, letters = [runner.reply(request_id) for request_id in asked]
    assert not start.ok
    assert start.error == "there is no flow 'f'; flows here: none"
    assert add.ok
    assert add.receipt["modules"] == {"a": {"did": "added"}}
    assert state.value["state"] == "stopped"
    assert remove.ok
    assert not letters.ok


def test_what_is_asked_of_all_flows_is_answered_while_one_goes(runner: Harness) -> None:
    code = "import time\ndef stop(c):\n    time.sleep(0.3)\ndef run(m, c):\n    return m\n"
    for name in "fg":
        runner.add(name, {"a": {"runtime": "python3", "code": code}})
    runner.start("f")
    removed, audit, ended = runner.post(api.RemoveFlow, flow_id="f"), runner.post(api.Audit), runner.post(ShutDown)
    assert runner.reply(audit).value.keys() == {"f/a", "g/a"}
    assert runner.reply(removed).ok
    reply = runner.reply(ended)
    assert reply.ok
    assert reply.data == []
    assert [flow["id"] for flow in runner.ok(api.ListFlows)] == ["g"]
    assert runner.ok(api.Audit).keys() == {"g/a"}
