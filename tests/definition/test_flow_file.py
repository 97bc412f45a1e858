"""What has become of a flow goes into its file; comments stay, and what others have changed there stays theirs."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from actors.definition.flow_file import as_file, changed
from actors.definition.flow_yaml import write_whole
from actors.definition.reading import read_flow_file
from actors.definition.validation import check_flow

FLOW = """\
# a plant
id: plant   # its name

modules:
  parse:  # reads
    runtime: python3
    code: |
      def run(m, c):  # first
          return m
  smooth: {runtime: python3, file: lib/smooth.py, files: [lib/*.py], config: {window: 5}}  # a mean
  alarm:
    runtime: python3
    code: "def run(m, c): return m"
wires:
  - parse -> smooth    # what was read
  - {from: smooth.out, to: alarm.in, delivery: disk}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "smooth.py").write_text("from mean import mean\ndef run(m, c): return mean(m)\n")
    (tmp_path / "lib" / "mean.py").write_text("def mean(m): return m\n")
    path = tmp_path / "plant.yaml"
    path.write_text(FLOW)
    return path


def documents(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """As it was read, and to be changed."""
    base = read_flow_file(file).document
    return base, copy.deepcopy(base)


def write(file: Path, base: dict[str, Any], new: dict[str, Any]) -> set[str]:
    texts, problems = changed(file, base, new)
    assert not problems, problems
    for path, text in texts.items():
        write_whole(path, text)
    assert check_flow(read_flow_file(file).document).document == check_flow(new).document
    return {path.name for path in texts}


def test_nothing_has_changed(file: Path) -> None:
    assert write(file, *documents(file)) == set()
    assert file.read_text() == FLOW


def test_a_text_is_written_where_it_stands(file: Path) -> None:
    base, new = documents(file)
    new["modules"]["parse"]["code"] = "def run(m, c):\n    return m + 1\n"
    new["modules"]["smooth"]["code"] = "def run(m, c): return 1\n"
    new["modules"]["smooth"]["files"]["mean.py"] = "def mean(m): return 2 * m\n"
    assert write(file, base, new) == {"plant.yaml", "smooth.py", "mean.py"}
    assert (file.parent / "lib" / "mean.py").read_text() == "def mean(m): return 2 * m\n"
    assert file.read_text() == FLOW.replace("# first\n          return m", "\n          return m + 1").replace(
        "c):  \n", "c):\n"
    )


def test_one_is_not_true(file: Path) -> None:
    base, _ = documents(file)
    base["modules"]["smooth"]["config"] = {"window": 1}
    file.write_text(FLOW.replace("window: 5", "window: 1"))
    new = copy.deepcopy(base)
    new["modules"]["smooth"]["config"] = {"window": True}
    assert write(file, base, new) == {"plant.yaml"}
    assert "{window: true}" in file.read_text()


def test_modules_wires_layout_and_tests(file: Path) -> None:
    base, new = documents(file)
    del new["modules"]["alarm"]
    new["modules"]["count"] = {"runtime": "python3", "code": "def run(m, c):\n    return 1\n", "config": {"n": [1]}}
    new["modules"]["smooth"]["config"] = {"window": 7}
    new["wires"] = ["parse -> smooth", "smooth -> count"]
    new["layout"] = {"parse": [10, 20]}
    new["tests"] = [{"name": "one", "send": {"parse.in": [1]}, "expect": {"count.out": [1]}}]
    assert write(file, base, new) == {"plant.yaml"}
    text = file.read_text()
    for kept in ("# a plant", "# its name", "# reads", "# what was read", "# first"):
        assert kept in text
    assert (
        "  count:\n    runtime: python3\n    code: |\n      def run(m, c):\n          return 1\n    config: {n: [1]}\n"
        in text
    )
    assert "alarm" not in text
    base, new = documents(file)
    new["tests"].append({"name": "two", "send": {"parse.in": [2]}, "expect": {"count.out": [1]}})
    assert write(file, base, new) == {"plant.yaml"}


def test_what_somebody_else_has_written_is_not_written_over(file: Path) -> None:
    base, new = documents(file)
    new["modules"]["parse"]["code"] = "def run(m, c): return 2\n"
    new["modules"]["smooth"]["code"] = "def run(m, c): return 2\n"
    (file.parent / "lib" / "smooth.py").write_text("def run(m, c): return 3\n")
    texts, problems = changed(file, base, new)
    assert not texts
    assert [problem.partition(": ")[2] for problem in problems] == [
        "modules.smooth.code was changed in the file meanwhile: apply that first, or undo it"
    ]
    (file.parent / "lib" / "smooth.py").write_text("def run(m, c): return 2\n")  # it says so already
    file.write_text(file.read_text().replace("window: 5", "window: 6"))  # another field
    texts, problems = changed(file, base, new)
    assert not problems
    assert [path.name for path in texts] == ["plant.yaml"]
    assert "window: 6" in texts[file]


def test_json_stays_json(file: Path) -> None:
    import json

    base, new = documents(file)
    path = file.with_suffix(".json")
    path.write_text(json.dumps(base))
    new["modules"]["alarm"]["code"] = "def run(m, c): return 0"
    texts, problems = changed(path, base, new)
    assert not problems
    assert json.loads(texts[path]) == new


def test_a_file_of_its_own(file: Path) -> None:
    document = read_flow_file(file).sent | {"state": "running", "layout": {"parse": [1, 2]}}
    made = file.with_name("made.yaml")
    made.write_text(as_file(document))
    again = read_flow_file(made).document
    assert {name: again[name] for name in ("id", "wires", "layout")} == {
        name: document[name] for name in ("id", "wires", "layout")
    }
    for name, module in document["modules"].items():
        assert again["modules"][name] | {"name": ""} == module | {"name": ""}
