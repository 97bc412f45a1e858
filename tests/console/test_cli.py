"""Every verb: what it prints, its JSON, its exit status; never a traceback for a user's mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from actors.console.cli import _docs, _parser, main
from actors.console.client import Outcome
from actors.console.text import columns
from actors.console.update_verbs import receipt_text
from tests.deployments import ECHO, RUNNER, Plant, cli, flow, plant


def ok(up: Plant, *words: str, stdin: str = "") -> str:
    done = up.cli(*words, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def as_json(up: Plant, *words: str) -> Any:
    return json.loads(ok(up, *words, "--json"))


def refused(up: Plant, *words: str, status: int = 1) -> str:
    done = up.cli(*words)
    assert done.returncode == status and "Traceback" not in done.stderr and not done.stdout, done
    return done.stderr


def wait_for(up: Plant, flow_id: str, name: str, count: int) -> None:
    with up.client() as client:
        while client.flow_state(flow_id)["modules"]["a"][name] < count:
            pass


@pytest.fixture
def file(up: Plant, tmp_path: Path) -> Path:
    path = tmp_path / "f.json"
    path.write_text(json.dumps(flow("f")))
    yield path
    up.cli("remove", "f")


def test_runtimes(up: Plant) -> None:
    assert "python3" in ok(up, "runtimes") and ok(up, "runtimes").startswith("RUNTIME")
    (python,) = [r for r in as_json(up, "runtimes") if r["id"] == "python3"]
    assert python["available"] is True and python["version"]


def test_flows(up: Plant) -> None:
    assert "echo" in ok(up, "flows")
    assert [f["state"] for f in as_json(up, "flows", "--runtime", "python3") if f["id"] == "echo"] == ["running"]
    assert "there is no runtime 'cobol'" in refused(up, "flows", "--runtime", "cobol")


def test_the_life_of_a_flow(up: Plant, file: Path) -> None:
    assert ok(up, "apply", str(file), "--no-start") == "f: added, stopped, version 1\n  a: added\n"
    assert as_json(up, "state", "f")["state"] == "stopped"
    for _ in range(2):  # repeating is fine
        assert ok(up, "start", "f") == "f: running\n"
    file.write_text(json.dumps(flow("f", ECHO + "# new\n")))
    assert ok(up, "apply", str(file), "--plan") == "f: would be\n  a: replaced\n"
    applied = as_json(up, "apply", str(file))
    assert (applied["ok"], applied["flow"], applied["leftOut"]) == (True, "f", {})
    assert applied["receipt"]["version"] == 2
    a = applied["receipt"]["modules"]["a"]
    assert a["did"] == "replaced"
    assert a["pauseMs"] > 0
    assert a["from"] != a["to"]
    assert ok(up, "rollback", "f").startswith("f: rolled back, version 3\n  a: replaced (paused ")
    assert as_json(up, "stop", "f") == {"ok": True, "flow": "f"}
    assert as_json(up, "state", "f")["state"] == "stopped"
    assert ok(up, "remove", "f") == "f: removed\n"
    assert "there is no flow 'f'" in refused(up, "start", "f")


def test_versions_and_their_texts(up: Plant, tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    modules = {name: {"runtime": "python3", "code": "def run(m, c):\n    return m\n"} for name in "abcdefg"}
    path.write_text(json.dumps({"id": "w", "modules": modules}))
    ok(up, "apply", str(path), "--no-start")
    modules["a"]["code"] += "# new\n"
    path.write_text(json.dumps({"id": "w", "modules": {**modules, "h": modules["b"]}, "wires": ["a -> b"]}))
    ok(up, "apply", str(path), "--no-start")
    del modules["b"]
    modules["i"] = modules["c"]
    path.write_text(json.dumps({"id": "w", "modules": modules, "drain_timeout_s": 3}))
    ok(up, "start", "w")
    assert ok(up, "apply", str(path), "--no-start").startswith("w: running, version 3\n")
    lines = [line.split(maxsplit=1) for line in ok(up, "versions", "w").splitlines()[1:]]
    assert lines == [
        ["1", "-"], ["2", "added h; changed a; wires"], ["3", "runs  added i; removed b, h; drain_timeout_s; wires"]
    ]  # fmt: skip
    assert [row["current"] for row in as_json(up, "versions", "w")] == [False, False, True]
    assert ok(up, "source", "w/a") == modules["a"]["code"]
    assert ok(up, "source", "w/a", "--version", "1") == "def run(m, c):\n    return m\n"
    assert as_json(up, "source", "w/a")["runtime"] == "python3"
    assert "w: there is no version 9; kept are 1, 2, 3" in refused(up, "source", "w/a", "--version", "9")
    assert "w: version 3 has no module 'b'" in refused(up, "source", "w/b")
    ok(up, "remove", "w")


def test_a_few_untouched_modules_are_shown_and_many_counted() -> None:
    rows = {name: {"did": "untouched"} for name in "abcde"}
    said = receipt_text("f: would be", Outcome(ok=True, receipt={"modules": {"x": {"did": "added"}, **rows}}))
    assert said == "\n".join(["f: would be", "  x: added", *(f"  {name}: untouched" for name in "abcde")])
    rows["f"] = rows["a"]
    said = receipt_text("f: would be", Outcome(ok=True, receipt={"modules": {"x": {"did": "added"}, **rows}}))
    assert said == "f: would be\n  x: added\n  6 modules: untouched"


def test_apply_names_the_place_of_a_mistake(up: Plant, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("id: bad\nmodules:\n  a: {runtime: python3, cod: x}\nwires:\n  - a -> b\n")
    said = refused(up, "apply", str(path))
    assert f"runner: {path}:3:25: `modules.a.cod` is not a known field; did you mean 'code'?" in said
    assert f"runner: {path}:5:5: " in said
    path.write_text("id: bad\nmodules:\n  a: {runtime: cobol, code: x}\n")
    assert "there is no runtime 'cobol'" in refused(up, "apply", str(path))
    path.write_text("id: bad\nmodules:\n  a: {runtime: python3, code: 'syntax error'}\n")
    assert "SyntaxError" in refused(up, "apply", str(path))
    refused(up, "apply", str(tmp_path / "nothing.yaml"))
    up.cli("remove", "bad")


def test_send_dead_and_audit(up: Plant, file: Path) -> None:
    ok(up, "apply", str(file))
    assert ok(up, "send", "f/a", '{"x": [1, null]}') == "sent\n"
    assert as_json(up, "send", "f/a.in", '"bad"') == {"ok": True, "sent": 1}
    assert ok(up, "send", "f/a", "-", stdin='1\n\n"two"\n') == "2 sent\n"
    wait_for(up, "f", "deadLettered", 1)
    (letter,) = as_json(up, "dead", "list", "f")
    assert letter["message"] == "bad" and letter["error"]["message"] == "a bad message"
    assert "a bad message" in ok(up, "dead", "list", "f")
    assert ok(up, "dead", "replay", letter["id"]) == f"{letter['id']}: sent again\n"
    wait_for(up, "f", "deadLettered", 2)
    wait_for(up, "f", "completed", 3)
    row = as_json(up, "audit")["f/a"]
    assert row == {"accepted": 5, "completed": 3, "queued": 0, "dropped": 0, "deadLettered": 2, "balanced": True}
    assert "f/a" in ok(up, "audit") and "yes" in ok(up, "audit")
    assert "f: running" in ok(up, "state", "f")
    assert "no dead letter 'f/99'" in refused(up, "dead", "replay", "f/99")
    assert "no dead letter" in ok(up, "dead", "list", "echo")


def test_dead_letters_are_a_work_list(up: Plant, file: Path) -> None:
    ok(up, "apply", str(file))
    ok(up, "send", "f/a", "-", stdin='"bad"\n"bad"\n"bad"\n')
    wait_for(up, "f", "deadLettered", 3)
    first, second, third = [letter["id"] for letter in as_json(up, "dead", "list", "f")]
    assert ok(up, "dead", "show", first).endswith('\n"bad"\n') and "a bad message" in ok(up, "dead", "show", first)
    assert "not JSON" in refused(up, "dead", "edit", first, "{", status=2)
    assert "there is no dead letter 'f/99'" in refused(up, "dead", "edit", "f/99", "1")
    ok(up, "dead", "edit", first, '{"good": true}')
    assert as_json(up, "dead", "show", first)["message"] == {"good": True}
    assert ok(up, "dead", "replay", first) == f"{first}: sent again\n"
    wait_for(up, "f", "completed", 1)
    assert "of the type 'KeyError'; there are: ValueError" in refused(up, "dead", "replay", "--type", "KeyError", "f")
    assert as_json(up, "dead", "replay", "f", "--type", "ValueError")["replayed"] == [second, third]
    wait_for(up, "f", "deadLettered", 5)
    assert ok(up, "dead", "replay", "--all", "f") == "f: 2 dead letters sent again\n"
    assert "IDs" in refused(up, "dead", "replay", status=2)
    wait_for(up, "f", "deadLettered", 7)
    first, second = [letter["id"] for letter in as_json(up, "dead", "list", "f")]
    assert ok(up, "dead", "drop", first) == f"{first}: dropped\n"
    assert refused(up, "dead", "drop", second, first).splitlines()[-1] == "runner: 1 of 2 were dropped"
    assert as_json(up, "dead", "list", "f") == []
    assert as_json(up, "audit")["f/a"]["deadLettered"] == 7


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["send", "echo", "1"], 2, "FLOW/MODULE"),
        (["send", "echo/a", "{"], 2, "not JSON"),
        (["send", "echo/a", "NaN"], 2, "not JSON"),
        (["send", "echo/a", '"\\ud800"'], 2, "not JSON"),
        (["send", "echo/b", "1"], 1, "no module 'b'; it has a"),
        (["send", "nope/a", "1"], 1, "there is no flow 'nope'"),
        (["state", "nope"], 1, "there is no flow 'nope'"),
        (["dead", "list", "nope"], 1, "there is no flow 'nope'"),
        (["stop", "nope"], 1, "there is no flow 'nope'"),
        (["flows", "--runner", "nope"], 1, "no live runner is called 'nope'; there are edge"),
        (["remove"], 2, "FLOW"),
        (["dead"], 2, "{list,show,edit,drop,replay}"),
        (["nope"], 2, "invalid choice"),
        ([], 2, "COMMAND"),
        (["schema", "nope"], 2, "invalid choice"),
        (["conformance", "cobol"], 2, "there is no runtime 'cobol'"),
        (["down", "nope"], 1, "no deployment 'nope' is up"),
        (["test", "nope.yaml"], 1, "nope.yaml does not exist"),
        (["run", "nope.yaml"], 1, "nope.yaml does not exist"),
        (["up", "nope.yaml"], 1, "nope.yaml does not exist"),
    ],
)
def test_mistakes(up: Plant, words: list[str], status: int, says: str) -> None:
    assert says in refused(up, *words, status=status)


def test_without_a_runner(tmp_path: Path) -> None:
    for words in (["flows"], ["send", "a/b", "1"], ["apply", "configs/words.yaml"], ["audit", "--json"], ["down"]):
        done = cli(tmp_path, *words)
        assert done.returncode == 1 and str(tmp_path) in done.stderr and "Traceback" not in done.stderr


def test_several_runners(tmp_path: Path) -> None:
    with plant(tmp_path) as up:
        up.wait_until_up()
        file = tmp_path / "solo.json"
        file.write_text(json.dumps(flow("solo")))
        command = [*RUNNER, "--state", str(up.state), "run", str(file)]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None and b"started" in process.stderr.readline()
            assert [f["id"] for f in as_json(up, "flows")] == ["echo", "solo"]
            assert [f["id"] for f in as_json(up, "flows", "--runner", "solo")] == ["solo"]
            assert [f["id"] for f in as_json(up, "flows", "--runner", str(process.pid))] == ["solo"]
            assert as_json(up, "state", "solo")["id"] == "solo"  # the one that has the flow
            assert as_json(up, "send", "echo/a", "1")["sent"] == 1
            assert as_json(up, "apply", str(file))["flow"] == "solo"
            assert [f["id"] for f in as_json(up, "flows", "--runner", "edge")] == ["echo"]
            assert "no live runner has the flow 'nope'" in refused(up, "stop", "nope")
            process.terminate()
            process.stderr.read()
        assert process.returncode == 0


def test_schemas() -> None:
    for kind in ("flow", "deployment"):
        done = cli(Path("/nonexistent"), "schema", kind, "--json")
        jsonschema.Draft202012Validator.check_schema(json.loads(done.stdout))


def test_doctor(tmp_path: Path) -> None:
    done = cli(tmp_path / "state", "doctor", "--json")
    checks = {check["what"]: check for check in json.loads(done.stdout)}
    assert done.returncode == 0, checks
    assert {"python", "thespian", "runtime python3", "state folder", "pidfd", "pipe-max-size"} <= checks.keys()
    assert "runtime python3" in cli(tmp_path / "state", "doctor").stdout
    (tmp_path / "file").write_text("")
    done = cli(tmp_path / "file", "doctor")
    assert done.returncode == 1 and "MISSING" in done.stdout


def test_conformance(tmp_path: Path) -> None:
    done = cli(tmp_path, "conformance", "python3", "--case", "link.hello")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "1 passed, 0 failed"
    assert cli(tmp_path, "conformance", "python3", "--case", "no.such").returncode == 2


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--version"], ["--help"], ["apply", "--help"], ["dead", "list", "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "Start a flow, or go on where it was stopped." in said  # from the request class
    assert "DEPLOYMENT.yaml" not in said.splitlines()[0]


def test_the_parser_imports_nothing_heavy() -> None:
    code = "import sys, actors.console.cli as c; c._parser(c._docs(['run'])); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"thespian", "yaml", "rich", "asyncio", "dataclasses", "concurrent"} & set(modules)
    assert _parser(_docs(["run"])).parse_args(["--state", "x", "flows"]).state == "x"
    assert _parser(_docs(["run"])).parse_args(["flows", "--state", "x"]).state == "x"


def test_columns() -> None:
    assert columns(("A", "NUMBER"), [("x", 1), ("long", 12345)]) == "A     NUMBER\nx          1\nlong  12,345"
    assert columns(("A", "B"), []) == "A  B"


def test_a_refusal_is_json_too(up: Plant) -> None:
    for words in (
        ["remove", "nope"],
        ["send", "echo", "1"],
        ["send", "echo/a", "{"],
        ["state", "nope"],
        ["apply", "x"],
    ):
        done = up.cli(*words, "--json")
        answer = json.loads(done.stdout)
        assert done.returncode in (1, 2) and answer["ok"] is False
        assert "".join(f"runner: {sentence}\n" for sentence in answer["errors"]) == done.stderr


def test_remove_needs_a_flow_that_is_there(up: Plant) -> None:
    assert "there is no flow 'ecko'; did you mean 'echo'? flows here: " in refused(up, "remove", "ecko")
    assert "the flow 'echo' has no module 'A'; did you mean 'a'? it has a" in refused(up, "send", "echo/A", "1")


def test_bytes_that_are_no_text_and_text_that_is_no_name(up: Plant) -> None:
    assert refused(up, "remove", "\udcff", status=2) == "runner: an argument is not UTF-8 text\n"
    assert refused(up, "send", "echo/a", '"\udcff"', status=2)
    said = refused(up, "start", "\x1b[2J")
    assert "\x1b" not in said and r"\x1b[2J" in said


@pytest.mark.parametrize("target", ["/dev/full", "closed"])
def test_an_output_that_takes_nothing_is_an_error(up: Plant, target: str) -> None:
    for words in ("flows", "state echo --json", "schema flow", "--help", "--version", "send echo/a 1"):
        end = ">&-" if target == "closed" else f"> {target}"
        line = f"env -u PYTHONUNBUFFERED {' '.join(RUNNER)} --state {up.state} {words} {end}"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False)
        why = "Bad file descriptor" if target == "closed" else "No space left on device"
        said = done.stderr.replace("standard output: ", "")  # which is known of a short output only
        assert (done.returncode, said) == (1, f"runner: {why}\n"), (words, done)


def test_a_test_of_a_module_that_cannot_run_here_is_left_out(tmp_path: Path) -> None:
    """The flow says that it is optional; what it says of the others still counts."""
    modules = {"a": {"runtime": "python3", "code": ECHO}, "b": {"runtime": "node", "code": "m => m", "optional": True}}
    tests = [{"name": name, "send": {name: [1]}, "expect": {name: [1]}} for name in "ab"]
    path = tmp_path / "f.json"
    path.write_text(json.dumps({"id": "f", "modules": modules, "wires": [], "tests": tests}))
    command = [*RUNNER, "--state", str(tmp_path / "state"), "test", str(path)]
    env = {**os.environ, "PATH": "/nonexistent"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    first, second, third, last = done.stdout.splitlines()
    assert (first, second, last) == ("ok: a", "left out: b", "1 passed, 0 failed, 1 left out"), done
    assert third.startswith("  b: ") and done.returncode == 0
