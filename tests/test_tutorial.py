"""docs/tutorial.md, run as somebody who copies and pastes it: every command, and what it shows."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.harness import need

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "@@ a command @@"


def script(page: str) -> tuple[str, list[tuple[str, str]]]:
    """What is pasted, with a mark in front of each command whose output is shown; those commands and outputs."""
    lines, shown = ["set -u"], []
    for language, text in BLOCK.findall(page):
        if language == "sh":
            lines.append(text)
            continue
        for one in text.removeprefix("$ ").split("\n$ "):
            command, _, output = one.partition("\n")
            shown.append((command, output))
            lines += [f"echo '{MARK}'", command]
    return "\n".join([*lines, f"echo '{MARK}'"]), shown


def plain(text: str) -> str:
    """Without what differs from run to run; of a table, however wide."""
    text = re.sub(r"paused [\d.]+ ms, \d+ held", "paused ... held", text)
    text = re.sub(r"main \(\d+\)", "main (PID)", text)
    return "\n".join(re.sub(r"(?<=\S) {2,}", "  ", line) for line in text.strip().split("\n"))


def test_the_tutorial_can_be_pasted(tmp_path: Path) -> None:
    need("node")
    pasted, shown = script((ROOT / "docs" / "tutorial.md").read_text("utf-8"))
    assert len(shown) > 20
    env = os.environ | {"HOME": str(tmp_path), "RUNNER_STATE": str(tmp_path / "state"), "NO_COLOR": "1"}
    env["RUNNER_CACHE"] = os.environ.get("RUNNER_CACHE", str(Path.home() / ".cache" / "runner"))
    end = f"trap '{ROOT}/.venv/bin/runner down >&2' EXIT\n"
    done = subprocess.run(
        ["bash", "-c", end + pasted.replace("/tmp/", f"{tmp_path}/")], cwd=ROOT, env=env, capture_output=True,
        text=True, timeout=380, check=False,
    )  # fmt: skip
    said = done.stdout.split(MARK)[1:]
    for (command, output), came in zip(shown, said, strict=False):
        assert plain(came) == plain(output), (command, came, done.stderr)
    assert len(said) == len(shown) + 1, done.stderr
