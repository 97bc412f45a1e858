"""`runner shadow`: what it prints of what another text makes of the messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.test_cli import as_json, ok, refused
from tests.deployments import Plant


@pytest.fixture
def shadowed(up: Plant, tmp_path: Path) -> Iterator[Path]:
    """A flow `d` that has had 1, 2, 3; the path of a text to try."""
    path = tmp_path / "d.json"
    module = {"runtime": "python3", "code": "def run(m, c):\n    c.set('n', m)\n    return m"}
    path.write_text(json.dumps({"id": "d", "modules": {"a": module}}))
    ok(up, "apply", str(path))
    ok(up, "send", "d/a", "-", stdin="1\n2\n3\n")
    with up.client() as client:
        while client.flow_state("d", rates=False)["modules"]["a"]["completed"] < 3:
            pass
    yield tmp_path / "new.py"
    up.cli("remove", "d")


def test_what_differs_is_printed(up: Plant, shadowed: Path) -> None:
    shadowed.write_text(
        "def run(m, c):\n    c.set('n', -m)\n    if m == 3: raise ValueError(3)\n    return m if m < 2 else 5"
    )
    said = ok(up, "shadow", "d/a", "--file", str(shadowed), "--recent")
    assert said.splitlines() == [
        "d/a: 3 messages: 1 the same, 1 differ, 1 fail",
        "  port out: 1 the same, 2 differ",
        "  2: in 2",
        "    - out 2",
        "    + out 5",
        "  3: in 3",
        "    - out 3",
        "    + new.py:3: ValueError: 3",
        "  context n: 3 -> -2",
    ]
    found = as_json(up, "shadow", "d/a", "--file", str(shadowed), "--recent")
    assert found["each"] == ["same", "different", "error"]


def test_what_cannot_be_tried_is_refused_in_a_sentence(up: Plant, shadowed: Path) -> None:
    assert "new.py: No such file or directory" in refused(up, "shadow", "d/a", "--file", str(shadowed))
    shadowed.write_text("def run(m, c:\n")
    said = refused(up, "shadow", "d/a", "--file", str(shadowed), "--recent")
    assert "d/a cannot be loaded: new.py:1" in said
    shadowed.write_text("import requests\ndef run(m, c): pass")
    said = refused(up, "shadow", "d/a", "--file", str(shadowed), "--recent")
    assert "d/a uses the network" in said and "--yes" in said
