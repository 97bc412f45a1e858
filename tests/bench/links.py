"""A wire between two runners beside NATS core, if `nats-server` and nats-py are there. Both ends are in one process."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from thespian.actors import ActorAddress

from actors.links.keys import contexts, make_authority, make_certificate
from actors.links.receiving import ReceivingActor
from actors.messages.link_to_owner import PeerFound
from actors.messages.module_to_module import Deliver
from actors.messages.owner_to_link import PeerAt, StartReceiving
from runtimes.frames import join
from tests.bench.figures import Row, interleaved
from tests.links.plant import ModuleDouble, Plant, plant

MESSAGE = b'"%s"' % (b"x" * 98)
BATCH = 600
BARE = "two ends of a bare TLS 1.3 connection"


def links(runs: int, quick: bool) -> Iterator[Row]:
    """Messages of 100 bytes, one at a time and in batches; and there and back."""
    singles, trips = (40_000, 1000) if quick else (200_000, 5000)
    measures = [
        lambda: _link(singles, 1), lambda: _link(singles * 20, BATCH), lambda: _link_trip(trips),
        lambda: _tls(singles, 1), lambda: _tls(singles * 20, BATCH), lambda: _tls_trip(trips),
    ]  # fmt: skip
    has_nats = shutil.which("nats-server") is not None and importlib.util.find_spec("nats") is not None
    if has_nats:
        measures += [lambda: _nats(_publish, singles), lambda: _nats(_request, trips)]
    single, batches, trip, bare_single, bare_batches, bare_trip, *nats = interleaved(runs, *measures)
    limit, many, there = ("NATS core", nats[0], nats[1]) if has_nats else ("", [], [])
    yield Row(
        name="links.single", unit="messages/s", what="one message a turn, between two runners", values=single,
        limit=limit, limits=many, target=1.0 if has_nats else None, peers={BARE: bare_single},
    )  # fmt: skip
    yield Row(
        name="links.batches", unit="messages/s", what=f"{BATCH} messages a turn", values=batches, limit=limit,
        limits=many, target=5.0 if has_nats else None, peers={BARE: bare_batches},
    )  # fmt: skip
    yield Row(
        name="links.round_trip", unit="us", what="there and back, p50", values=trip, lower_is_better=True,
        limit=limit and f"{limit}, request", limits=there, target=1.0 if has_nats else None,
        peers={BARE: bare_trip},
    )  # fmt: skip


class Counting(ModuleDouble):
    """Does not look at what comes, as a runner does not."""

    count = 0

    def receiveMsg_Deliver(self, message: Deliver, _sender: ActorAddress) -> None:
        self.count += message.count
        self.activity.pending -= message.count


def _connect(it: Plant) -> None:
    it.tell(it.a, it.peer_b, PeerAt(place=("127.0.0.1", it.port)))
    it.until(lambda: any(isinstance(told, PeerFound) for told in it.a.told))


def _link(total: int, count: int) -> float:
    body = join([MESSAGE] * count)
    with tempfile.TemporaryDirectory() as folder, plant(Path(folder) / "keys") as it:
        it.b.__class__ = Counting
        assert isinstance(it.b, Counting)
        it.wire("w")
        _connect(it)
        sent = 0

        def go_on(_wire: str = "w") -> None:
            nonlocal sent
            while sent < total and "w" not in it.a.held:
                it.a.put("w", body, count)
                sent += count
                if sent % (50 * count) == 0:
                    it.system.base.turn()

        it.a.went_on = go_on
        begun = time.perf_counter()
        while sent < total:
            go_on()
            it.system.base.turn()
        it.until(lambda: it.b.count >= total)
        return total / (time.perf_counter() - begun)


def _link_trip(trips: int) -> float:
    body, times = join([MESSAGE]), []
    with tempfile.TemporaryDirectory() as folder, plant(Path(folder) / "keys") as it:
        it.wire("w")
        it.sending(it.b, "back", "a")
        end = it.system.createActor(ReceivingActor)
        it.tell(it.a, end, StartReceiving(flow="f", wire="back", runner="b", router=it.a.address))
        it.attach(it.a, end, "back")
        _connect(it)
        for number in range(trips):
            begun = time.perf_counter()
            for owner, wire, other in ((it.a, "w", it.b), (it.b, "back", it.a)):
                owner.put(wire, body, 1)
                while len(other.came.get(wire, ())) <= number:
                    it.system.base.turn(block=True)
            times.append(time.perf_counter() - begun)
    return median(times) * 1e6


@contextlib.contextmanager
def _tls_pair() -> Iterator[tuple[ssl.SSLSocket, ssl.SSLSocket]]:
    """Both ends of a connection, in this process as those of a link and of NATS are."""
    with tempfile.TemporaryDirectory() as folder:
        make_authority(Path(folder), "bench")
        for name in "ab":
            make_certificate(Path(folder), name)
        client, serving = contexts(Path(folder), "a").client, contexts(Path(folder), "b").server
        with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as accepting:
            accepted = accepting.submit(lambda: serving.wrap_socket(server.accept()[0], server_side=True))
            near = client.wrap_socket(socket.create_connection(server.getsockname()))
            with near, accepted.result() as far:
                for end in (near, far):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    end.setblocking(False)
                yield near, far


def _tls(total: int, count: int) -> float:
    data = MESSAGE * count
    with _tls_pair() as (near, far):
        begun, came = time.perf_counter(), 0
        for _ in range(total // count):
            came += _pass(near, far, data)
        while came < total // count * len(data):
            came += _read(far)
        return total / (time.perf_counter() - begun)


def _tls_trip(trips: int) -> float:
    times = []
    with _tls_pair() as (near, far):
        for _ in range(trips):
            begun = time.perf_counter()
            for sender, taker in ((near, far), (far, near)):
                came = _pass(sender, taker, MESSAGE)
                while came < len(MESSAGE):
                    came += _read(taker)
            times.append(time.perf_counter() - begun)
    return median(times) * 1e6


def _pass(sender: ssl.SSLSocket, taker: ssl.SSLSocket, data: bytes) -> int:
    """Send it all; returns how much was read meanwhile."""
    came, view = 0, memoryview(data)
    while view:
        try:
            view = view[sender.send(view) :]
        except ssl.SSLWantWriteError:
            came += _read(taker)
    return came


def _read(taker: ssl.SSLSocket) -> int:
    try:
        return len(taker.recv(1 << 18))
    except ssl.SSLWantReadError:
        return 0


def _nats(conversation: Callable[[int, int], Coroutine[Any, Any, float]], count: int) -> float:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["nats-server", "-a", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        while "Server is ready" not in server.stderr.readline():
            assert server.poll() is None
        try:
            return asyncio.run(conversation(port, count))
        finally:
            server.terminate()


async def _publish(port: int, total: int) -> float:
    import nats

    client = await nats.connect(f"nats://127.0.0.1:{port}")
    came, all_came = 0, asyncio.Event()

    async def take(_message: object) -> None:
        nonlocal came
        came += 1
        if came == total:
            all_came.set()

    await client.subscribe("w", cb=take, pending_msgs_limit=0, pending_bytes_limit=0)
    await client.flush()
    begun = time.perf_counter()
    for number in range(total):
        await client.publish("w", MESSAGE)
        if number % 1000 == 0:
            await asyncio.sleep(0)
    await all_came.wait()
    took = time.perf_counter() - begun
    await client.close()
    return total / took


async def _request(port: int, trips: int) -> float:
    import nats

    client = await nats.connect(f"nats://127.0.0.1:{port}")

    async def answer(message: Any) -> None:
        await message.respond(message.data)

    await client.subscribe("w", cb=answer)
    times = []
    for _ in range(trips):
        begun = time.perf_counter()
        await client.request("w", MESSAGE)
        times.append(time.perf_counter() - begun)
    await client.close()
    return median(times) * 1e6
