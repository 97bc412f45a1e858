"""A flow that has been changed while it runs is brought into the file that it was started from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.definition.reading import read_flow_file
from actors.definition.validation import check_flow
from actors.definition.yaml_text import read_text
from actors.messages import client_to_runner as api
from tests.gateway.served import Served, serving
from tests.harness import running

CONFIGS = Path(__file__).parents[2] / "configs"
FLOW = """\
id: shop  # the shop
modules:
  double:
    runtime: python3
    file: double.py
  end: {runtime: python3, code: "def run(m, c): pass"}
wires:
  - double -> end   # all of it
"""


def apply(served: Served, change: Any) -> None:
    (flow,) = served.call("listFlows")
    del flow["state"]
    change(flow)
    assert served.call("addOrUpdateFlow", flow) is True


def test_into_its_files_and_not_over_what_others_wrote(tmp_path: Path) -> None:
    (tmp_path / "double.py").write_text("def run(m, c): return 2 * m\n")
    file = tmp_path / "shop.yaml"
    with serving(tmp_path, FLOW) as served:
        assert served.call("saveFlow", "shop") == {"file": str(file), "written": []}
        assert file.read_text() == FLOW
        apply(served, lambda flow: flow["modules"]["double"].update(code="def run(m, c): return 3 * m\n"))
        assert served.call("saveFlow", "shop")["written"] == [str(tmp_path / "double.py")]
        assert (tmp_path / "double.py").read_text() == "def run(m, c): return 3 * m\n"
        apply(served, lambda flow: flow.update(layout={"end": [1, 2]}))
        assert served.call("flowState", "shop")["version"] == 2  # a layout is no version
        assert served.call("saveFlow", "shop")["written"] == [str(file)]
        assert file.read_text() == FLOW + "layout: {end: [1, 2]}\n"
        (tmp_path / "double.py").write_text("def run(m, c): return 5 * m\n")
        apply(served, lambda flow: flow["modules"]["double"].update(code="def run(m, c): return 4 * m\n"))
        said = served.post("/rpc", {"jsonrpc": "2.0", "id": 1, "method": "saveFlow", "params": ["shop"]}).json
        assert "modules.double.code was changed in the file meanwhile" in said["error"]["message"]
        assert (tmp_path / "double.py").read_text() == "def run(m, c): return 5 * m\n"
        file.unlink()
        said = served.post("/rpc", {"jsonrpc": "2.0", "id": 1, "method": "saveFlow", "params": ["shop"]}).json
        assert "shop.yaml" in said["error"]["message"]


def test_without_a_file_there_is_the_text_of_one(tmp_path: Path) -> None:
    with running(tmp_path / "run") as harness:
        module = {"runtime": "python3", "code": "def run(m, c):\n    return m\n", "config": {"a": [1, {"b": None}]}}
        harness.add("f", {"m": module, "n": module | {"ports": {"out": ["x"]}}}, ["m -> n"], layout={"m": [0, 1]})
        value = harness.ok(api.SaveFlow, flow_id="f")
        assert value["file"] is None
        document, _ = read_text(value["text"], "f.yaml")
        assert check_flow(document) == check_flow(harness.record("f").flow.document)
        assert "there is no flow 'g'" in (harness.call(api.SaveFlow, flow_id="g").error or "")


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIGS.glob("*.yaml")))
def test_the_examples_are_written_as_they_stand(name: str) -> None:
    """What is not changed is not written, whatever the style of the file."""
    from actors.definition.flow_file import changed

    path = CONFIGS / name
    document, _ = read_text(path.read_text(), name)
    if "modules" not in document:
        pytest.skip("a deployment")
    base = read_flow_file(path).document
    texts, problems = changed(path, base, base | {"layout": {"x": [1, 2]}})
    assert not problems
    lines = texts[path].splitlines()
    assert [line for line in path.read_text().splitlines() if line not in lines] == []
