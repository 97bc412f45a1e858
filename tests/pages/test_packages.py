"""Packages of npm in pages: the server makes ES modules of them, whatever they are, and pages import those."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtimes.environments import cache_folder
from tests.gateway.served import Served, serving
from tests.packages import tarball
from tests.pages.browser import page
from tests.test_run import wait_for

ASK = "export function start(context) { globalThis.ask = (value) => context.send('out', value) }"
ADD = """
import size, { VERSION as version } from 'modern'
import { twice } from 'modern/more'
export default (message, context) => {
  context.set('n', context.get('n', 0) + 1)
  return [message, version, size([1, 2]), twice(4), context.get('n')]
}
"""
OLD = """
const { VERSION } = require('common')
const common = require('common')
module.exports = async (message) => {
  const { default: whole, VERSION: named } = await import('common')
  return [...message, VERSION, named, whole === common, typeof require('common').lazily]
}
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("npm") is None:
        pytest.skip("there is no npm here: apt-get install npm")
    folder = tmp_path_factory.mktemp("npm")
    for version in ("1.0.0", "2.0.0"):
        modern = f"import {{ length }} from './more.js'\nexport default length\nexport const VERSION = '{version}'\n"
        more = "export const length = (list) => list.length\nexport const twice = (n) => 2 * n\n"
        tarball(folder, "modern", version, modern, "module", more=more)
    common = "exports.VERSION = '1'\nexports.lazily = () => require('fs').readFileSync\n"
    tarball(folder, "common", "1.0.0", common)
    tarball(folder, "eager", "1.0.0", "exports.read = require('fs').readFileSync\n")
    tarball(folder, "server", "1.0.0", "export { readFileSync } from 'node:fs'\n", "module")
    return folder


def flow(packages: Path, *wanted: str, add: str = ADD) -> dict[str, Any]:
    """`wanted`: the dependencies of `add`."""
    of = lambda *names: [f"file:{packages / name}.tgz" for name in names]  # noqa: E731
    modules = {
        "ask": {"runtime": "browser", "window": True, "code": ASK},
        "add": {"runtime": "browser", "code": add, "dependencies": of(*(wanted or ("modern-1.0.0",)))},
        "old": {"runtime": "browser", "window": True, "code": OLD, "dependencies": of("common-1.0.0")},
        "show": {"runtime": "browser", "window": True, "code": "(message) => { globalThis.seen.push(message) }"},
    }
    return {"id": "shop", "modules": modules, "wires": ["ask -> add", "add -> old", "old -> show"]}


@pytest.fixture(scope="module")
def served(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("npm_config_cache", f"{cache_folder()}/tools/node/npm")
        patch.setenv("RUNNER_CACHE", str(folder / "cache"))
        with serving(folder, json.dumps(flow(packages))) as found:
            yield found


def test_packages_of_both_kinds(served: Served, browser: Any) -> None:
    with page(served, browser) as one:
        one.ask("a", "b")
        both = ["1", "1", True, "function"]
        assert one.seen(2) == [["a", "1.0.0", 2, 8, 1, *both], ["b", "1.0.0", 2, 8, 2, *both]]


def test_another_version_comes_without_a_reload(served: Served, packages: Path, browser: Any) -> None:
    with page(served, browser) as one:
        one.ask("a")
        assert one.seen(1)[0][:2] == ["a", "1.0.0"]
        served.call("addOrUpdateFlow", flow(packages, "modern-2.0.0"))
        wait_for(lambda: one.ask("b") or one.do("seen.at(-1)[1]") == "2.0.0")  # a page takes it as soon as it has it
        seen = one.do("seen")
        assert [row[4] for row in seen] == list(range(1, len(seen) + 1))  # with the context as it was
        receipt = served.call("lastReceipt", "shop")["modules"]
        assert {name for name, row in receipt.items() if row["did"] == "replaced"} == {"add"}
        rows = {Path(row["dependencies"][0]).name: row for row in served.call("listDependencies", "browser")}
        assert rows["common-1.0.0.tgz"]["usedBy"] == rows["modern-2.0.0.tgz"]["usedBy"] == ["shop"]
        assert served.call("removeDependencies", "browser", rows["modern-1.0.0.tgz"]["environmentId"]) is True


IMPORTS = "import it from '{}'\nexport default () => it"
REFUSED = {
    "that is not there": (["nothing-1.0.0"], ADD, "nothing-1.0.0"),
    "of node": (["server-1.0.0"], IMPORTS.format("server"), "server needs node:fs, a part of node: a browser has none"),
    "of node, as it is loaded": (["eager-1.0.0"], IMPORTS.format("eager"), "eager needs fs, a part of node"),
    "not named": (["common-1.0.0"], IMPORTS.format("modern"), "name it in the module's `dependencies:`"),
    "a part that is not there": (["modern-1.0.0"], IMPORTS.format("modern/x"), "can import modern, modern/more"),
    "a name that is not there": (["modern-1.0.0"], "import { no } from 'modern'\nexport default no", "'no'"),
}


def test_what_cannot_be_had_is_refused(served: Served, packages: Path, browser: Any) -> None:
    """In a sentence; the version that is there goes on."""
    served.call("addOrUpdateFlow", flow(packages))
    with page(served, browser) as one:
        for name, (wanted, code, says) in REFUSED.items():
            document = flow(packages, *wanted, add=code)
            told = {"jsonrpc": "2.0", "id": 1, "method": "addOrUpdateFlow", "params": [document]}
            assert says in served.post("/rpc", told).json["error"]["message"], name
        one.ask("still")
        assert one.seen(1)[0][:2] == ["still", "1.0.0"]


def test_their_addresses(served: Served, packages: Path) -> None:
    """What is there never changes; nothing else is there."""
    served.call("addOrUpdateFlow", flow(packages))
    environment = next(
        row["environmentId"] for row in served.call("listDependencies", "browser") if "modern-1" in str(row)
    )  # fmt: skip
    folder = f"/runner/packages/shop/{environment}"
    plain = served.ask("GET", f"{folder}/modern/more.js", token=None)
    packed = served.ask("GET", f"{folder}/modern/more.js", token=None, Accept_Encoding="gzip")
    assert gzip.decompress(packed.body) == plain.body != packed.body
    assert "immutable" in plain.headers["cache-control"]
    assert plain.headers["content-type"] == "text/javascript"
    assert served.ask("GET", f"{folder}/index.json", token=None).json == ["modern", "modern/more"]
    for wrong in (
        f"{folder}/../about.json", f"{folder}/other.js", f"{folder}/", folder, "/runner/packages/", f"{folder}/%00",
        "/runner/packages/shop/node-0123456789ab/x.js", f"/runner/packages/other/{environment}/modern.js",
    ):  # fmt: skip
        assert served.ask("GET", wrong, token=None).status == 404, wrong
