"""The tests that catalogue modules carry; and that every module is tested somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

from actors.definition.catalogue import SHIPPED, Catalogue
from tests.catalogue.running import runner
from tests.harness import need

ALONE = {"http-in"}  # the gateway's own tests show the rest


def test_the_tests_of_the_modules_pass(tmp_path: Path) -> None:
    need("node")
    files = sorted(SHIPPED.glob("*/tests.yaml"))
    done = runner(tmp_path, "--state", str(tmp_path / "state"), "test", *map(str, files), "--json")
    found = json.loads(done.stdout)["tests"]
    assert [test for test in found if test["result"] != "ok"] == []
    assert {Path(test["file"]) for test in found} == set(files)


def test_every_module_has_a_test() -> None:
    texts = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    named = set(re.findall(r'"use": "([\w-]+)"', texts))
    carried = {path.parent.name for path in SHIPPED.glob("*/tests.yaml")}
    assert set(Catalogue().names()) - named - carried == set()
