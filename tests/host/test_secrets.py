"""Secrets by reference: modules get what they stand for, and nobody else; what cannot be had is said in time."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from actors.host.secrets import MAX_BYTES, SecretError, secret
from actors.messages import client_to_runner as api
from tests.deployments import plant
from tests.harness import Harness, need

WORD = "hunter2-uhzqx"
CODE = {
    "python3": "import os\n\ndef run(m, c):\n    return [c.config, os.environ.get('KEY')]\n",
    "node": "(m, c) => [c.config, process.env.KEY ?? null]",
}


def module(runtime: str, config: Any, **fields: Any) -> dict[str, Any]:
    return {"runtime": runtime, "code": CODE[runtime], "config": config, **fields}


@pytest.fixture(autouse=True)
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("A_WORD", WORD)
    path = tmp_path / "key"
    path.write_text(f"{WORD}-2\n")
    return path


@pytest.mark.parametrize("runtime", ["python3", "node"])
def test_a_module_gets_them(runner: Harness, secrets: Path, runtime: str) -> None:
    """In `config`, as a whole and within a text, and in `env`; again after its host has died; fused or not."""
    need(runtime)
    config = {"user": "me", "all": ["${env:A_WORD}", {"url": f"pg://me:${{file:{secrets}}}@h/${{env:A_WORD}}"}]}
    modules = {
        "a": module(runtime, config, env={"KEY": "x${env:A_WORD}"}),
        "b": module(runtime, "${env:A_WORD}", env={"KEY": "x${env:A_WORD}"}),
    }
    runner.add("f", modules, ["a -> b"])
    runner.start("f")
    a, b = runner.collect("f", "a.out"), runner.collect("f", "b.out")
    whole = {"user": "me", "all": [WORD, {"url": f"pg://me:{WORD}-2@h/{WORD}"}]}
    for number in range(2):
        runner.send("f/a", 1)
        runner.wait(lambda n=number: len(b.got) == n + 1, "the message")
        assert a.got[-1] == [whole, f"x{WORD}"]
        assert b.got[-1] == [WORD, f"x{WORD}"]
        (key,) = runner.record("f").plans
        if number == 0:
            os.kill(runner.bridge("f", key).host.pid, signal.SIGKILL)
    runner.ok(api.StopFlow, flow_id="f")


def test_updates(runner: Harness, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New references come with new versions into hosts that stay, and what is not touched keeps what it has."""
    flow = {"id": "f", "modules": {"a": module("python3", "${env:A_WORD}"), "z": module("python3", 0)}, "wires": []}
    runner.ok(api.AddOrUpdateFlow, flow=flow)
    runner.start("f")
    a, z = runner.collect("f", "a.out"), runner.collect("f", "z.out")
    flow["modules"]["z"]["config"] = ["${env:NEW}"]  # type: ignore[index]
    answer = runner.call(api.AddOrUpdateFlow, flow=flow)
    assert answer.data == ["f/z: `config[0]`: ${env:NEW}: there is no such variable"]
    monkeypatch.setenv("NEW", "new")
    for config in (["${env:NEW}"], [f"${{file:{secrets}}}"]):
        flow["modules"]["z"]["config"] = config  # type: ignore[index]
        runner.ok(api.AddOrUpdateFlow, flow=flow)
    os.kill(runner.bridge("f", "python3").host.pid, signal.SIGKILL)
    runner.send("f/a", 1)
    runner.send("f/z", 1)
    runner.wait(lambda: a.got and z.got, "both")
    assert (a.got, z.got) == ([[WORD, None]], [[[f"{WORD}-2"], None]])
    runner.ok(api.RollbackFlow, flow_id="f")
    runner.send("f/z", 1)
    runner.wait(lambda: len(z.got) == 2, "the old one")
    assert z.got[1] == [["new"], None]


def test_a_flow_does_not_start_without_them(runner: Harness, secrets: Path) -> None:
    secrets.unlink()
    config = {"x": [f"${{file:{secrets}}}"], "y": "${env:A_WORD}"}
    runner.add("f", {"a": module("python3", config, env={"KEY": "${env:NOT_THERE}"})})
    answer = runner.call(api.StartFlow, flow_id="f")
    assert answer.data == [
        f"f/a: `config.x[0]`: ${{file:{secrets}}}: No such file or directory",
        "f/a: `env.KEY`: ${env:NOT_THERE}: there is no such variable",
    ]
    assert runner.state("f")["state"] == "stopped"


def test_files_that_are_none(tmp_path: Path) -> None:
    """None of them is waited for, none fills the memory."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(b"x" * (MAX_BYTES + 1))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "empty").write_text(" \n")
    for name, said in (
        ("fifo", "it is no regular file"), ("/dev/zero", "it is no regular file"), (".", "it is no regular file"),
        ("large", "it has more than 65,536 bytes"), ("binary", "this is no text"), ("empty", "it is empty"),
        ("none", "No such file or directory"),
    ):  # fmt: skip
        with pytest.raises(SecretError, match=re.escape(said)):
            secret(f"${{file:{tmp_path / name}}}")
    (tmp_path / "fifo").unlink()


def test_nobody_else_gets_them(tmp_path: Path) -> None:
    """A deployment with all that is written down and shown; the file is named from the flow file's folder."""
    flow = {
        "id": "f", "durable": True, "modules": {"a": module("python3", {"k": "${env:A_WORD}", "f": "${file:key}"})},
    }  # fmt: skip
    flow["modules"]["a"]["code"] = (  # type: ignore[index]
        "def run(m, c):\n    assert m\n    return [c.config['k'][::-1], c.config['f'][::-1]]\n"
    )
    path = tmp_path / "f.json"
    path.write_text(json.dumps(flow))
    with plant(tmp_path) as up:
        up.wait_until_up()
        for words in (("apply", str(path)), ("send", "f/a", "1"), ("send", "f/a", "0")):
            assert up.cli(*words).returncode == 0
        shown = ""
        while "AssertionError" not in shown:
            shown = up.cli("dead", "list", "f", "--json").stdout
        with up.client() as client:
            shown += json.dumps(client.list_flows())
        shown += "".join(
            up.cli(*words).stdout
            for words in (
                ("state", "f", "--json"), ("versions", "f"), ("source", "f/a"), ("flows", "--json"), ("logs",),
                ("apply", "--plan", str(path)), ("context", "f/a"), ("audit",), ("check", str(path)),
            )
        )  # fmt: skip
    assert "${env:A_WORD}" in shown
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file() and file.name != "key")
    assert b"A_WORD" in written
    assert WORD not in shown
    assert WORD.encode() not in written
