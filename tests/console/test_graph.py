"""`runner graph`: text, Mermaid and dot of a flow, from a file or a runner."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from tests.console.test_cli import ok, refused
from tests.deployments import Plant

FLOW = {
    "id": "g",
    "modules": {
        name: {"runtime": "python3", "code": "def run(m, c): c.send('high', m)"} for name in ("end", "b", "c", "d")
    },
    "wires": ["end -> b", "end.high -> c", {"from": "b.out", "to": "d.in", "delivery": "lossy"}, "c -> d", "d -> b"],
}
TEXT = """g
end (python3)
├──▶ b (python3)
│  └─╌▶ d (python3)
│     └──▶ b (above)
└─ high ─▶ c (python3)
   └──▶ d (above)
"""


def test_a_flow_as_text_mermaid_and_dot(up: Plant, tmp_path: Path) -> None:
    file = tmp_path / "g.json"
    file.write_text(json.dumps(FLOW))
    said = ok(up, "graph", str(file))
    assert said == TEXT
    mermaid = ok(up, "graph", str(file), "--format", "mermaid").splitlines()
    assert mermaid[:2] == ["flowchart LR", '  m0["end<br/>python3"]']
    assert '  m0 -->|"high"| m2' in mermaid and "  m1 -.-> m3" in mermaid
    dot = ok(up, "graph", str(file), "--format", "dot")
    assert '  "b" -> "d" [style=dashed];' in dot and '  "end" -> "c" [label="high"];' in dot
    if shutil.which("dot"):
        subprocess.run(["dot", "-Tsvg"], input=dot, text=True, capture_output=True, check=True, timeout=60)
    wires = json.loads(ok(up, "graph", str(file), "--json"))["wires"]
    assert wires[2] == {"from": "b.out", "to": "d.in", "delivery": "lossy"} and len(wires) == 5


def test_of_a_runner(up: Plant) -> None:
    assert ok(up, "graph", "echo") == "echo\na (python3)\n"
    assert "there is no flow 'ecko', and no file of that name" in refused(up, "graph", "ecko")
    assert "nothing.yaml does not exist" in refused(up, "graph", "nothing.yaml")
