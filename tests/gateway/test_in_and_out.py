"""Messages in by POST, out as server-sent events and NDJSON."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.served import Served, serving

EVENT = {"specversion": "1.0", "id": "A234", "source": "/mycontext", "type": "com.example.someevent"}


@contextmanager
def out(served: Served, place: str, accept: str = "application/x-ndjson") -> Iterator[http.client.HTTPResponse]:
    """What leaves a port, from now on."""
    connection = http.client.HTTPConnection(served.host, served.port, timeout=60)
    connection.request("GET", f"/out/{place}", headers={"Authorization": f"Bearer {served.token}", "Accept": accept})
    answer = connection.getresponse()
    try:
        yield answer
    finally:
        connection.close()


def lines(answer: http.client.HTTPResponse, count: int) -> list[Any]:
    return [json.loads(answer.readline()) for _ in range(count)]


def test_json_goes_in_and_comes_out_as_it_is(served: Served) -> None:
    values = [{"a": 1}, [1, 2], "ü", 2**70, 1.5, None, {"text": "a\nb"}]
    with out(served, "shop/echo") as answer:
        assert answer.headers["content-type"] == "application/x-ndjson"
        for value in values:
            assert served.post("/in/shop/echo.in", value).json == {"accepted": 1}
        assert lines(answer, len(values)) == values


def test_pretty_json_is_one_message(served: Served) -> None:
    with out(served, "shop/echo") as answer:
        assert served.ask("POST", "/in/shop/echo", b'{\r\n  "a": [1,\n 2]\n}\n').status == 202
        assert lines(answer, 1) == [{"a": [1, 2]}]


def test_ndjson_is_many(served: Served) -> None:
    body = b"".join(b'{"n": %d}\n' % n for n in range(1000)) + b'\n  {"n": 1000}'
    with out(served, "shop/echo") as answer:
        said = served.ask("POST", "/in/shop/echo", body, Content_Type="application/x-ndjson; charset=utf-8")
        assert said.json == {"accepted": 1001}
        assert [one["n"] for one in lines(answer, 1001)] == list(range(1001))


def test_one_bad_line_and_nothing_is_taken(served: Served) -> None:
    before = served.call("audit")["shop/echo"]["accepted"]
    answer = served.ask("POST", "/in/shop/echo", b'{"n": 1}\n{oops}\n', Content_Type="application/x-ndjson")
    assert answer.status == 400
    assert b"line 2" in answer.body
    assert served.call("audit")["shop/echo"]["accepted"] == before


@pytest.mark.parametrize(
    ("path", "body", "kind", "status"),
    [
        ("/in/shop/echo", b"{", "application/json", 400),
        ("/in/shop/echo", b"", "application/json", 400),
        ("/in/shop/echo", b"NaN", "application/json", 400),
        ("/in/shop/echo", b"[" * 200 + b"]" * 200, "application/json", 400),
        ("/in/shop/echo", b"[" * 90_000, "application/json", 400),
        ("/in/shop/echo", b"a", "text/plain", 415),
        ("/in/shop/echo", b" " * (5 << 20), "application/json", 413),
        ("/in/shop/nobody", b"1", "application/json", 404),
        ("/in/shop/echo.nowhere", b"1", "application/json", 404),
        ("/in/nothing/echo", b"1", "application/json", 404),
        ("/in/shop", b"1", "application/json", 404),
        ("/in/shop/echo.", b"1", "application/json", 404),
    ],
)
def test_what_cannot_be_taken(served: Served, path: str, body: bytes, kind: str, status: int) -> None:
    answer = served.ask("POST", path, body, Content_Type=kind)
    assert (answer.status, b"Traceback" in answer.body) == (status, False)
    assert len(answer.body.splitlines()) == 1


def test_a_full_mailbox_is_429(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        body = b"1\n" * 9000
        assert served.ask("POST", "/in/shop/stuck", body, Content_Type="application/x-ndjson").status == 202
        answer = served.post("/in/shop/stuck", 1)
        assert (answer.status, answer.headers["retry-after"]) == (429, "1")
        assert served.call("audit")["shop/stuck"]["accepted"] == 9000


# once ---------------------------------------------------------------------------------------------------------------


def test_a_key_is_taken_once(served: Served) -> None:
    before = served.call("audit")["shop/echo"]["accepted"]
    threads = [
        threading.Thread(target=lambda: said.append(served.post("/in/shop/echo", 1, Idempotency_Key="k1")))
        for _ in range(8)
    ]  # fmt: skip
    said: list[Any] = []
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in said] == [202] * 8
    assert sum("idempotency-replayed" in answer.headers for answer in said) == 7
    assert served.call("audit")["shop/echo"]["accepted"] == before + 1
    served.post("/in/shop/echo", 1, Idempotency_Key="k2")
    received(served, lambda: served.post("/in/shop/heads", 1, Idempotency_Key="k1"))  # another place
    assert served.call("audit")["shop/echo"]["accepted"] == before + 2


def test_what_was_refused_can_be_sent_again_with_its_key(served: Served) -> None:
    assert served.post("/in/shop/nobody", 1, Idempotency_Key="k3").status == 404
    assert served.post("/in/shop/nobody", 1, Idempotency_Key="k3").status == 404


# CloudEvents: the examples of its HTTP binding ------------------------------------------------------------------------


def received(served: Served, post: Any, count: int = 1) -> list[Any]:
    with out(served, "shop/heads") as answer:
        assert post().json == {"accepted": count}
        return lines(answer, count)


def test_a_structured_event(served: Served) -> None:
    event = EVENT | {"time": "2018-04-05T03:56:24Z", "id": "s1", "data": {"appinfo": 1}}
    body = json.dumps(event).encode()
    post = lambda: served.ask("POST", "/in/shop/heads", body, Content_Type="application/cloudevents+json")  # noqa: E731
    (got,) = received(served, post)
    assert got["message"] == {"appinfo": 1}
    assert got["headers"] == {
        "x-ce-specversion": "1.0", "x-ce-id": "s1", "x-ce-source": "/mycontext", "x-ce-type": "com.example.someevent",
        "x-ce-time": "2018-04-05T03:56:24Z",
    }  # fmt: skip
    assert "idempotency-replayed" in post().headers  # source and id are its key


def test_a_binary_event(served: Served) -> None:
    headers = {"ce_specversion": "1.0", "ce_type": "t", "ce_id": "b1", "ce_source": "/a%20b", "ce_comexampleother": "x"}
    post = lambda: served.post("/in/shop/heads", {"a": 1}, **headers)  # noqa: E731
    (got,) = received(served, post)
    assert got["message"] == {"a": 1}
    assert got["headers"]["x-ce-source"] == "/a b"
    assert got["headers"]["x-ce-datacontenttype"] == "application/json"
    assert got["headers"]["x-ce-comexampleother"] == "x"


def test_a_batch_of_events(served: Served) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    encoded = base64.b64encode(b'{"b": 2}').decode()
    events = [
        EVENT | {"id": "1", "data": 1},
        EVENT | {"id": "2", "datacontenttype": "application/json", "data_base64": encoded},
        EVENT | {"id": "3", "data_base64": "AAEC", "traceparent": trace},
    ]  # fmt: skip
    body = json.dumps(events).encode()
    kind = "application/cloudevents-batch+json"
    got = received(served, lambda: served.ask("POST", "/in/shop/heads", body, Content_Type=kind), 3)
    assert [one["message"] for one in got] == [1, {"b": 2}, "AAEC"]
    assert got[2]["headers"]["traceparent"] == trace
    empty = served.ask("POST", "/in/shop/heads", b"[]", Content_Type=kind)
    assert (empty.status, empty.json) == (202, {"accepted": 0})


@pytest.mark.parametrize(
    "event",
    [{"id": None}, {"specversion": "0.3"}, {"Upper": "x"}, {"ext": {"a": 1}}, {"data": 1, "data_base64": "AA=="},
     {"data_base64": "?"}, {"x" * 5000: "y"}, {"source": ""}],
)  # fmt: skip
def test_a_bad_event_is_refused(served: Served, event: dict[str, Any]) -> None:
    body = json.dumps(EVENT | event).encode()
    assert served.ask("POST", "/in/shop/heads", body, Content_Type="application/cloudevents+json").status == 400


# out ------------------------------------------------------------------------------------------------------------------


def test_events_as_a_browser_reads_them(served: Served) -> None:
    with out(served, "shop/echo.out", "text/event-stream") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        served.post("/in/shop/echo", {"a": 1})
        assert [answer.readline() for _ in range(4)] == [b"retry: 1000\n", b"\n", b'data: {"a":1}\n', b"\n"]


@pytest.mark.parametrize("place", ["shop/nobody", "shop/echo.nowhere", "nothing/echo"])
def test_nothing_comes_out_of_what_is_not_there(served: Served, place: str) -> None:
    with out(served, place) as answer:
        assert answer.status == 404


def test_a_stream_ends_with_its_flow(tmp_path: Path) -> None:
    with serving(tmp_path) as served, out(served, "shop/echo") as answer:
        served.call("removeFlow", "shop")
        assert answer.read() == b""
        served.process.wait(60)


def test_a_reader_that_does_not_read_holds_nobody(served: Served) -> None:
    """It misses messages, and is told how many; no message is half."""
    text = "x" * 1000
    with out(served, "shop/echo", "text/event-stream") as slow:
        total = 0
        for _ in range(40):
            body = b"".join(json.dumps({"n": total + n, "t": text}).encode() + b"\n" for n in range(1000))
            assert served.ask("POST", "/in/shop/echo", body, Content_Type="application/x-ndjson").status == 202
            total += 1000
            while served.call("audit")["shop/echo"]["queued"]:
                pass
        came, dropped = 0, 0
        while came + dropped < total:
            line = slow.readline()
            if line == b"event: dropped\n":
                dropped += json.loads(slow.readline().removeprefix(b"data: "))["dropped"]
            elif line.startswith(b"data: "):
                assert json.loads(line.removeprefix(b"data: "))["t"] == text
                came += 1
        assert came + dropped == total
        assert dropped > 0
