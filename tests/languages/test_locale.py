"""Text is UTF-8 in every language, whatever the locale that the runner was started with."""

from __future__ import annotations

from typing import Any

import pytest

from actors.host.process import utf8
from tests.harness import Harness, need

CODE = {
    "python3": """
from pathlib import Path
import os

def run(m, c):
    Path("x.txt").write_text("å" + m)
    with open("x.txt") as file:
        return [m, "é", file.read(), os.environ["X_TEXT"], os.popen("echo ä").read()]
""",
    "node": """
const { execSync } = require('node:child_process')
const fs = require('node:fs')
module.exports = (m) => {
  fs.writeFileSync('x.txt', 'å' + m)
  return [m, 'é', fs.readFileSync('x.txt', 'utf8'), process.env.X_TEXT, execSync('echo ä').toString()]
}
""",
    "ruby": """
def run(m, c)
  File.write("x.txt", "å" + m)
  [m, "é", File.read("x.txt"), ENV["X_TEXT"], `echo ä`]
end
""",
    "php": """
function run($m, $c) {
    file_put_contents("x.txt", "å" . $m);
    return [$m, "é", file_get_contents("x.txt"), getenv("X_TEXT"), shell_exec("echo " . escapeshellarg("ä"))];
}
""",
    "sbcl": """
(defun text (stream) (format nil "~a~%" (read-line stream)))
(lambda (m c)
  (declare (ignore c))
  (with-open-file (out "x.txt" :direction :output :if-exists :supersede) (write-string "å" out) (write-string m out))
  (list m "é" (with-open-file (in "x.txt") (read-line in)) (sb-ext:posix-getenv "X_TEXT")
        (text (sb-ext:process-output (sb-ext:run-program "/bin/echo" (list "ä") :output :stream)))))
""",
}


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LANG": "de_DE.ISO-8859-1"}, {}], ids=str)
@pytest.mark.parametrize("runtime", CODE)
def test_text_is_utf_8(runner: Harness, monkeypatch: pytest.MonkeyPatch, runtime: str, locale: dict[str, str]) -> None:
    need(runtime)
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in locale.items():
        monkeypatch.setenv(name, value)
    runner.add("f", {"m": {"runtime": runtime, "code": CODE[runtime], "env": {"X_TEXT": "ñ"}}})
    out = runner.collect("f", "m")
    runner.start("f")
    runner.send("f/m", "ø")
    runner.wait_idle("f")
    assert out.got == [["ø", "é", "åø", "ñ", "ä\n"]]


@pytest.mark.parametrize(
    ("passed_on", "more"),
    [
        ({}, {"LC_CTYPE": "C.UTF-8"}),
        ({"LANG": "en_US.UTF-8"}, {}),
        ({"LANG": "en_US.utf8@euro"}, {}),
        ({"LANG": "en_US"}, {"LC_CTYPE": "C.UTF-8"}),
        ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, {"LC_ALL": "C.UTF-8"}),
        ({"LC_ALL": "", "LC_CTYPE": "POSIX"}, {"LC_CTYPE": "C.UTF-8"}),
    ],
)
def test_only_what_is_not_utf_8_is_changed(passed_on: dict[str, Any], more: dict[str, str]) -> None:
    assert utf8(passed_on) == passed_on | more
