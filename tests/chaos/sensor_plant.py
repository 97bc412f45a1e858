"""The sensor plant of configs/ under `runner chaos`, with its broker and its database: `sensor_plant.py --for 600`.

Sensors of its own publish all the time, broker and database are restarted; in the end what is in the tables is compared
with what was published. `sensor_plant.py check FOLDER` is that comparison, which `runner chaos` calls.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from tests.catalogue import servers  # noqa: E402
from tests.deployments import RUNNER  # noqa: E402

PLANT = ROOT / "configs" / "sensor-plant"
PATIENCE_S = 120.0
Rows = set[tuple[Any, ...]]


def expected(published: list[dict[str, Any]]) -> tuple[Rows, Rows]:
    """Of each device and minute: the figures, but for what is still open; and the first that was too hot."""
    minutes: dict[tuple[str, float], list[float]] = {}
    alarms: dict[tuple[str, float], tuple[Any, ...]] = {}
    for one in published:
        place = one["device"], one["at"] // 60 * 60
        minutes.setdefault(place, []).append(one["celsius"])
        if one["celsius"] > 40:
            alarms.setdefault(place, (one["device"], one["celsius"], one["at"]))
    last = max(start for _, start in minutes)
    means = {
        (device, start, len(all_), round(sum(all_) / len(all_), 6), min(all_), max(all_))
        for (device, start), all_ in minutes.items() if start < last
    }  # fmt: skip
    return means, set(alarms.values())


def found(port: int) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """What is in the tables."""
    means = servers.psql(port, "SELECT json_build_array(device, start, count, mean, min, max) FROM means")
    alarms = servers.psql(port, "SELECT json_build_array(device, celsius, at) FROM alarms")
    rows = [
        (device, start, count, round(mean, 6), *rest) for device, start, count, mean, *rest in map(json.loads, means)
    ]
    return rows, [tuple(json.loads(row)) for row in alarms]


def check(folder: Path) -> int:
    """Let the sensors end, wait until no more comes, compare."""
    (folder / "end").touch()
    wait_for((folder / "ended").exists, "the sensors end")
    published = [json.loads(line) for line in (folder / "published.ndjson").read_text().splitlines()]
    wanted = expected(published)
    port, before, since = int((folder / "port").read_text()), 0, time.monotonic()
    while True:
        got = found(port)
        count = len(got[0]) + len(got[1])
        if count != before:
            before, since = count, time.monotonic()
        if count >= len(wanted[0]) + len(wanted[1]) or time.monotonic() - since > PATIENCE_S:
            break
        time.sleep(0.2)
    time.sleep(2)  # what comes twice may still be on its way
    got = found(port)
    problems = []
    for name, have, want in zip(("means", "alarms"), got, wanted, strict=True):
        if missing := want - set(have):
            problems.append(f"{name}: {len(missing)} are missing: {sorted(missing)[:3]}")
        if more := set(have) - want:
            problems.append(f"{name}: {len(more)} are too many: {sorted(more)[:3]}")
        if len(set(have)) < len(have):
            problems.append(f"{name}: {len(have) - len(set(have))} are there twice")
    print(*problems, sep="\n")
    print(f"{len(published)} readings were published: {len(got[0])} means, {len(got[1])} alarms are in the tables")
    return 1 if problems else 0


def wait_for(holds: Any, what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@contextmanager
def sensors(folder: Path, port: int, seed: int) -> Iterator[None]:
    command = [sys.executable, "-m", "uv", "run", "--no-project", "-q", "--python", sys.executable]
    words = ["--with", "paho-mqtt==2.*", str(Path(__file__).parent / "sensors.py"), str(folder), str(port), str(seed)]
    with (folder / "sensors.log").open("w") as log:
        process = subprocess.Popen(
            [*command, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )  # fmt: skip
    try:
        yield
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Restarts(threading.Thread):
    """Broker and database by turns, every so many seconds, until the check begins."""

    def __init__(self, folder: Path, broker: servers.Server, database: servers.Server, every_s: float) -> None:
        super().__init__(daemon=True)
        self._folder, self._broker, self._database, self._every_s = folder, broker, database, every_s
        self.over = threading.Event()
        self.counts = {"broker": 0, "database": 0}

    def run(self) -> None:
        while not self.over.wait(self._every_s) and not (self._folder / "end").exists():
            if sum(self.counts.values()) % 2:
                self._database.restart()
                self.counts["database"] += 1
            else:
                (self._folder / "pause").touch()  # what it has taken and not confirmed would be published twice
                wait_for((self._folder / "paused").exists, "the sensors pause")
                self._broker.restart()
                (self._folder / "pause").unlink()
                self.counts["broker"] += 1


def tried(folder: Path, for_s: float, seed: int, *options: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, facts and standard error of `runner chaos`."""
    plant = folder / "plant"
    shutil.copytree(PLANT, plant)
    (folder / "mqtt").mkdir()
    broker, database = servers.mosquitto(folder / "mqtt"), servers.postgres(folder)
    with servers.served(broker), servers.served(database), sensors(folder, broker.port, seed):
        (folder / "port").write_text(str(database.port))
        servers.psql(database.port, (plant / "tables.sql").read_text())
        file = plant / "plant.yaml"
        text = file.read_text().replace("{topics:", f"{{port: {broker.port}, topics:")
        file.write_text(text.replace("127.0.0.1:5432", f"127.0.0.1:{database.port}"))
        wait_for((folder / "published.ndjson").exists, (folder / "sensors.log").read_text())
        restarts = Restarts(folder, broker, database, max(6.0, for_s / 20))
        restarts.start()
        command = [*RUNNER, "chaos", str(file), "--seed", str(seed), "--for", str(for_s), "--yes", "--json"]
        command += ["--check", f"{sys.executable} {__file__} check {folder}", *options]
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"TMPDIR": str(folder)}, capture_output=True, text=True, check=False
        )  # fmt: skip
        restarts.over.set()
        restarts.join()
        facts = json.loads(done.stdout) if done.stdout else {}
        return done.returncode, facts | {"restarts": restarts.counts}, done.stderr


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--for", dest="for_s", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=None)
    options, rest = parser.parse_known_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="sensor-plant-"))
    status, facts, said = tried(folder, options.for_s, options.seed, *rest)
    print(said, json.dumps(facts, indent=2), folder, sep="\n")
    return status


if __name__ == "__main__":
    sys.exit(check(Path(sys.argv[2])) if sys.argv[1:2] == ["check"] else main())
