"""The log as JSON lines: who and what each is about."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from actors.ends.log_lines import JsonFormatter
from actors.log_subject import about
from tests.deployments import cli

FLOW = """
id: f
modules:
  talk:
    runtime: python3
    code: |
      import os
      def run(m, c):
          c.log('warning', f'got {m}')
          print('printed')
          os.write(2, b'raw\\n')
          if m == 2: raise ValueError('two')
          return m
"""


def line(logger: str, text: str, **extra: Any) -> dict[str, Any]:
    record = logging.getLogger(logger).makeRecord(logger, logging.INFO, "", 0, text, (), None, extra=extra)
    said: dict[str, Any] = json.loads(JsonFormatter().format(record))
    return said


@pytest.mark.parametrize(
    ("logger", "text", "about"),
    [
        ("runner.flow", "f: started, 1 module", {"flow": "f"}),
        ("runner.module", "f/m: the port 'x' has no wire", {"flow": "f", "module": "m"}),
        ("runner.host", "f: the host python3 has died", {"flow": "f"}),
        ("runner.module.log", "f/m@page-1: x", {"flow": "f", "module": "m"}),
        ("runner.traces", "traces: away", {}),
        ("runner.flow", "it: is: nothing /x", {"flow": "it"}),
        ("runner.flow", "no subject", {}),
    ],
)
def test_what_a_line_is_about(logger: str, text: str, about: dict[str, str]) -> None:
    said = line(logger, text)
    assert {name: said[name] for name in ("flow", "module") if name in said} == about
    assert said["message"] == text and said["level"] == "info" and said["time"].endswith("Z")


def test_whoever_says_it_knows_best() -> None:
    said = line("runner.flow", "a/b: x", **about("f", message="w#1"))
    assert (said["flow"], said["messageId"]) == ("f", "w#1") and "module" not in said


def test_a_run(tmp_path: Path) -> None:
    """Every line of standard error is JSON, but what `run` itself says at its end."""
    (tmp_path / "f.yaml").write_text(FLOW)
    words = ("run", "--log-format", "json", str(tmp_path / "f.yaml"), "-i", "talk.in=-", "-o", f"talk.out={os.devnull}")
    done = cli(tmp_path, *words, stdin="1\n2\n")
    assert done.returncode == 1
    lines = [json.loads(text) for text in done.stderr.splitlines() if text.startswith("{")]
    assert [text for text in done.stderr.splitlines() if not text.startswith("{")] == [
        f"dead letter at f/talk: {tmp_path}/f.yaml:12: ValueError: two"
    ]
    by_text = {said["message"]: said for said in lines}
    assert all(said["runner"] == "f" for said in lines if said["logger"].startswith("runner.module"))
    warned = by_text["f/talk: got 1"]
    assert (warned["flow"], warned["module"], warned["level"]) == ("f", "talk", "warning")
    assert by_text["f/talk: printed"]["module"] == "talk"
    assert by_text["f/python3: raw"]["flow"] == "f"
    [failed] = [said for said in lines if "dead letter" in said["message"]]
    assert (failed["level"], failed["flow"], failed["module"]) == ("error", "f", "talk")
    assert failed["messageId"].endswith("->talk.in#1")
    assert "Traceback" in failed["message"]
