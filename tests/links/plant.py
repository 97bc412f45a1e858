"""Two runners' links in one actor system, joined by real TLS over a proxy that can cut, stall and count."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest, WakeupMessage

from actors.definition.deliveries import MEMORY
from actors.links import keys
from actors.links.listener import ListenerActor
from actors.links.peer import PeerActor
from actors.links.receiving import ReceivingActor
from actors.links.sending import SendingActor
from actors.messages.flow_to_session import Attached
from actors.messages.link_to_owner import FinishWanted, Listening
from actors.messages.module_to_module import Deliver, HoldWire, ReleaseWire
from actors.messages.owner_to_link import PeerAt, StartListener, StartPeer, StartReceiving, StartSending
from actors.messages.wire_to_peer import JoinPeer, LeavePeer
from actors.state.activity import Activity
from actors.system.base import BaseActor
from actors.system.in_process import ActorSystem
from runtimes.frames import split

WINDOW_BYTES = 256 << 10
TIMEOUT_S = 60.0


class ModuleDouble(BaseActor):
    """Owner, router, flow and module at once: sends when it is not held, keeps what it is sent."""

    peer: ActorAddress

    def __init__(self) -> None:
        super().__init__()
        self.activity = Activity()
        self.told: list[Any] = []
        self.wires: dict[str, ActorAddress] = {}  # wires to feed
        self.held: set[str] = set()
        self.came: dict[str, list[bytes]] = {}
        self.numbers: dict[str, int] = {}
        self.went_on: Callable[[str], None] = lambda _: None

    def receiveMsg_JoinPeer(self, message: JoinPeer | LeavePeer, sender: ActorAddress) -> None:
        self.pass_on(message, sender, self.peer)

    receiveMsg_LeavePeer = receiveMsg_JoinPeer

    def receiveMsg_HoldWire(self, message: HoldWire, _sender: ActorAddress) -> None:
        self.held.add(message.wire)

    def receiveMsg_ReleaseWire(self, message: ReleaseWire, _sender: ActorAddress) -> None:
        self.held.discard(message.wire)
        self.went_on(message.wire)

    def receiveMsg_Deliver(self, message: Deliver, _sender: ActorAddress) -> None:
        came = self.came.setdefault(message.wire, [])
        assert message.first == len(came)
        came += split(message.body, message.flags)[0][message.skip : message.skip + message.count]
        self.activity.pending -= message.count

    def receiveMsg_WakeupMessage(self, _message: WakeupMessage, _sender: ActorAddress) -> None:
        pass  # `until` looks at its condition now

    def receiveMsg_FinishWanted(self, _message: FinishWanted, _sender: ActorAddress) -> None:
        pass

    def _tell(self, message: Any, _sender: ActorAddress) -> None:
        self.told.append(message)

    receiveMsg_PeerFound = receiveMsg_PeerLost = receiveMsg_Listening = receiveMsg_Fenced = _tell
    receiveMsg_WireHandedOver = receiveMsg_TakenLost = _tell

    def put(self, wire: str, body: bytes, count: int) -> None:
        self.activity.pending += count
        number = self.numbers.get(wire, 0)
        self.numbers[wire] = number + count
        self.send(self.wires[wire], Deliver(wire, body, 0, 0, count, number))


class Proxy:
    """Between two runners. `cut()` ends all connections; while `stalled` nothing passes, and nobody is told."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.stalled = threading.Event()
        self.refusing = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self.limit = 0  # bytes after which a connection is cut by itself, if not 0
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._begin(self._serve)

    def _begin(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:  # the runner is not up
                client.close()
                continue
            self.connections += 1
            self._pairs.append((client, server))
            for one, other in ((client, server), (server, client)):
                self._begin(self._pass, one, other, self.limit)

    def _pass(self, one: socket.socket, other: socket.socket, limit: int) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                while self.stalled.is_set():
                    time.sleep(0.01)
                if limit:
                    limit -= len(data)
                    if limit <= 0:
                        other.sendall(data[: limit + len(data)])
                        break
                other.sendall(data)
        for sock in (one, other):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        for pair in self._pairs:
            for sock in pair:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        self.stalled.clear()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()
        for pair in self._pairs:
            for sock in pair:
                sock.close()


class Plant:
    """The runners `a` and `b`, each an owner with its peer; `a` connects to `b` through the proxy."""

    def __init__(self, folder: Path) -> None:
        keys.make_authority(folder, "test")
        for name in ("a", "b", "stranger"):
            keys.make_certificate(folder, name)
        self.folder = folder
        self.system = ActorSystem()
        self.a, self.b = self.owner(), self.owner()
        self.peers: list[ActorAddress] = []
        self.contexts = {name: keys.contexts(folder, name) for name in ("a", "b")}
        self.peer_b = self.peer(self.a, "a", "b")
        self.peer_a = self.peer(self.b, "b", "a")
        self.listener = self.system.createActor(ListenerActor)
        listen = StartListener(place=("127.0.0.1", 0), contexts=self.contexts["b"], peers={"a": self.peer_a})
        self.tell(self.b, self.listener, listen)
        self.until(lambda: bool(self.b.told))
        answer = self.b.told.pop()
        assert isinstance(answer, Listening), answer
        self.port = answer.port
        self.proxy = Proxy(self.port)

    def owner(self) -> ModuleDouble:
        address = self.system.createActor(ModuleDouble)
        owner: ModuleDouble = self.system.base.actorRegistry[address.actorAddressString].instance
        return owner

    def peer(self, owner: ModuleDouble, runner: str, peer: str, incarnation: int = 1) -> ActorAddress:
        address: ActorAddress = self.system.createActor(PeerActor)
        start = StartPeer(runner=runner, incarnation=incarnation, peer=peer, contexts=self.contexts[runner])
        self.tell(owner, address, start)
        self.peers.append(address)
        owner.peer = address
        return address

    def tell(self, owner: ModuleDouble, actor: ActorAddress, message: Any) -> None:
        """As the owner."""
        self.system.base.actor_send(owner.address, actor, message)

    def connect(self) -> None:
        self.tell(self.a, self.peer_b, PeerAt(place=("127.0.0.1", self.proxy.port)))

    def wire(
        self, name: str, delivery: Any = MEMORY, journals: tuple[Any, Any] = (None, None)
    ) -> tuple[ActorAddress, ActorAddress]:
        """From `a` to `b`, which have these journals."""
        return self.sending(self.a, name, "b", delivery, journals[0]), self.receiving(name, journals[1])

    def sending(
        self, owner: ModuleDouble, name: str, runner: str, delivery: Any = MEMORY, journal: Any = None
    ) -> ActorAddress:
        """The one end of a wire to that runner."""
        sending: ActorAddress = self.system.createActor(SendingActor)
        start = StartSending(
            flow="f", wire=name, runner=runner, delivery=delivery, new_epoch=lambda: 1, window_bytes=WINDOW_BYTES,
            router=owner.address, activity=owner.activity, journal=journal,
        )  # fmt: skip
        self.tell(owner, sending, start)
        self.attach(owner, sending, name)
        owner.wires[name] = sending
        return sending

    def attach(self, owner: ModuleDouble, end: ActorAddress, wire: str) -> None:
        """As a flow does that has made its end."""
        self.tell(owner, end, Attached(wire=wire, module=owner.address, activity=owner.activity))

    def receiving(self, name: str, journal: Any = None, before: Any = None) -> ActorAddress:
        receiving: ActorAddress = self.system.createActor(ReceivingActor)
        start = StartReceiving(flow="f", wire=name, runner="a", router=self.b.address, journal=journal, before=before)
        self.tell(self.b, receiving, start)
        self.attach(self.b, receiving, name)
        return receiving

    def instance(self, address: ActorAddress) -> Any:
        return self.system.base.actorRegistry[address.actorAddressString].instance

    def until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not done():
            assert time.monotonic() < deadline, "nothing came"
            self.system.base.wakeupAfter(self.a.address, 0.05, None)
            self.system.base.turn(block=True)

    def close(self) -> None:
        for actor in (*self.peers, self.listener):
            self.tell(self.a, actor, ActorExitRequest())
        while self.system.base.busy:
            self.system.base.turn()
        failures = self.system.base.failures  # of assertions in the doubles, too
        self.proxy.close()
        self.system.shutdown()
        assert not failures


@contextlib.contextmanager
def plant(folder: Path) -> Iterator[Plant]:
    it = Plant(folder)
    try:
        yield it
    finally:
        it.close()


def seed() -> int:
    return random.randrange(1 << 32)
