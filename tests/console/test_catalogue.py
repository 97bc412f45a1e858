"""`runner catalogue`, `catalogue show`, `eject`: what there is, and a copy of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.console.test_new import runner

FLOW = """\
# a comment stays
id: beat
modules:
  show: {use: log, config: {text: "tick:"}}
"""


def test_the_list_and_one_of_it(tmp_path: Path) -> None:
    rows = json.loads(runner(tmp_path, "catalogue", "--json").stdout)
    assert {row["name"]: row["kind"] for row in rows}.items() >= {"timer": "in", "log": "out"}.items()
    assert [row["kind"] for row in rows] == sorted((row["kind"] for row in rows), key=["in", "between", "out"].index)
    text = runner(tmp_path, "catalogue").stdout
    assert max(map(len, text.split("\n"))) <= 80 and "\ntimer" in text
    shown = runner(tmp_path, "catalogue", "show", "timer")
    for word in ("out-ports: out", "every_s (number)", "croniter", "delivery:", "example:", "async def start"):
        assert word in shown.stdout
    facts = json.loads(runner(tmp_path, "catalogue", "show", "timer", "--json").stdout)
    assert facts["source"].startswith('"""') and facts["config"]["properties"]["every_s"]["type"] == "number"
    wrong = runner(tmp_path, "catalogue", "show", "tmier")
    assert (wrong.returncode, wrong.stderr) == (
        1, "runner: there is no module 'tmier' in the catalogue; did you mean 'timer'?\n",
    )  # fmt: skip


@pytest.mark.parametrize("named", [True, False])
def test_a_copy_is_taken_in_place_of_the_shipped_one(tmp_path: Path, named: bool) -> None:
    """Through the API it is the same module until it is edited; then an ordinary update."""
    flow = tmp_path / "beat.yaml"
    flow.write_text(FLOW)
    done = runner(tmp_path, "eject", "log", *(["beat.yaml"] if named else []))
    assert done.returncode == 0, done.stderr
    if named:
        assert flow.read_text() == FLOW.replace("id: beat\n", "id: beat\ncatalogue: [.]\n")
    else:
        assert "catalogue: [.]" in done.stdout and flow.read_text() == FLOW
        flow.write_text(FLOW + "catalogue: [.]\n")
    source = tmp_path / "log" / "log.py"
    source.write_text(source.read_text().replace('f"{prefix} {text}"', 'f"{prefix} mine {text}"'))
    ran = runner(tmp_path, "--state", str(tmp_path / "s"), "run", "beat.yaml", "-i", "show.in=-", stdin="1\n")
    assert "tick: mine 1" in ran.stderr, ran.stderr
    listed = json.loads(runner(tmp_path, "catalogue", "--of", "beat.yaml", "--json").stdout)
    assert {row["name"]: row["folder"] for row in listed}["log"] == "log"
    again = runner(tmp_path, "eject", "log", "beat.yaml")
    assert (again.returncode, "log exists already; nothing was written" in again.stderr) == (1, True)


def test_a_flow_that_cannot_be_rewritten_is_told_what_to_say(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(json.dumps({"id": "f", "modules": {"a": {"use": "log"}}}))
    done = runner(tmp_path, "eject", "log", "f.json")
    assert "f.json takes it, if it says: catalogue: [.]" in done.stdout
    (tmp_path / "broken.yaml").write_text("id: [")
    done = runner(tmp_path, "eject", "timer", "broken.yaml")
    assert (done.returncode, "broken.yaml:" in done.stderr, (tmp_path / "timer").exists()) == (1, True, False)
