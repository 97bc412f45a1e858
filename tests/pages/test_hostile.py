"""What a page says is not believed: whatever it is, the page is turned away and the flow goes on."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import yaml
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from actors.pages.parcel import ACK, TRY
from runtimes.frames import HEADER, HEADERS, Frame, Kind, encode
from tests.gateway.served import Served
from tests.test_run import wait_for

FLOW = """
id: shop
modules:
  ask: {runtime: browser, code: "(message) => message"}
  take:
    runtime: python3
    code: |
      def run(message, context):
          context.set("all", [*context.get("all", []), [message, context.headers["client"]]])
wires: [ask -> take]
"""


@contextmanager
def joined(served: Served, **hello: Any) -> Iterator[ClientConnection]:
    protocols = ["runner.v1", f"token.{served.client_token}"]
    address = f"ws://{served.host}:{served.port}/join/shop"
    with connect(address, subprotocols=protocols, compression=None) as page:
        page.send(json.dumps(hello).encode())
        yield page


def commit(number: int = 1, sent: int = 0, **body: Any) -> bytes:
    row = ["ask", 0, 1, 0, sent or len(body.get("out", [])), 0, 10, 0]
    return encode(Frame(Kind.COMMIT, first=number, body=json.dumps({"rows": [row], **body}).encode()))


def data(body: bytes, count: int = 1, flags: int = 0) -> bytes:
    return encode(Frame(Kind.DATA, body=body, count=count, flags=flags))


OUT = {"out": [["ask", "out"]]}
WRONG = {
    "no frame": b"hello",
    "a frame cut off": data(b"[1]")[:-1],
    "an unknown kind": b"\x00" * 4 + b"\x63" + b"\x00" * 19,
    "no commit": data(b"[1]"),
    "a commit that is no JSON": encode(Frame(Kind.COMMIT, first=1, body=b"{")),
    "a gap": commit(number=7),
    "data that is not named": data(b"[1]") + commit(),
    "named without data": commit(**OUT),
    "no JSON": data(b"[nothing]") + commit(**OUT),
    "no array": data(b"1") + commit(**OUT),
    "another count": data(b"[1,\n2]") + commit(**OUT),
    "two messages as one": data(b"[1,2]") + commit(**OUT),
    "one message as two": data(b'[{"a":1,\n"b":2}]', 2) + commit(sent=2, **OUT),
    "cut in other places": data(b'[{"a":1,\n"b":2},3]', 2) + commit(sent=2, **OUT),
    "no message as one": data(b"[]") + commit(**OUT),
    "headers that are none": data(b"[[1],\n\n[1]]", flags=HEADERS) + commit(**OUT),
    "negative numbers": encode(Frame(Kind.COMMIT, first=1, body=b'{"rows":[["ask",-1,0,0,0,0,0,0]]}')),
    "a result nobody asked for": encode(Frame(Kind.RESULT, first=9, body=b'{"ok":true}')),
    "a line that is none": encode(Frame(Kind.LOG, body=b"[]")),
}


@pytest.mark.parametrize("said", WRONG.values(), ids=WRONG)
def test_what_breaks_the_rules(served: Served, said: bytes) -> None:
    with joined(served) as page:
        page.send(said)
        with pytest.raises(ConnectionClosed) as ended:
            while True:
                page.recv(timeout=60)
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 4004
    assert served.ask("GET", "/healthz", token=None).status == 200


def test_random_bytes(served: Served) -> None:
    rng = random.Random(20261129)
    good = data(b"[1]") + commit(**OUT)
    for _ in range(60):
        with joined(served) as page:
            spoilt = bytearray(good)
            for _ in range(rng.randint(1, 4)):
                spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
            page.send(bytes(spoilt))
    assert served.call("flowState", "shop")["state"] == "running"


def test_a_page_speaks_for_itself_only(served: Served) -> None:
    with joined(served, name="mallory") as page:
        headers = b'[[{"client":"alice"}],\n\n["forged"]]'
        page.send(data(headers, flags=HEADERS) + commit(**OUT))
        page.recv(timeout=60)
        page.send(encode(Frame(Kind.LOG, body=b'{"level":"info","text":"here"}')))
        while not any(message == "forged" for message, _ in served.call("getContext", "shop/take").get("all", [])):
            pass
    assert ["forged", "mallory"] in served.call("getContext", "shop/take")["all"]


def you(page: ClientConnection) -> dict[str, Any]:
    """What the first picture says of the page itself."""
    body = bytes(page.recv(timeout=60))
    return {
        name: json.loads(re.findall(rb'"you":\{.*?"%s":("[^"]*"|\d+)' % name.encode(), body)[0])
        for name in ("session", "client", "heard")
    }


def taken(served: Served) -> list[Any]:
    return [message for message, _ in served.call("getContext", "shop/take").get("all", [])]


def test_what_is_said_again_is_not_taken_again(served: Served) -> None:
    """As clients do that have not heard that it was taken (phoenix#1579, #1740: they come again and again)."""
    with joined(served) as page:
        session = you(page)["session"]
        page.send(data(b'["once"]') + commit(1, **OUT))
        wait_for(lambda: "once" in taken(served))
    for again in range(3):
        with joined(served, session=session, received=0) as page:
            assert you(page)["heard"] == again + 1
            for number in range(1, again + 3):
                page.send(data(b'["once"]' if number == 1 else b"[%d]" % number) + commit(number, **OUT))
            wait_for(lambda: number in taken(served))  # noqa: B023
    assert [message for message in taken(served) if message in ("once", 2, 3, 4)] == ["once", 2, 3, 4]


def acknowledged(portion: bytes) -> Iterator[int]:
    """The numbers of ACK in whole frames."""
    while portion:
        size, kind, flags, *_, first = HEADER.unpack_from(portion)
        if (kind, flags) == (ACK, 0):
            yield first
        portion = portion[HEADER.size + size :]


def test_who_comes_again_hears_what_was_taken(served: Served) -> None:
    """It may have missed that; with 32 transactions of which it does not know, a page says nothing more."""
    with joined(served) as page:
        session = you(page)["session"]
        for number in range(1, 33):
            page.send(data(b'["taken %d"]' % number) + commit(number, **OUT))
        wait_for(lambda: "taken 32" in taken(served))
    with joined(served, session=session, received=0) as page:
        acks: list[int] = []
        while not acks:
            acks = list(acknowledged(bytes(page.recv(timeout=60))))
        assert acks == [32]


def test_who_leaves_can_come_again_at_once(served: Served) -> None:
    """With the same name (phoenix#1483: the first was still there, and the second never joined)."""
    for _ in range(20):
        with joined(served, name="same") as page:
            assert you(page)["client"] == "same"
            page.close(4100)


@pytest.mark.parametrize("received", [-5, 10**12])
def test_a_page_that_says_what_it_cannot_have(served: Served, received: int) -> None:
    with joined(served, session="no such session", received=received) as page:
        assert you(page)["heard"] == 0
        page.send(data(b'["still"]') + commit(1, **OUT))
        wait_for(lambda: "still" in taken(served))


def test_the_name_that_a_page_had_is_a_wish(served: Served) -> None:
    """It does not turn it away when another page has it by now, nor get it what is another's."""
    with joined(served, name="alice") as alice, joined(served, session="gone", client="alice") as other:
        assert you(alice)["client"] == "alice"
        assert you(other)["client"] != "alice"
    with joined(served, session="gone", client="../../etc") as wrong, pytest.raises(ConnectionClosed) as ended:
        wrong.recv(timeout=60)
    assert ended.value.rcvd is not None and ended.value.rcvd.code == 4000


def answer_a_try(page: ClientConnection, result: dict[str, Any]) -> None:
    """To the next version that this page is to try."""
    while True:
        portion = bytes(page.recv(timeout=30))
        while portion:
            size, kind, *_, number = HEADER.unpack_from(portion)
            if kind == TRY:
                page.send(encode(Frame(Kind.RESULT, first=number, body=json.dumps(result).encode())))
                return
            portion = portion[HEADER.size + size :]


SPITE = {"ok": False, "error": {"type": "SyntaxError", "message": "no"}}


@pytest.mark.parametrize("others", [{"ok": True, "hooks": []}, SPITE, None])
def test_no_page_refuses_an_update_alone(served: Served, others: dict[str, Any] | None) -> None:
    """Another one is asked, if there is one: a browser may be old, or may lie."""
    document = yaml.safe_load(FLOW)
    document["modules"]["ask"]["code"] = f"(message) => [message, {json.dumps(others)}]"
    call = {"jsonrpc": "2.0", "id": 1, "method": "addOrUpdateFlow", "params": [document]}
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        first = stack.enter_context(joined(served)) if others is not None else None
        if first is not None:
            you(first)
        last = stack.enter_context(joined(served))
        you(last)
        update = pool.submit(lambda: served.post("/rpc", call).json)
        answer_a_try(last, SPITE)
        if first is not None and others is not None:
            answer_a_try(first, others)
        answer = update.result(timeout=60)
    assert ("result" in answer) == (others is not None and others["ok"]), answer
