"""The in-process actor system: order, timers, descriptors, failures, the dead, and the quiet point."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from thespian.actors import ActorAddress, ActorExitRequest, ChildActorExited, WakeupMessage

from actors.messages.runner_to_client import Reply
from actors.messages.system_to_actor import QuietPoint, Ready
from actors.system.base import BaseActor
from actors.system.in_process import MAX_SENDS_PER_SLICE, ActorSystem


class Ask(NamedTuple):
    request_id: str
    what: str


class Probe(BaseActor):
    """Does what its messages say and tells the first sender what happened."""

    def receiveMsg_str(self, message: str, sender: ActorAddress) -> None:
        self.boss = sender
        if message == "child":
            self.child = self.createActor(Probe)
            self.send(sender, self.child)
        elif message == "quiet":
            self.system.ask_quiet_point(self.address)
            self.send(self.address, 3)

    def receiveMsg_int(self, message: int, _sender: ActorAddress) -> None:
        if message:
            self.send(self.address, message - 1)
        else:
            self.send(self.boss, "counted")

    def receiveMsg_float(self, message: float, sender: ActorAddress) -> None:
        self.boss = sender
        self.wakeupAfter(message, message)

    def receiveMsg_WakeupMessage(self, message: WakeupMessage, _sender: ActorAddress) -> None:
        self.send(self.boss, message.payload)

    def receiveMsg_QuietPoint(self, _message: QuietPoint, _sender: ActorAddress) -> None:
        self.send(self.boss, "quiet")

    def receiveMsg_tuple(self, message: tuple[str, int], sender: ActorAddress) -> None:
        self.boss = sender
        self.system.watch(message[1], select.EPOLLIN, self.address)

    def receiveMsg_Ready(self, message: Ready, _sender: ActorAddress) -> None:
        self.send(self.boss, os.read(message.fd, 100))

    def receiveMsg_Ask(self, message: Ask, _sender: ActorAddress) -> None:
        self.runs = getattr(self, "runs", 0) + 1
        raise ValueError(f"{message.what} {self.runs}")

    def receiveMsg_ChildActorExited(self, _message: ChildActorExited, _sender: ActorAddress) -> None:
        self.send(self.boss, "child gone")


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    system = ActorSystem()
    yield system
    system.shutdown()


def test_a_handler_that_raises_answers_and_is_not_run_again(system: ActorSystem) -> None:
    probe = system.createActor(Probe)
    for run in (1, 2):
        reply = system.ask(probe, Ask("r", "oh"), 5)
        assert isinstance(reply, Reply)
        assert (reply.request_id, reply.ok) == ("r", False)
        assert f"ValueError: oh {run}" in str(reply.error)
        assert system.listen(0.01) is None
    assert system.base.failures == 2


def test_an_unknown_message_is_answered_with_an_error(system: ActorSystem) -> None:
    class Unknown(NamedTuple):
        request_id: str

    reply = system.ask(system.createActor(Probe), Unknown("u"), 5)
    assert "Probe does not know Unknown" in reply.error


def test_an_answer_is_never_answered(system: ActorSystem) -> None:
    probe = system.createActor(Probe)
    assert system.ask(probe, Reply(request_id="x", ok=True), 0.05) is None
    assert system.base.failures == 1


def test_a_message_to_an_actor_that_is_gone_is_counted(system: ActorSystem) -> None:
    probe = system.createActor(Probe)
    child = system.ask(probe, "child", 5)
    system.tell(child, ActorExitRequest())
    assert system.listen(5) == "child gone"
    assert system.base.dead_messages == 0
    system.tell(child, "hello")
    system.base.turn()
    assert system.base.dead_messages == 1


def test_timers_fire_in_the_order_of_their_time(system: ActorSystem) -> None:
    probe = system.createActor(Probe)
    for delay in (0.06, 0.02, 0.04):
        system.tell(probe, delay)
    assert [system.listen(5) for _ in range(3)] == [0.02, 0.04, 0.06]


def test_a_watched_descriptor_becomes_a_message(system: ActorSystem) -> None:
    reading, writing = os.pipe()
    probe = system.createActor(Probe)
    system.tell(probe, ("fd", reading))
    system.base.turn()
    os.write(writing, b"x")
    assert system.listen(5) == b"x"
    system.base.unwatch(reading)
    os.close(reading)
    os.close(writing)


def test_what_a_descriptor_had_to_say_goes_with_it(system: ActorSystem) -> None:
    """The number is given again at once: the next one is not ready because the one before was."""
    reading, writing = os.pipe()
    probe = system.createActor(Probe)
    system.tell(probe, ("fd", reading))
    system.base.turn()
    os.write(writing, b"x")
    system.base._poll(0)
    system.base.unwatch(reading)
    os.close(reading)
    os.close(writing)
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    system.tell(probe, ("fd", reading))
    system.base.turn()
    assert system.base.failures == 0
    os.write(writing, b"y")
    assert system.listen(5) == b"y"
    system.base.unwatch(reading)
    os.close(reading)
    os.close(writing)


def test_a_busy_actor_starves_nobody(system: ActorSystem) -> None:
    """A slice ends after so many sends, and the epoll is looked at."""
    busy, other = system.createActor(Probe), system.createActor(Probe)
    reading, writing = os.pipe()
    os.write(writing, b"y")
    system.tell(other, ("fd", reading))
    system.tell(busy, "start")
    system.tell(busy, 20 * MAX_SENDS_PER_SLICE)
    assert [system.listen(5), system.listen(5)] == [b"y", "counted"]
    system.base.unwatch(reading)
    os.close(reading)
    os.close(writing)


def test_the_quiet_point_comes_when_nothing_is_pending(system: ActorSystem) -> None:
    probe = system.createActor(Probe)
    assert [system.ask(probe, "quiet", 5), system.listen(5)] == ["counted", "quiet"]


def test_it_turns_inside_another_loop_through_its_descriptor(system: ActorSystem) -> None:
    """As in an outer actor: nothing blocks, the epoll's descriptor says when to turn."""
    probe = system.createActor(Probe)
    got: list[Any] = []
    system.tell(probe, 0.02)
    system.base.turn()
    responses = system.base.actorRegistry["System:ExternalRequester"].instance.__dict__.setdefault("responses", got)
    while not responses:
        assert select.select([system.base.fileno()], [], [], 5)[0]
        system.base.turn()
    assert responses == [0.02]
