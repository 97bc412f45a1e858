"""A module's standard input is empty: what comes in by `-i x=-` is no module's, nor its children's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.harness import need
from tests.test_run import command

READERS = {
    "python3": "import sys\ndef run(m, c): return [m, sys.stdin.read()]",
    "python3 child": "from subprocess import *\ndef run(m, c): return [m, check_output('cat').decode()]",
    "node": "module.exports = (m) => [m, require('fs').readFileSync(0, 'utf8')]",
    "ruby": "def run(m, c) = [m, $stdin.read]",
    "php": "function run($m, $c) { return [$m, stream_get_contents(STDIN)]; }",
    "sbcl": '(lambda (m c) (declare (ignore c)) (list m (or (read-line *standard-input* nil) "")))',
}


@pytest.mark.parametrize("name", READERS)
def test_it_is_empty(tmp_path: Path, name: str) -> None:
    runtime = name.partition(" ")[0]
    need(runtime)
    (tmp_path / "f.json").write_text(
        json.dumps({"id": "f", "modules": {"a": {"runtime": runtime, "code": READERS[name]}}})
    )
    words = command(tmp_path, tmp_path / "f.json", "-i", "a=-", "-o", "a=-")
    done = subprocess.run(words, input="1\n2\n3\n", capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ('[1,""]\n[2,""]\n[3,""]\n', 0), done.stderr
