"""`runner test`: matchers, dead letters, differences, prints; `--update`, `--watch`, `--keep-as-test`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from actors.console.kept_tests import TestFile
from tests.console.test_cli import ok, refused
from tests.deployments import RUNNER, TIMEOUT_S, Plant, cli

FLOW = """\
# What this flow is for.
id: t
modules:
  a:
    runtime: python3
    retry: {times: 1, backoff_s: 50}
    code: |
      def run(m, c):
          print("handling", m)
          if m == "bad":
              raise ValueError(f"a bad message: {m}")
          return {"v": m, "id": "abc-12"}
tests:   # run by runner test
"""
EXACT = """\
  - name: exact
    send: {a: [1, 2]}   # two
    expect:
      a:
        - {v: 1, id: "abc-12"}   # right already
        - {v: 3, id: 'abc-12'}
        - {v: 4}
"""
MATCHED = """\
  - name: matched
    send: {a: ["bad", 2]}
    skip_waits: true
    expect: {a: [{$partial: {v: 2}}]}
    dead: {a: [{type: ValueError, text: {$pattern: "a bad"}, message: bad}]}
"""
UNFORESEEN = """\
  - name: unforeseen
    send: {a: [bad]}
    skip_waits: true
    expect: {a: []}
"""


def write(folder: Path, *tests: str, name: str = "t.yaml") -> Path:
    path = folder / name
    path.write_text(FLOW + "".join(tests))
    return path


def test_dead_letters_matchers_and_waits(tmp_path: Path) -> None:
    """A retry's pause of 50 s is none: else this test has no time for it."""
    done = cli(tmp_path / "state", "test", str(write(tmp_path, MATCHED, UNFORESEEN)))
    assert done.returncode == 1
    first, *lines = done.stdout.splitlines()
    assert first == "ok: matched" and lines[-1] == "1 passed, 1 failed"
    assert "  | a: handling bad" in lines and "FAIL: unforeseen" in lines
    said = lines[lines.index("FAIL: unforeseen") :]
    assert f"dead letter at t/a: {tmp_path}/t.yaml:11: ValueError: a bad message: bad" in said[1]
    assert any("raise ValueError" in line for line in said), "its stack"
    assert "ValueError" not in done.stderr, "what is foreseen is no news"
    answer = json.loads(cli(tmp_path / "state", "test", str(tmp_path / "t.yaml"), "-k", "MATCHED", "--json").stdout)
    assert answer["ok"] and [test["result"] for test in answer["tests"]] == ["ok"]


def test_a_test_that_takes_too_long_fails_whatever_it_expects(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    code = "import threading\nrun = lambda m, c: threading.Event().wait()"
    test = {"name": "slow", "send": {"a": [1]}, "expect": {"a": []}, "timeout_s": 0.5}
    module = {"runtime": "python3", "code": code}
    document = {"id": "t", "drain_timeout_s": 0.5, "modules": {"a": module}, "tests": [test]}
    file.write_text(json.dumps(document))
    done = cli(tmp_path / "state", "test", str(file))
    assert done.returncode == 1 and "it had not come to its end after 0.5 s" in done.stdout, done


def test_a_difference_is_shown_as_one(tmp_path: Path) -> None:
    done = cli(tmp_path / "state", "test", str(write(tmp_path, EXACT)))
    assert done.returncode == 1
    assert done.stdout.splitlines()[:6] == [
        "FAIL: exact",
        '  a.out: message 2 is {"v": 2, "id": "abc-12"}, expected {"v": 3, "id": "abc-12"}',
        '   {"id": "abc-12", "v": 1}',
        '  -{"id": "abc-12", "v": 3}',
        '  -{"v": 4}',
        '  +{"id": "abc-12", "v": 2}',
    ]


def test_update_keeps_what_is_right_and_all_comments(tmp_path: Path) -> None:
    file = write(tmp_path, EXACT, MATCHED, UNFORESEEN)
    file.chmod(0o640)
    done = cli(tmp_path / "state", "test", str(file), "--update")
    assert done.returncode == 1 and done.stdout.splitlines()[-1] == "1 passed, 1 failed, 1 updated"
    wanted = FLOW + EXACT.replace("{v: 3, id: 'abc-12'}\n        - {v: 4}", "{v: 2, id: abc-12}")
    assert file.read_text() == wanted + MATCHED + UNFORESEEN and file.stat().st_mode & 0o777 == 0o640
    done = cli(tmp_path / "state", "test", str(file), "-k", "a")
    assert done.stdout.splitlines()[-1] == "2 passed, 0 failed", done


def test_several_files_and_names(tmp_path: Path) -> None:
    one, two = write(tmp_path, EXACT, MATCHED), write(tmp_path, UNFORESEEN, name="u.yaml")
    done = cli(tmp_path / "state", "test", str(one), str(two), "-k", "matched")
    assert done.stdout.splitlines()[:2] == [f"{one}:", "ok: matched"] and f"{two}:" not in done.stdout
    done = cli(tmp_path / "state", "test", str(one), str(two), "-k", "nothing")
    assert done.returncode == 1 and done.stderr.endswith("carry no tests whose name has 'nothing'\n")
    assert "--watch alone" in cli(tmp_path, "test", str(one), "--watch", "--update").stderr


def test_watch_runs_what_is_edited(tmp_path: Path) -> None:
    file = write(tmp_path, MATCHED)
    command = [*RUNNER, "--state", str(tmp_path / "state"), "test", str(file), "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None

        def until(text: str) -> None:
            assert any(text in line for line in process.stdout or ()), text

        until("-- waiting")
        write(tmp_path, EXACT)
        until("FAIL: exact")
        until("-- waiting")
        new = tmp_path / "new"
        new.write_text("id: t\nmodules: [")
        new.replace(file)  # as editors do
        until("-- waiting")
        write(tmp_path, MATCHED)
        until("1 passed, 0 failed")
        until("-- waiting")
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (130, "") and said.startswith(f"runner: {file}:3:1: this is not YAML")


def test_ctrl_c_in_the_middle_of_a_test_says_nothing_of_it(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    code = "def run(path, c):\n    with open(path) as file:\n        return file.read()\n"
    tests = [{"name": name, "send": {"a": [str(gate)]}, "expect": {"a": [""]}} for name in ("one", "two")]
    file = tmp_path / "gate.json"
    file.write_text(json.dumps({"id": "g", "modules": {"a": {"runtime": "python3", "code": code}}, "tests": tests}))
    command = [*RUNNER, "--state", str(tmp_path / "state"), "test", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        with gate.open("w"):  # it is opened when the handler reads it
            process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=TIMEOUT_S)
    gate.unlink()
    assert (process.returncode, *said) == (130, "", "")


def test_what_was_seen_becomes_a_test(up: Plant, tmp_path: Path) -> None:
    code = "def run(m, c):\n    if m == 'bad':\n        raise ValueError('no')\n    return m * 2\n"
    modules = {name: {"runtime": "python3", "code": code} for name in ("a", "b")}
    file = tmp_path / "k.json"
    file.write_text(json.dumps({"id": "k", "modules": modules, "wires": ["a -> b"]}))
    ok(up, "apply", str(file))
    try:
        ok(up, "send", "k/a", '"bad"')
        with up.client() as client:
            while not client.dead_letters("k"):
                pass
        ok(up, "dead", "show", "k/1", "--keep-as-test", "a bad one", "--into", str(file))
        assert "has a test 'a bad one' already" in refused(
            up, "dead", "show", "k/1", "--keep-as-test", "a bad one", "--into", str(file)
        )
        ok(up, "pause", "k")
        ok(up, "send", "k/a", '"x"')
        printed = ok(up, "step", "k", "--keep-as-test", "seen")
        assert printed == "tests:\n  - name: seen\n    send:\n      a.in: [x]\n    expect:\n      a.out: [xx]\n"
        ok(up, "resume", "k")
        command = [
            *RUNNER,
            "--state",
            str(up.state),
            "tap",
            "k/a",
            "-n",
            "1",
            "--keep-as-test",
            "t",
            "--into",
            str(file),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tap:
            while tap.poll() is None:
                up.cli("send", "k/a", "3")
            tap.communicate(timeout=TIMEOUT_S)
        assert tap.returncode == 0
        _, kept = json.loads(file.read_text())["tests"]
        assert kept == {"name": "t", "send": {"b.in": [6]}, "expect": {"b.out": [12]}}
        done = cli(tmp_path / "state", "test", str(file))
        assert (done.returncode, done.stdout) == (0, "ok: a bad one\nok: t\n2 passed, 0 failed\n")
    finally:
        up.cli("remove", "k")


def test_yaml_that_is_read_and_written_is_the_same() -> None:
    root = Path(__file__).parents[2] / "configs"
    for path in [*root.glob("*.yaml"), *root.glob("*/*.yaml")]:
        assert TestFile(path).text() == path.read_text(), path
