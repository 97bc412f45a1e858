"""The gateway of a deployment: of one runner, and of several, whose flows are reached at one address."""

from __future__ import annotations

import http.client
import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.deployments import RUNNER, Plant, flow, plant
from tests.gateway.served import Answer
from tests.test_run import wait_for

SPREAD = {
    "id": "spread",
    "modules": {
        "a": {"runtime": "python3", "code": "def run(m, c):\n    return m + 1\n"},
        "b": {"runtime": "python3", "code": "def run(m, c):\n    c.set('last', m)\n    return m * 10\n"},
    },
    "wires": ["a -> b"],
}


def way_in_of(up: Plant) -> str:
    """What `runner open` prints; if it is refused, the reason is shown with the test."""
    opened = up.cli("open")
    if opened.returncode:
        print("runner open:", opened.stderr)
    return opened.stdout.strip()


def ask(up: Plant, method: str, path: str, value: Any = None, token: str | None = None) -> Answer:
    """A request, with what `runner open` prints."""
    way_in = urlsplit(wait_for(lambda: way_in_of(up)))
    connection = http.client.HTTPConnection(way_in.hostname or "", way_in.port, timeout=60)
    told = {"Authorization": f"Bearer {token or way_in.fragment.removeprefix('token=')}"}
    try:
        connection.request(method, path, None if value is None else json.dumps(value).encode(), told)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def call(up: Plant, method: str, **params: Any) -> Any:
    answer = ask(up, "POST", "/rpc", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).json
    assert "result" in answer, answer
    return answer["result"]


def test_of_one_runner(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("open sesame\n")
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.html").write_text("<!doctype html>hello")
    gateway = {"listen": "127.0.0.1:0", "token": "${file:secret}", "pages": "pages"}
    with plant(tmp_path, gateway=gateway) as up:
        up.wait_until_up()
        assert up.cli("open").stdout.endswith("/#token=open sesame\n")
        assert ask(up, "POST", "/in/echo/a", 5).status == 202
        assert call(up, "audit")["echo/a"]["accepted"] == 1
        assert ask(up, "GET", "/app/").body == b"<!doctype html>hello"
        assert ask(up, "GET", "/metrics", token="wrong").status == 401
    assert "sesame" not in up.log.read_text()


def test_of_several_runners(tmp_path: Path) -> None:
    (tmp_path / "spread.json").write_text(json.dumps(SPREAD))
    flows = [{"file": "echo.json", "place": {"a": "r1"}}, {"file": "spread.json", "place": {"a": "r1", "b": "r2"}}]
    with plant(tmp_path, runners={"r1": {}, "r2": {}}, flows=flows, gateway={"listen": "127.0.0.1:0"}) as up:
        up.wait_until_up()
        assert {one["id"] for one in call(up, "listFlows")} == {"echo", "spread"}
        assert ask(up, "POST", "/in/spread/a", 4).json == {"accepted": 1}
        while call(up, "getContext", flowModuleId="spread/b") != {"last": 5}:
            pass
        rows = ask(up, "GET", "/metrics").body.decode()
        for module in "ab":
            assert f'runner_module_messages_accepted_total{{flow="spread",module="{module}"}} 1\n' in rows
        assert ask(up, "POST", "/in/spread/nobody", 4).status == 404


@pytest.mark.parametrize(
    ("token", "sentence"), [("${env:NOT_THERE}", "there is no such variable"), ("${file:no}", "No such file")]
)
def test_a_secret_that_is_not_there(tmp_path: Path, token: str, sentence: str) -> None:
    with plant(tmp_path, gateway={"listen": "127.0.0.1:0", "token": token}) as up:
        assert up.process.wait(60) == 1
        assert sentence in up.log.read_text()
        assert "Traceback" not in up.log.read_text()


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    assert flow()  # of the plant
    with plant(tmp_path, gateway={"listen": "192.0.2.1:80"}) as up:
        assert up.process.wait(60) == 1
        assert "the gateway cannot be opened: 192.0.2.1:80" in up.log.read_text()


def test_the_way_in_is_that_of_who_has_one(tmp_path: Path) -> None:
    """Another runner, without a gateway, is no reason to ask which."""
    (tmp_path / "other.json").write_text(json.dumps({"id": "other", "modules": SPREAD["modules"]}))
    with plant(tmp_path, gateway={"listen": "127.0.0.1:0"}) as up:
        up.wait_until_up()
        words = [*RUNNER, "--state", str(up.state), "run", str(tmp_path / "other.json")]
        other = subprocess.Popen(words, stderr=subprocess.PIPE)
        try:
            assert other.stderr is not None
            while b"waits for" not in other.stderr.readline():
                assert other.poll() is None
            assert wait_for(lambda: way_in_of(up)).startswith("http://127.0.0.1:")
        finally:
            other.terminate()
            other.communicate()
