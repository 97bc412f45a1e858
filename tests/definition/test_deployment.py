"""Deployment files: what is read, and the sentence that each broken one gets."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from actors.definition.deployment import Deployment, RunnerSettings, deployment_schema, read_deployment
from actors.definition.model import FlowError

KNOWN = ("node", "python3")
TWO = "name: p\nrunners: {edge: {runtimes: [python3]}, big: {runtimes: [node]}}\n"
FLOW = "id: f\nmodules:\n  a: {runtime: python3, code: 'def run(m, c): pass'}\n"
FULL = """
name: plant
bind: 127.0.0.1
runners:
  edge: {runtimes: [python3, node], state: ./state/edge}
restart: {times: 2, period_s: 1.5}
flows:
  - {file: f.yaml}
log: {level: warning, format: json}
"""


def read(folder: Path, text: str) -> Deployment:
    (folder / "f.yaml").write_text(FLOW)
    (folder / "d.yaml").write_text(text)
    return read_deployment(folder / "d.yaml", KNOWN)


def test_everything(tmp_path: Path) -> None:
    deployment = read(tmp_path, FULL)
    (source,) = deployment.flows
    assert source.document["id"] == "f"
    edge = RunnerSettings(name="edge", runtimes=("python3", "node"), state=tmp_path / "state/edge")
    assert (deployment.name, deployment.runners) == ("plant", (edge,))
    assert (deployment.restart_times, deployment.restart_period_s) == (2, 1.5)
    assert (deployment.log_level, deployment.log_format) == ("warning", "json")


def test_defaults(tmp_path: Path) -> None:
    deployment = read(tmp_path, "name: plant\nrunners: {main: {}}\n")
    assert deployment == Deployment(name="plant", runners=(RunnerSettings(name="main"),))


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("id: p\nmodules: {a: {}}\n", "2:1", "this is a flow, not a deployment; `runner run` runs it"),
        ("name: p\n", "1:1", "the deployment lacks the field `runners`"),
        ("name: p\nrunners: {}\n", "2:1", "name one runner"),
        ("name: p\nrunners: {a: {container: -x}}\n", "2:15", "`runners.a.container` must be the name of an image"),
        ("name: p\nrunners: {a: {join: 'h:1'}}\n", "2:15", "`runners.a.join` comes in a later version"),
        ("name: p\nrunners: {a: {limits: {memory_mb: 16}}}\n", "2:15", "`runners.a.limits` are those of a `container`"),
        ("name: p\nrunners: {a: {}}\ngateway: {listen: x}\n", "3:11", "must be HOST:PORT"),
        ("name: p\nrunners: {a: {}}\ngateway: {listen: 'a:70000'}\n", "3:11", "a port is at most 65535"),
        ("name: p\nrunners: {a: {}}\ngateway: {listen: 'a:1', token: x}\n", "3:26", "a secret does not stand"),
        (f"{TWO}flows: [{{file: f.yaml, place: {{a: edg}}}}]\n", "3:32", "no runner 'edg'; did you mean 'edge'?"),
        (f"{TWO}flows: [{{file: f.yaml, place: {{aa: edge}}}}]\n", "3:32", "f has no module 'aa'; did you mean 'a'?"),
        (f"{TWO}flows: [{{file: f.yaml, place: {{a: big}}}}]\n", "3:32", "does not offer python3; these do: edge."),
        (f"{TWO}flows: [{{file: f.yaml, place: [a]}}]\n", "3:24", "must be a mapping"),
        ("name: p\nrunners: {a: {}}\nflows: [{file: f.yaml, place: {a: b}}]\n", "3:32", "no runner 'b'"),
        ("name: p\nrunners: {a: {}}\nbind: 0.0.0.0\n", "3:1", "none to come to"),
        ("name: p\nrunners: {a: {}}\nbind: localhost\n", "3:1", "must be an IPv4 address"),
        ("name: p\nrunners: {a: {runtimes: [nod]}}\n", "2:26", "did you mean 'node'?"),
        ("name: p\nrunner: {a: {}}\n", "2:1", "did you mean 'runners'?"),
        ("name: a/b\nrunners: {a: {}}\n", "1:1", "must be a name of letters"),
        ("name: p\nrunners: {a: {}}\nrestart: {times: -1}\n", "3:11", "must be at least 0"),
        ("name: p\nrunners: {a: {}}\nlog: {level: loud}\n", "3:7", "must be one of"),
        ("name: p\nrunners: {a: {}}\nflows: [{file: f.yaml}, {file: f.yaml}]\n", "3:26", "keep one"),
        ("[1]\n", "1:1", "must be a mapping"),
    ],
)
def test_problems(tmp_path: Path, text: str, place: str, words: str) -> None:
    with pytest.raises(FlowError) as caught:
        read(tmp_path, text)
    assert any(f"d.yaml:{place}: " in p and words in p for p in caught.value.problems), caught.value.problems


WIDE = """
id: f
modules:
  a: {runtime: python3, code: 'def run(m, c): pass'}
  b: {runtime: node, code: '(m) => m'}
  c: {runtime: python3, code: 'def run(m, c): pass', runner: big}
  d: {runtime: python3, code: 'def run(m, c): pass'}
wires: [a -> b, b -> c, {from: c, to: d, delivery: memory}]
"""
RUNNERS = "name: p\nrunners: {edge: {runtimes: [python3]}, big: {runtimes: [node, python3]}}\n"


def placed(folder: Path, place: str, flow: str = WIDE) -> dict[str, str]:
    (folder / "w.yaml").write_text(flow)
    (folder / "d.yaml").write_text(f"{RUNNERS}flows: [{{file: w.yaml, place: {place}}}]\n")
    (source,) = read_deployment(folder / "d.yaml", KNOWN).flows
    return {name: module["runner"] for name, module in source.sent["modules"].items()}


@pytest.mark.parametrize(
    ("place", "runners"),
    [
        ("{}", "edge big big edge"),  # by runtime, then by load
        ("{a: big}", "big big big edge"),
        ("{c: edge}", "big big edge edge"),  # before what the module says
        ("{'*': big}", "big big big big"),
        ("{a: edge, '*': big}", "edge big big big"),
        ("{'*': auto}", "edge big big edge"),
        ("{a: auto, '*': big}", "edge big big big"),
    ],
)
def test_where_modules_are_placed(tmp_path: Path, place: str, runners: str) -> None:
    assert placed(tmp_path, place) == dict(zip("abcd", runners.split(), strict=True))


def test_what_cannot_be_placed(tmp_path: Path) -> None:
    with pytest.raises(
        FlowError, match=r"w.yaml:6:54: `modules.c.runner`: there is no runner 'bug'; did you mean 'big'"
    ):
        placed(tmp_path, "{}", WIDE.replace("runner: big", "runner: bug"))
    assert placed(tmp_path, "{d: edge}", WIDE.replace("memory", "disk"))["d"] == "edge", "disk wires cross, too"


PAGES = """
id: w
modules:
  a: {runtime: browser, code: '(m) => m'}
  b: {runtime: python3, code: 'def run(m, c): pass'}
  c: {runtime: browser, code: '(m) => m'}
  d: {runtime: browser, code: '(m) => m'}
"""


@pytest.mark.parametrize(
    ("place", "runners"),
    [
        ("{}", "edge big edge edge"),  # all browser modules are where the first is
        ("{c: big}", "big edge big big"),
        ("{'*': big, c: auto}", "big big big big"),
        ("{b: edge}", "big edge big big"),
    ],
)
def test_browser_modules_are_on_one_runner(tmp_path: Path, place: str, runners: str) -> None:
    assert with_pages(tmp_path, place) == dict(zip("abcd", runners.split(), strict=True))


def test_browser_modules_cannot_be_on_two(tmp_path: Path) -> None:
    words = "the browser modules of a flow are on one runner: c cannot be on big and a on edge"
    with pytest.raises(FlowError, match=rf"w.yaml:6.*`modules.c.runner`: {words}"):
        with_pages(tmp_path, "{a: edge, c: big}")
    with pytest.raises(FlowError, match="d cannot be on big and a on edge"):
        with_pages(tmp_path, "{a: edge, '*': big, c: auto}")


def with_pages(folder: Path, place: str) -> dict[str, str]:
    (folder / "w.yaml").write_text(PAGES)
    runners = "name: p\nrunners: {edge: {}, big: {}}\n"
    (folder / "d.yaml").write_text(f"{runners}flows: [{{file: w.yaml, place: {place}}}]\n")
    (source,) = read_deployment(folder / "d.yaml", (*KNOWN, "browser")).flows
    return {name: module["runner"] for name, module in source.sent["modules"].items()}


def test_problems_of_the_flows(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match="f.yaml does not exist; did you mean 'f.yaml'"):
        read(tmp_path, FULL.replace("f.yaml", "ff.yaml"))
    with pytest.raises(FlowError, match=r"f.yaml:3:7: .*there is no runtime 'python3'"):
        read(tmp_path, FULL.replace("python3, ", ""))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(deployment_schema())
