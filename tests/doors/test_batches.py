"""JSON-RPC batches on the API socket: the examples of its specification (section 7), and limits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.doors import caller, rpc
from actors.messages.door_to_flow import ShowWhole
from actors.messages.runner_to_client import Notification
from tests.doors.test_door import Harness, client, opened

__all__ = ["opened"]
PING = {"jsonrpc": "2.0", "method": "ping"}


def by_id(answers: list[Any]) -> dict[Any, Any]:
    return {answer["id"]: answer.get("result", answer.get("error", {}).get("code")) for answer in answers}


@pytest.mark.parametrize(
    ("line", "code"),
    [(b"[]", -32600), (b'[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc"]', -32700)],
)
def test_what_is_no_batch_is_answered_with_one_object(opened: Harness, line: bytes, code: int) -> None:
    with client(opened) as c:
        answer = c.ask(line)
        assert answer["id"] is None
        assert answer["error"]["code"] == code


@pytest.mark.parametrize("count", [1, 3])
def test_each_that_is_no_request_is_answered(opened: Harness, count: int) -> None:
    with client(opened) as c:
        answers = c.ask(json.dumps([*range(count)]).encode())
        assert [answer["error"]["code"] for answer in answers] == [rpc.INVALID_REQUEST] * count
        assert all(answer["id"] is None for answer in answers)


def test_a_batch_of_all_kinds_is_answered_at_once(opened: Harness) -> None:
    batch = [
        PING | {"id": "1"}, PING, {"jsonrpc": "2.0", "method": "listFlows", "id": "2"}, {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
    ]  # fmt: skip
    with client(opened) as c:
        assert by_id(c.ask(json.dumps(batch).encode())) == {
            "1": True, "2": [], None: rpc.INVALID_REQUEST, "5": rpc.METHOD_NOT_FOUND
        }  # fmt: skip


def test_notifications_alone_are_not_answered(opened: Harness) -> None:
    with client(opened) as c:
        c.send(json.dumps([PING, PING]).encode() + b"\n")
        assert c.call("listFlows") == {"jsonrpc": "2.0", "id": 1, "result": []}


def test_a_batch_that_is_too_long_does_nothing(opened: Harness) -> None:
    with client(opened) as c:
        assert len(c.ask(json.dumps([PING | {"id": n} for n in range(rpc.MAX_BATCH)]).encode())) == rpc.MAX_BATCH
        answer = c.ask(json.dumps([PING | {"id": n} for n in range(rpc.MAX_BATCH + 1)]).encode())
        assert "at most 256" in answer["error"]["message"]


# subscriptions ------------------------------------------------------------------------------------------------------


def test_a_subscription_ends_with_its_connection(opened: Harness) -> None:
    opened.add("f", {"a": {"runtime": "python3", "code": "def run(m, c): return m"}})
    with client(opened) as c:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": {"flowId": "f", "everyMs": 250}}
        subscription = c.ask(json.dumps(asked).encode())["result"]
        told = c.line()
        assert told["method"] == "flowFigures"
        assert told["params"]["subscriptionId"] == subscription
        assert told["params"]["whole"] is True
        assert told["params"]["state"]["modules"]["a"]["accepted"] == 0
    with client(opened) as other:

        def is_gone() -> bool:
            answer = other.call("unsubscribe", subscription)
            return "no subscription" in answer.get("error", {}).get("message", "")

        opened.wait(is_gone, "the end of the subscription")


def test_a_client_that_does_not_read_gets_the_whole_later() -> None:
    room, said, asked = [False], [], []
    one = caller.Caller("c", asked.append, said.append, said.append, lambda: room[0])
    tell = lambda whole: one.notify(  # noqa: E731
        Notification(request_id="c.1", subscription_id="f/1", method="flowFigures", params={}, whole=whole)
    )
    tell(False)
    room[0] = True
    tell(False)
    assert (said, [type(request) for request in asked]) == ([], [ShowWhole])
    tell(True)
    tell(False)
    assert len(said) == 2
