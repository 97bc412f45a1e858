"""Deployment files: what is read, and the sentence that each broken one gets."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from actors.definition.deployment import Deployment, deployment_schema, read_deployment
from actors.definition.model import FlowError

KNOWN = ("node", "python3")
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
    assert (deployment.name, deployment.runner, deployment.runtimes) == ("plant", "edge", ("python3", "node"))
    assert deployment.state == tmp_path / "state/edge"
    assert (deployment.restart_times, deployment.restart_period_s) == (2, 1.5)
    assert (deployment.log_level, deployment.log_format) == ("warning", "json")


def test_defaults(tmp_path: Path) -> None:
    deployment = read(tmp_path, "name: plant\nrunners: {main: {}}\n")
    assert deployment == Deployment(name="plant", runner="main")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("name: p\n", "1:1", "the deployment lacks the field `runners`"),
        ("name: p\nrunners: {}\n", "2:1", "name one runner"),
        ("name: p\nrunners: {a: {}, b: {}}\n", "2:1", "more than one runner comes in a later version"),
        ("name: p\nrunners: {a: {container: x}}\n", "2:15", "`runners.a.container` comes in a later version"),
        ("name: p\nrunners: {a: {join: 'h:1'}}\n", "2:15", "`runners.a.join` comes in a later version"),
        ("name: p\nrunners: {a: {limits: {memory_mb: 1}}}\n", "2:15", "`runners.a.limits` comes in a later version"),
        ("name: p\nrunners: {a: {}}\ngateway: {listen: x}\n", "3:1", "`gateway` comes in a later version"),
        ("name: p\nrunners: {a: {}}\nflows: [{file: f.yaml, place: {}}]\n", "3:24", "comes in a later version"),
        ("name: p\nrunners: {a: {}}\nbind: 0.0.0.0\n", "3:1", "not loopback"),
        ("name: p\nrunners: {a: {}}\nbind: localhost\n", "3:1", "not loopback"),
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


def test_problems_of_the_flows(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match="f.yaml does not exist; did you mean 'f.yaml'"):
        read(tmp_path, FULL.replace("f.yaml", "ff.yaml"))
    with pytest.raises(FlowError, match=r"f.yaml:3:7: .*there is no runtime 'python3'"):
        read(tmp_path, FULL.replace("python3, ", ""))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(deployment_schema())
