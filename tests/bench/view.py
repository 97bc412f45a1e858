"""The web view beside Node-RED's editor, with as many nodes, in the same Chromium: the first picture, processors.

    python -m tests.bench.view [--node-red FOLDER] [--runs N] [COUNT ...]

FOLDER is where `npm install node-red` was done. It prints a line a measurement: shares are of one core.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from tests.gateway.served import serving
from tests.pages.browser import chromium

SETTLE_S, WATCH_S = 2.0, 8.0
PORT = 18881
SOURCE = "import time\ndef start(c):\n    while True:\n        yield 1\n        time.sleep(0.05)\n"
MODULE = "def run(m, c):\n    return None if m > 3 else m + 1\n"


def wires(count: int) -> list[tuple[int, int]]:
    """The same for both: each has one of the six before it in front, some have another one."""
    chance = random.Random(count)
    found = {(max(0, at - 1 - chance.randrange(6)), at) for at in range(1, count)}
    return sorted(found | {(chance.randrange(at), at) for at in range(5, count, 5)})


def flow(count: int) -> str:
    modules = {f"m{at}": {"runtime": "python3", "code": MODULE if at else SOURCE} for at in range(count)}
    return json.dumps({"id": "shop", "modules": modules, "wires": [f"m{a} -> m{b}" for a, b in wires(count)]})


def node_red_flow(count: int) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = [{"id": "tab", "type": "tab", "label": "bench"}]
    for at in range(count):
        node = {"id": f"n{at}", "z": "tab", "x": 100 + 180 * (at % 20), "y": 60 + 50 * (at // 20), "name": f"m{at}"}
        node["wires"] = [[f"n{b}" for a, b in wires(count) if a == at]]
        inject = {"type": "inject", "props": [{"p": "payload"}], "repeat": "0.05", "payload": "1", "payloadType": "num"}
        work = {
            "type": "function",
            "func": "if (msg.payload > 3) return null; msg.payload++; return msg;",
            "outputs": 1,
        }
        nodes.append(node | (work if at else inject))
    return nodes


def cpu_s(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        if process.is_running():
            times = process.cpu_times()
            total += times.user + times.system
    return total


def measure(browser: Any, address: str, selector: str, count: int, runs: int, server: psutil.Process) -> dict[str, Any]:
    first_s, page_share, server_share = [], [], []
    for _ in range(runs):
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.set_default_timeout(120_000)
        begun = time.monotonic()
        page.goto(address)
        if "token=" in address:
            page.get_by_role("link", name="shop", exact=True).click()
        page.wait_for_function(f"() => document.querySelectorAll('{selector}').length >= {count}")
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        first_s.append(time.monotonic() - begun)
        time.sleep(SETTLE_S)
        children = [one for one in psutil.Process().children(recursive=True) if "chrom" in one.name()]
        before, server_before, at = cpu_s(children), cpu_s([server]), time.monotonic()
        time.sleep(WATCH_S)
        took = time.monotonic() - at
        page_share.append((cpu_s(children) - before) / took)
        server_share.append((cpu_s([server]) - server_before) / took)
        context.close()
    return {
        "first_s": [round(min(first_s), 2), round(median(first_s), 2), round(max(first_s), 2)],
        "page": round(median(page_share), 3), "server": round(median(server_share), 3),
    }  # fmt: skip


def of_view(browser: Any, count: int, runs: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), flow(count)) as served:
        server = psutil.Process(served.process.pid)
        return measure(browser, f"{served.address}/#token={served.token}", ".node", count, runs, server)


def of_node_red(browser: Any, count: int, runs: int, red: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "flows.json").write_text(json.dumps(node_red_flow(count)))
        settings = {"flowFile": "flows.json", "uiPort": PORT, "uiHost": "127.0.0.1", "editorTheme": {"tours": False}}
        Path(folder, "settings.js").write_text(f"module.exports = {json.dumps(settings)}")
        command = [
            "node",
            str(red / "node_modules/node-red/red.js"),
            "--userDir",
            folder,
            "-s",
            f"{folder}/settings.js",
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                for _ in range(240):
                    try:
                        urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=1)
                        break
                    except OSError:
                        time.sleep(0.5)
                server = psutil.Process(process.pid)
                return measure(browser, f"http://127.0.0.1:{PORT}/", ".red-ui-flow-node-group", count, runs, server)
            finally:
                process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.view")
    parser.add_argument("counts", metavar="COUNT", type=int, nargs="*", default=[30, 300, 1000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--node-red", type=Path)
    options = parser.parse_args()
    with chromium() as browser:
        for count in options.counts:
            print(json.dumps({"view": count, "load": os.getloadavg()[0], **of_view(browser, count, options.runs)}))
            if options.node_red is not None:
                print(json.dumps({"node-red": count, **of_node_red(browser, count, options.runs, options.node_red)}))


if __name__ == "__main__":
    main()
