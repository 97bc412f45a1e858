"""`runner check`: what is wrong with a flow or a deployment, in its file and line; nothing of it is started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.deployments import cli
from tests.harness import need

FLOW = """\
id: c
modules:
  a:
    runtime: python3
    code: |
      import nothing_of_that_name
      def run(m, c):
          return m
  b: {runtime: node, code: "m => m +"}
  good:
    runtime: python3
    code: |
      from pathlib import Path
      def start(context):
          Path("MARK").write_text("started")
      def run(m, c):
          return m
  s:
    runtime: python3
    code: |
      from pathlib import Path
      def source(m, c):
          Path("MARK").write_text("pulled")
          yield 1
      run = source
"""


def test_every_module_that_cannot_be_loaded_has_its_line(tmp_path: Path) -> None:
    need("node")
    file, mark = tmp_path / "c.yaml", tmp_path / "mark"
    file.write_text(FLOW.replace("MARK", str(mark)))
    done = cli(tmp_path / "state", "check", str(file))
    assert (done.returncode, done.stdout) == (1, "")
    first, second = sorted(line for line in done.stderr.splitlines() if line.startswith("runner: "))
    assert first.startswith(f"runner: c/a cannot be loaded: {file}:6: ModuleNotFoundError: No module named")
    assert second.startswith(f"runner: c/b cannot be loaded: {file}:9: SyntaxError: ")
    answer = json.loads(cli(tmp_path / "state", "check", str(file), "--json").stdout)
    assert answer["ok"] is False and len(answer["errors"]) == 2
    file.write_text(FLOW.replace("MARK", str(mark)).replace("nothing_of_that_name", "json").replace("m +", "m"))
    done = cli(tmp_path / "state", "check", str(file))
    assert (done.returncode, done.stdout) == (0, f"c: 4 modules can be loaded\n{file}: right\n"), done
    assert not mark.exists()
    assert not list((tmp_path / "state" / "runs").glob("*"))


TWO = "(message, context)"
MISFITS = {  # what no message could ever be handled by -> what is said; and what is nearly one, but fits
    "python3": (
        {
            "def run(m): return m": f"run is called with {TWO}, but takes (m)",
            "run = lambda m: m": f"run is called with {TWO}, but takes (m)",
            "async def run(m): return m": f"run is called with {TWO}, but takes (m)",
            "def run(m, c, x): return m": f"run is called with {TWO}, but takes (m, c, x)",
            "def run(m, c, *, k): return m": f"run is called with {TWO}, but takes (m, c, k)",
            "def start(): yield 1": "start is called with (context), but takes ()",
            "def run(m, c): 1\ndef migrate(c): 1": "migrate is called with (context, from_version), but takes (c)",
        },
        [
            "def run(m, c, k=1, *, l=2): return m", "def run(*a): return a[0]", "run = lambda m, c: m",
            "class A:\n    def __call__(self, m, c): return m\nrun = A()",
            "class A:\n    def run(self, m, c): return m\nrun = A().run",
            "from functools import partial\ndef f(x, m, c): return m\nrun = partial(f, 1)",
        ],
    ),
    "ruby": (
        {
            "def run(m) = m": f"run is called with {TWO}, but takes (m)",
            "def run(m, c, k:) = m": f"run is called with {TWO}, but takes (m, c, k)",
            "def run(m, c) = m\ndef start = nil": "start is called with (context), but takes ()",
        },
        ["def run(m, c, k = 1, l: 2) = m", "def run(*a) = a[0]", "define_method(:run) { |m, c| m }"],
    ),
    "php": (
        {
            "<?php\nfunction run($m, $c, $x) { return $m; }":
                "run is called with ($message, $context), but takes ($m, $c, $x)",
            "<?php\nfunction run($m, $c) { return $m; }\nfunction stop($c, $d) {}":
                "stop is called with ($context), but takes ($c, $d)",
        },
        ["<?php\nfunction run($m) { return $m; }", "<?php\nfunction run(...$a) { return $a[0]; }"],
    ),
    "sbcl": (
        {
            "(defun run (m) m)": "run is called with (message context), but takes (m)",
            "(lambda (m) m)": "run is called with (message context), but takes (m)",
            "(defun run (m c) (list m c))\n(defun start () nil)": "start is called with (context), but takes ()",
        },
        ["(defun run (m c &optional x) (list m c x))", "(defun run (&rest a) (first a))",
         "(defgeneric run (m c))\n(defmethod run (m c) (list m c))"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("runtime", MISFITS)
def test_a_function_that_no_call_fits(tmp_path: Path, runtime: str) -> None:
    need(runtime)
    wrong, right = MISFITS[runtime]
    modules = {f"m{n}": {"runtime": runtime, "code": code} for n, code in enumerate([*wrong, *right])}
    file = tmp_path / "s.json"
    file.write_text(json.dumps({"id": "s", "modules": modules}))
    done = cli(tmp_path / "state", "check", str(file))
    said = dict(line.split(" cannot be loaded: ") for line in done.stderr.splitlines() if " cannot be " in line)
    assert done.returncode == 1 and set(said) == {f"runner: s/m{n}" for n in range(len(wrong))}, done.stderr
    for n, wanted in enumerate(wrong.values()):
        assert said[f"runner: s/m{n}"].endswith(wanted)


def test_a_field_that_is_not_known_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("id: c\nmodules:\n  a: {runtime: python3, cod: x}\n")
    done = cli(tmp_path, "check", str(file))
    assert done.returncode == 1 and f"{file}:3:25: `modules.a.cod` is not a known field" in done.stderr
    assert "does not exist" in cli(tmp_path, "check", str(tmp_path / "none.yaml")).stderr


def test_a_deployment_with_all_its_flows(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(
        json.dumps({"id": "f", "modules": {"a": {"runtime": "python3", "code": "def run(m, c): retrun m"}}})
    )
    file = tmp_path / "d.yaml"
    file.write_text("name: d\nrunners:\n  main: {}\nflows:\n  - {file: f.json}\n")
    done = cli(tmp_path, "check", str(file))
    assert done.returncode == 1 and "f/a cannot be loaded" in done.stderr and "SyntaxError" in done.stderr
    (tmp_path / "f.json").write_text('{"id": "f", "modules": {"a": {"runtime": "python3", "code": "run = print"}}}')
    assert json.loads(cli(tmp_path, "check", str(file), "--json").stdout)["flows"]["f"]["modules"] == 1
    wires = [{"from": "a", "to": "b", "delivery": "disk"}]
    module = {"runtime": "python3", "code": "run = print"}
    document = {"id": "f", "durable": True, "modules": {"a": {**module, "runner": "x"}, "b": module}, "wires": wires}
    (tmp_path / "f.json").write_text(json.dumps(document))
    file.write_text("name: d\nrunners:\n  x: {}\n  y: {}\nflows:\n  - {file: f.json}\n")
    done = cli(tmp_path, "check", str(file))
    assert (done.returncode, done.stderr) == (0, ""), done
    file.write_text("name: d\nrunners:\n  main: {}\nflows:\n  - {fil: f.json}\n")
    assert f"{file}:5:6: " in cli(tmp_path, "check", str(file)).stderr
