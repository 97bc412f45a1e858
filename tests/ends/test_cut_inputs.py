"""An input file that is cut while it is read has not ended well; the part of a line that was read is no message."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.ends.test_files import TIMEOUT_S, is_full
from tests.test_run import command, started, wait_for

SAME = "def run(m, c):\n    return m\n"
COUNT, WIDTH = 400_000, 18  # more than is under way at once


@pytest.mark.parametrize("raw", [False, True])
def test_a_file_that_is_cut(tmp_path: Path, raw: bool) -> None:
    """Nobody reads the output, so the input is held; then the file is cut, as a rotation of logs does."""
    (tmp_path / "f.json").write_text(json.dumps({"id": "f", "modules": {"a": {"runtime": "python3", "code": SAME}}}))
    lines = [f"{n}".rjust(WIDTH, "1") for n in range(COUNT)]  # a part of one is JSON, too
    (tmp_path / "in").write_text("\n".join(lines) + "\n")
    words = command(tmp_path, tmp_path / "f.json", "-i", f"a={tmp_path}/in", "-o", "a=-", *(["--lines"] if raw else []))
    with started(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        wait_for(lambda: is_full(process.stdout))
        os.truncate(tmp_path / "in", 100)
        got = process.stdout.read().decode().splitlines()
        said = process.stderr.read().decode()
        assert process.wait(TIMEOUT_S) == 1
    assert f"-i a={tmp_path}/in: the file was cut to 100 bytes while it was read" in said
    assert 0 < len(got) < COUNT
    assert {len(json.loads(line)) if raw else len(line) for line in got} == {WIDTH}
