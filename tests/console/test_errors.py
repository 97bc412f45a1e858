"""Errors where people look: the log, the end of a run, `dead list`; with file and line, the stack once, and counted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.console.test_cli import as_json, ok, refused, wait_for
from tests.deployments import Plant, cli, plant
from tests.harness import need

FLOW = """\
id: err
modules:
  a:
    runtime: python3
    code: |
      def check(m):
          raise ValueError(f"no {m}")

      def run(m, c):
          if m == 0:
              return 1 / m
          check(m)
"""
COUNT = 300


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "err.yaml"
    path.write_text(FLOW)
    (tmp_path / "in").write_text("".join(f"{n}\n" for n in [*range(1, COUNT + 1), 0]))
    return path


def test_a_run_says_the_first_of_each_kind_with_its_place_and_counts_the_others(tmp_path: Path, file: Path) -> None:
    done = cli(tmp_path / "state", "run", str(file), "-i", f"a.in={tmp_path / 'in'}")
    assert done.returncode == 1
    log, _, report = done.stderr.partition("dead letter at ")
    stack = f'  File "{file}", line 12, in run\n.*  File "{file}", line 7, in check\n.*  ValueError: no 1\n'
    assert re.search(rf"ERROR err/a: dead letter err/1: {file}:7: ValueError: no 1\n.*{stack}", log, re.DOTALL)
    assert re.search(
        rf"ERROR err/a: dead letter err/{COUNT + 1}: {file}:11: ZeroDivisionError: division by zero\n", log
    )
    assert (log.count("Traceback"), log.count("ValueError: no")) == (2, 2)
    assert re.search(rf"ERROR err/a: {file}:7: ValueError: \.\.\. {COUNT - 1} more like it\n", log)
    assert ("dead letter at " + report).splitlines() == [
        f"dead letter at err/a: {file}:7: ValueError: no 1",
        f"  ... {COUNT - 1} more like it",
        f"dead letter at err/a: {file}:11: ZeroDivisionError: division by zero",
        f"{COUNT + 1} dead letters",
    ]


def test_dead_list_has_the_place_and_the_stack_of_the_first_of_a_kind(up: Plant, file: Path) -> None:
    ok(up, "apply", str(file))
    ok(up, "send", "err/a", "-", stdin="".join(f"{n}\n" for n in [1, 0, *range(2, 31)]))
    wait_for(up, "err", "deadLettered", 31)
    letters = as_json(up, "dead", "list", "err")
    assert len(letters) == 31
    assert all(letter["error"]["file"] == str(file) and letter["error"]["line"] in (7, 11) for letter in letters)
    assert all("Traceback" in letter["error"]["stack"] for letter in letters)
    text = ok(up, "dead", "list", "err")
    head, first, *rest = text.splitlines()
    assert head.split() == ["ID", "MODULE", "PORT", "ERROR"]
    assert re.fullmatch(rf"err/1 +err/a +in +{file}:7: ValueError: no 1", first)
    assert rest[:2] == ["  Traceback (most recent call last):", f'    File "{file}", line 12, in run']
    assert text.count("Traceback") == 2
    assert text.count("ValueError: no") == 11
    assert "  ... 20 more like it: --json lists all" in rest
    log = up.log.read_text()
    assert f"err/a: dead letter err/1: {file}:7: ValueError: no 1\n" in log
    ok(up, "stop", "err")
    assert f"err/a: {file}:7: ValueError: ... 29 more like it\n" in up.log.read_text()
    ok(up, "remove", "err")


def test_a_module_that_moved_in_the_file_is_unchanged_and_its_errors_are_where_it_is_now(up: Plant, file: Path) -> None:
    ok(up, "apply", str(file))
    file.write_text("# a line more\n\n" + FLOW)
    assert ok(up, "apply", str(file)) == "err: running, version 1\n  a: untouched\n"
    ok(up, "send", "err/a", "5")
    wait_for(up, "err", "deadLettered", 1)
    (letter,) = as_json(up, "dead", "list", "err")
    assert (letter["error"]["file"], letter["error"]["line"]) == (str(file), 9)
    assert f'File "{file}", line 14, in run' in letter["error"]["stack"]
    ok(up, "remove", "err")


BROKEN = {
    "load": ("def run(:\n    pass\n", "cannot be loaded: {file}:6:15: SyntaxError: "),
    "top": ("x = 1\nnothing\ndef run(m, c): pass\n", "cannot be loaded: {file}:7: NameError: "),
    "start": ("def run(m, c): pass\ndef start(c):\n    c.nope\n", "start failed: {file}:8: AttributeError: "),
    "migrate": ("def run(m, c): pass\ndef migrate(c, v):\n    c.nope\n", "migrate failed: {file}:8: AttributeError: "),
}


@pytest.mark.parametrize("what", BROKEN)
def test_errors_of_load_start_and_migrate_are_counted_in_the_files_lines(
    up: Plant, tmp_path: Path, file: Path, what: str
) -> None:
    """In a run, for a new flow, and for the update of one that runs."""
    code, says = BROKEN[what]
    good = FLOW[: FLOW.index("      def check")] + "      def run(m, c): pass\n"
    block = "".join(f"      {line}\n" for line in code.splitlines())
    bad = FLOW[: FLOW.index("      def check")] + block + ("    state_version: 2\n" if what == "migrate" else "")
    file.write_text(good)
    ok(up, "apply", str(file))
    file.write_text(bad)
    assert f"err/a {says.format(file=file)}" in refused(up, "apply", str(file))
    ok(up, "remove", "err")
    if what != "migrate":
        assert f"err/a {says.format(file=file)}" in refused(up, "apply", str(file))
        ok(up, "remove", "err")
        done = cli(tmp_path / "state", "run", str(file))
        assert (done.returncode, f"runner: err/a {says.format(file=file)}" in done.stderr) == (1, True), done.stderr


def test_a_source_that_fails_and_the_flows_of_a_deployment(tmp_path: Path) -> None:
    flow = tmp_path / "err.yaml"
    flow.write_text(
        FLOW[: FLOW.index("      def check")] + "      def start(c):\n          yield 1\n          c.nope\n"
    )
    says = f"err/a: the source failed: {flow}:8: AttributeError: "
    done = cli(tmp_path / "state", "run", str(flow))
    assert (done.returncode, done.stderr.count(says)) == (1, 2), done.stderr
    with plant(tmp_path, flows=[{"file": "err.yaml"}]) as up:
        up.wait_until_up()
        wait_for(up, "err", "errors", 1)
        assert f"{says}'Context' object has no attribute 'nope'\n  Traceback" in up.log.read_text()


def test_an_error_of_stop_is_counted_in_the_files_lines(tmp_path: Path) -> None:
    flow = tmp_path / "err.yaml"
    code = "      def run(m, c): pass\n      def stop(c):\n          c.nope\n"
    flow.write_text(FLOW[: FLOW.index("      def check")] + code)
    (tmp_path / "in").write_text("1\n")
    done = cli(tmp_path / "state", "run", str(flow), "-i", f"a.in={tmp_path / 'in'}")
    assert (done.returncode, f"{flow}:8: AttributeError: " in done.stderr) == (1, True), done.stderr


CODE = {
    "python3": "def run(m, c):\n    raise ValueError('x')\n",
    "node": "module.exports = (m) => {\n  throw new RangeError('x')\n}\n",
    "ruby": "def run(m, c)\n  raise ArgumentError, 'x'\nend\n",
    "php": "<?php\nfunction run($m, $c) { throw new DomainException('x'); }\n",
    "sbcl": '(lambda (m c)\n  (error "x"))\n',
    "go": 'package module; import "flow"; func Run(c *flow.Context, m any) (any, error) {\n\tpanic("x")\n}\n',
    "rust": "use flow::prelude::*; pub fn run(message: Value, context: &mut Context) -> Result<Option<Value>> {\n"
    '    panic!("x")\n}\n',
}


@pytest.mark.parametrize("runtime", CODE)
def test_every_language_names_the_line(tmp_path: Path, runtime: str) -> None:
    need(runtime)
    block = "".join(f"        {line}\n" for line in CODE[runtime].splitlines())
    path = tmp_path / "f.yaml"
    path.write_text(f"# a flow\nid: f\nmodules:\n  m:\n    runtime: {runtime}\n    code: |\n{block}")
    (tmp_path / "in").write_text("1\n")
    done = cli(tmp_path / "state", "run", str(path), "-i", f"m.in={tmp_path / 'in'}")
    assert re.search(rf"dead letter at f/m: {path}:8(:\d+)?: \S+: x", done.stderr), done.stderr
    assert f"{path}:7:" not in done.stderr
