"""What a visitor's token is good for: every address, with each token."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from websockets.sync.client import ClientConnection, connect

from actors.gateway.access import Access
from actors.gateway.pages import Pages
from actors.gateway.routes import Routes
from runtimes.frames import Frame, Kind, encode
from tests.gateway.served import Served, serving

ECHO = "def run(message, context):\n    return message"
SECRET = {"runtime": "python3", "code": ECHO}
FLOW = {
    "id": "shop",
    "modules": {
        "ask": {"runtime": "browser", "code": "(message) => message // 'news'"},
        "take": SECRET, "inner": SECRET, "feed": SECRET, "news": SECRET,
        "show": {"runtime": "browser", "code": "(message) => message"},
    },
    "wires": [
        "ask -> take", "take -> inner", "feed -> show", "inner -> feed",
        {"from": "news", "to": "show", "to_client": "all"},
    ],
}  # fmt: skip

# What is answered to the owner, and to a visitor; without a token, and with a wrong one, it is 401 unless it is open.
TABLE: dict[str, dict[str, tuple[int, int]]] = {
    "/rpc": {"POST /rpc": (200, 403), "GET /rpc": (426, 403)},
    "/mcp": {"POST /mcp": (200, 403), "GET /mcp": (405, 405)},
    "/join": {"GET /join": (200, 200)},
    "/join/": {"GET /join/shop": (426, 426), "GET /join/other": (426, 426)},
    "/in/": {
        "POST /in/shop/ask": (202, 202), "POST /in/shop/show.in": (202, 202),  # of a browser module
        "POST /in/shop/take": (202, 202),  # what pages send goes there
        "POST /in/shop/feed": (202, 403), "POST /in/shop/inner.in": (202, 403), "POST /in/shop/news": (202, 403),
        "POST /in/shop/ask.none": (404, 403), "POST /in/shop/take.none": (404, 403),
        "POST /in/shop/nobody": (404, 403), "POST /in/other/ask": (404, 403), "GET /in/shop/ask": (405, 405),
    },
    "/out/": {
        "GET /out/shop/ask": (200, 200), "GET /out/shop/show.out": (200, 200),
        "GET /out/shop/feed": (200, 200), "GET /out/shop/news.out": (200, 200),  # pages get it
        "GET /out/shop/take": (200, 403), "GET /out/shop/inner": (200, 403), "GET /out/shop/feed.error": (200, 403),
        "GET /out/shop/nobody": (404, 403), "GET /out/other/ask": (404, 403),
    },
    "/runner/packages/": {
        "GET /runner/packages/shop/browser-0123456789ab/x.js": (404, 404), "GET /runner/packages/": (404, 404),
        "GET /runner/packages/other/x/y.js": (404, 404), "POST /runner/packages/": (405, 405),
    },
    "/metrics": {"GET /metrics": (200, 403), "HEAD /metrics": (200, 403)},
    "/openrpc.json": {"GET /openrpc.json": (200, 403), "HEAD /openrpc.json": (200, 403)},
    "/healthz": {"GET /healthz": (200, 200)},
    "/": {
        "GET /": (200, 200), "GET /app/": (200, 200), "GET /app/none": (404, 404), "GET /runner.js": (200, 200),
        "POST /": (405, 405), "GET /runner/browser/runner.mjs": (200, 200), "GET /state/gateway.token": (404, 404),
    },
}  # fmt: skip
OPEN = ("/runner/packages/", "/healthz", "/")
ROWS = [(path, request, *statuses) for path, rows in TABLE.items() for request, statuses in rows.items()]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("visitors")
    (folder / "pages").mkdir()
    (folder / "pages" / "index.html").write_text("<!doctype html>")
    with serving(folder, json.dumps(FLOW), "--pages", str(folder / "pages")) as found:
        yield found


@contextmanager
def answer(
    served: Served, request: str, token: str | None, value: Any = 1, **headers: str
) -> Iterator[http.client.HTTPResponse]:
    """The head of an answer, and what follows as long as somebody reads."""
    method, path = request.split()
    connection = http.client.HTTPConnection(served.host, served.port, timeout=60)
    told = {} if token is None else {"Authorization": f"Bearer {token}"}
    body = json.dumps(value).encode() if method == "POST" else None
    try:
        connection.request(method, path, body, {**told, **headers})
        yield connection.getresponse()
    finally:
        connection.close()


def status(served: Served, request: str, token: str | None, **headers: str) -> int:
    with answer(served, request, token, **headers) as found:
        return found.status


def test_no_address_is_missing_here() -> None:
    routes = Routes(Access("a", "b", ()), cast("Any", None), Pages(Path()))
    assert {route.path for route in routes._routes} == TABLE.keys()


@pytest.mark.parametrize(("path", "request_", "owner", "visitor"), ROWS, ids=[row[1] for row in ROWS])
def test_every_address_with_every_token(served: Served, path: str, request_: str, owner: int, visitor: int) -> None:
    assert status(served, request_, served.token) == owner
    assert status(served, request_, served.client_token) == visitor
    expected = owner if path in OPEN or owner == 405 else 401
    assert status(served, request_, None) == expected
    assert status(served, request_, f"{served.client_token}x") == expected


def test_a_visitor_does_not_learn_what_there_is(served: Served) -> None:
    said = set()
    for request in ("POST /in/shop/inner", "POST /in/shop/nobody", "POST /in/other/x", "GET /out/shop/take"):
        with answer(served, request, served.client_token) as found:
            said.add(found.read())
    assert said == {b"this token is for the wires of browser modules only\n"}


def test_a_visitor_does_not_use_up_the_key_of_somebody_else(served: Served) -> None:
    with answer(served, "GET /out/shop/take", served.token) as out:
        for request, token, expected in (
            ("POST /in/shop/take", served.client_token, 202), ("POST /in/shop/take", served.token, 202),
            ("POST /in/shop/inner", served.token, 202), ("POST /in/shop/inner", served.client_token, 403),
        ):  # fmt: skip
            assert status(served, request, token, **{"Idempotency-Key": "one"}) == expected
        assert [out.readline(), out.readline()] == [b"1\n", b"1\n"]


@contextmanager
def joined(served: Served) -> Iterator[ClientConnection]:
    protocols = ["runner.v1", f"token.{served.client_token}"]
    address = f"ws://{served.host}:{served.port}/join/shop"
    with connect(address, subprotocols=cast("Any", protocols), compression=None) as page:
        page.send(b"{}")
        yield page


def says(number: int, text: bytes) -> bytes:
    """A transaction of the page's module `ask`, which sends this."""
    body = json.dumps({"rows": [["ask", 0, 1, 0, 1, 0, 10, 0]], "out": [["ask", "out"]]}).encode()
    return encode(Frame(Kind.DATA, body=b"[" + text + b"]", count=1)) + encode(
        Frame(Kind.COMMIT, first=number, body=body)
    )


def test_a_visitor_sees_what_all_pages_may(served: Served) -> None:
    """Not what one page has said, nor the answer to it."""
    with (
        answer(served, "GET /out/shop/feed", served.client_token) as seen,
        answer(served, "GET /out/shop/ask", served.client_token) as asked,
        answer(served, "GET /out/shop/feed", served.token) as all_,
        joined(served) as page,
    ):
        page.send(says(1, b'"of one page"'))
        assert all_.readline() == b'"of one page"\n'
        assert status(served, "POST /in/shop/take", served.client_token) == 202
        assert all_.readline() == b"1\n"
        assert seen.readline() == b"1\n"
        page.send(says(2, b"2"))
        assert all_.readline() == b"2\n"
        served.call("addOrUpdateFlow", {**FLOW, "drain_timeout_s": 9})  # an update ends what visitors see
        assert seen.read() == asked.read() == b""


def test_what_goes_to_all_pages_a_visitor_sees_whoever_sends_it(served: Served) -> None:
    changed = {**FLOW, "wires": [*FLOW["wires"], "ask.news -> news"]}
    served.call("addOrUpdateFlow", changed)
    with answer(served, "GET /out/shop/news", served.client_token) as seen, joined(served) as page:
        row = {"rows": [["ask", 0, 1, 0, 1, 0, 10, 0]], "out": [["ask", "news"]]}
        page.send(
            encode(Frame(Kind.DATA, body=b"[3]", count=1))
            + encode(Frame(Kind.COMMIT, first=1, body=json.dumps(row).encode()))
        )
        assert seen.readline() == b"3\n"
        changed["wires"] = [wire for wire in changed["wires"] if not isinstance(wire, dict)]
        served.call("addOrUpdateFlow", changed)  # now it is no wire of a browser module
        assert seen.readline() == b""
    assert status(served, "GET /out/shop/news", served.client_token) == 403
