"""The Runner API over HTTP and WebSocket, tokens and origins, what is open to everybody."""

from __future__ import annotations

import http.client
import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from actors.messages.client_to_runner import REQUESTS
from tests.gateway.served import Served
from tests.test_run import wait_for

PING = {"jsonrpc": "2.0", "method": "ping"}


def test_a_call_and_a_batch(served: Served) -> None:
    assert [flow["id"] for flow in served.call("listFlows")] == ["shop"]
    answers = served.post("/rpc", [PING | {"id": 1}, PING, PING | {"id": "b"}]).json
    assert {answer["id"]: answer["result"] for answer in answers} == {1: True, "b": True}


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", -32700), (b"[]", -32600), (b"1", -32600), (b'{"jsonrpc":"2.0","id":1,"method":"no"}', -32601)],
)
def test_what_is_no_call_is_answered_as_json_rpc(served: Served, body: bytes, code: int) -> None:
    answer = served.ask("POST", "/rpc", body)
    assert answer.status == 200
    assert answer.json["error"]["code"] == code


def test_a_notification_has_an_empty_answer(served: Served) -> None:
    answer = served.post("/rpc", PING)
    assert (answer.status, answer.body) == (204, b"")


def test_a_connection_is_kept_and_requests_may_wait_in_it(served: Served) -> None:
    request = (
        f"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nPOST /rpc HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {served.token}\r\nContent-Length: 41\r\n\r\n"
        '{"jsonrpc":"2.0","id":7,"method":"ping"}\n'
        "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    with served.raw() as sock:
        sock.sendall(request.encode())
        said = b"".join(iter(lambda: sock.recv(65536), b""))
    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"200", b"200", b"404"]
    assert b'{"jsonrpc":"2.0","id":7,"result":true}' in said


def test_a_websocket_has_calls_in_any_number(served: Served) -> None:
    with served.websocket() as socket:
        assert socket.subprotocol == "runner.v1"
        for number in range(300):
            socket.send(json.dumps(PING | {"id": number}))
        assert sorted(json.loads(socket.recv(30))["id"] for _ in range(300)) == list(range(300))
        socket.send("{")
        assert json.loads(socket.recv(30))["error"]["code"] == -32700


def test_a_websocket_of_a_program(served: Served) -> None:
    """It can say who it is as any other request does."""
    headers = {"Authorization": f"Bearer {served.token}"}
    with connect(f"ws://{served.host}:{served.port}/rpc", additional_headers=headers) as socket:
        socket.send(json.dumps(PING | {"id": 1}))
        assert json.loads(socket.recv(30))["result"] is True


def test_a_tap_over_a_websocket(served: Served) -> None:
    def call(method: str, **params: Any) -> Any:
        socket.send(json.dumps({"jsonrpc": "2.0", "id": method, "method": method, "params": params}))
        return json.loads(socket.recv(30))["result"]

    with served.websocket() as socket:
        tap = call("tapPort", flowModuleId="shop/echo")
        assert call("sendMessage", flowModuleId="shop/echo", message={"a": 1}) is True
        assert [one["message"] for one in call("readTap", tapId=tap)["messages"]] == [{"a": 1}]


# who may ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/rpc", "/in/shop/echo.in"])
@pytest.mark.parametrize(("token", "status"), [(None, 401), ("wrong", 401), ("client", 403)])
def test_without_the_token_nothing_is_done(served: Served, path: str, token: str | None, status: int) -> None:
    before = served.call("audit")["shop/echo"]["accepted"]
    given = served.client_token if token == "client" else token
    answer = served.ask("POST", path, b'{"jsonrpc":"2.0","id":1,"method":"ping"}', token=given)
    assert answer.status == status
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert served.call("audit")["shop/echo"]["accepted"] == before


@pytest.mark.parametrize("token", [None, "wrong"])
def test_a_websocket_without_the_token(served: Served, token: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        served.websocket(token)
    assert refused.value.response.status_code == 401


def test_a_foreign_page_may_not_connect(served: Served) -> None:
    assert served.post("/rpc", PING | {"id": 1}, Origin="http://evil.example").status == 403
    assert served.post("/rpc", PING | {"id": 1}, Origin=served.address).status == 200
    with pytest.raises(InvalidStatus) as refused:
        served.websocket(origin="http://evil.example")
    assert refused.value.response.status_code == 403
    with served.websocket(origin=served.address):
        pass


def test_a_page_of_an_allowed_origin_is_asked_before_and_may_read(served: Served) -> None:
    """As a browser does before a POST with Authorization; it sends no token with that."""
    asked = {"Origin": served.address, "Access_Control_Request_Method": "POST"}
    before = served.ask("OPTIONS", "/in/shop/echo", token=None, **asked)
    assert before.status == 204
    assert "authorization" in before.headers["access-control-allow-headers"]
    for answer in (before, served.post("/in/shop/echo", 1, Origin=served.address)):
        assert answer.headers["access-control-allow-origin"] == served.address
    foreign = served.ask("OPTIONS", "/in/shop/echo", token=None, **asked | {"Origin": "http://evil.example"})
    assert (foreign.status, "access-control-allow-origin" in foreign.headers) == (405, False)


def test_tokens_are_for_their_owner_only(served: Served) -> None:
    for name in ("gateway.token", "gateway.client-token"):
        assert stat.S_IMODE((served.state / name).stat().st_mode) == 0o600
    assert served.token != served.client_token


# what else is there -------------------------------------------------------------------------------------------------


def test_health_and_the_page_need_no_token(served: Served) -> None:
    assert served.ask("GET", "/healthz", token=None).body == b"ok\n"
    page = served.ask("GET", "/", token=None)
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    head = served.ask("HEAD", "/", token=None)
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(page.body)))


@pytest.mark.parametrize(
    "path", ["/../gateway/access.py", "/..%2f..%2fsetup.cfg", "/%2e%2e/gateway/gateway.py", "/a%00b", "//etc/passwd"]
)
def test_there_is_no_way_out_of_the_pages(served: Served, path: str) -> None:
    connection = http.client.HTTPConnection(served.host, served.port, timeout=60)
    connection.putrequest("GET", path, skip_host=False)
    connection.endheaders()
    assert connection.getresponse().status == 404
    connection.close()


def samples(served: Served) -> dict[str, list[tuple[dict[str, str], float]]]:
    text = served.ask("GET", "/metrics").body.decode()
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_metrics_are_the_accounts(served: Served) -> None:
    served.post("/in/shop/heads", 1)
    account = served.call("audit")["shop/heads"]
    found = samples(served)
    heads = {name: value for name, rows in found.items() for labels, value in rows if labels.get("module") == "heads"}
    assert heads["runner_module_messages_accepted_total"] == account["accepted"] > 0
    assert found["runner_flow_running"] == [({"flow": "shop"}, 1)]
    assert served.ask("GET", "/metrics", token=None).status == 401


def test_metrics_have_latencies_wires_and_updates(served: Served) -> None:
    code = "def run(message, context):\n    return message\n"
    modules = {"a": {"runtime": "python3", "code": code, "isolated": True}, "b": {"runtime": "python3", "code": code}}
    flow = {"id": "m", "modules": modules, "wires": ["a -> b"]}
    served.call("addOrUpdateFlow", flow)
    served.call("startFlow", "m")
    assert "runner_update_pause_seconds" not in samples(served)
    served.post("/in/m/a", 1)
    wait_for(lambda: served.call("audit")["m/b"]["completed"] == 1)
    served.call("addOrUpdateFlow", {**flow, "modules": {**modules, "b": {**modules["b"], "config": 1}}})
    found = samples(served)
    latency = "runner_module_latency_seconds"
    of_a = {"flow": "m", "module": "a"}
    buckets = [value for labels, value in found[f"{latency}_bucket"] if of_a.items() <= labels.items()]
    assert buckets == sorted(buckets)
    assert len(buckets) == 14
    assert buckets[-1] == dict_of(found[f"{latency}_count"])["m", "a"] == 1
    assert 0 < dict_of(found[f"{latency}_sum"])["m", "a"] < 60
    assert ({"flow": "m", "wire": "a.out->b.in"}, 1) in found["runner_wire_messages_total"]
    assert ({"flow": "m", "wire": "a.out->b.in"}, 0) in found["runner_wire_waiting_messages"]
    assert ({"flow": "m"}, 1) in found["runner_flow_updates_total"]
    assert [labels for labels, value in found["runner_update_pause_seconds"] if value > 0] == [{"flow": "m"}]
    served.call("removeFlow", "m")


def dict_of(rows: list[tuple[dict[str, str], float]]) -> dict[tuple[str, str], float]:
    return {(labels["flow"], labels["module"]): value for labels, value in rows}


def test_openrpc_has_every_call(served: Served) -> None:
    document = served.ask("GET", "/openrpc.json").json
    methods = {method["name"]: method for method in document["methods"]}
    assert methods.keys() == REQUESTS.keys()
    send = {param["name"]: param["required"] for param in methods["sendMessage"]["params"]}
    assert send == {"flowModuleId": True, "port": False, "message": True}


def test_a_method_that_is_not_understood(served: Served) -> None:
    answer = served.ask("DELETE", "/rpc")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")


def test_the_way_in_is_printed(served: Served) -> None:
    command = [sys.executable, "-m", "actors.console", "--state", str(served.state), "open"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == f"{served.address}/#token={served.token}\n"


def test_nothing_of_it_is_loaded_without_it(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("id: f\nmodules:\n  a: {runtime: python3, code: 'def run(m, c): return m'}\n")
    program = (
        "import sys; from actors.console.cli import main; "
        f"main(['--state', {str(tmp_path / 's')!r}, 'run', {str(tmp_path / 'f.yaml')!r}, '--for', '0.2']); "
        "print([m for m in sys.modules if m.startswith(('h11', 'websockets', 'actors.gateway', 'http.client'))])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"
