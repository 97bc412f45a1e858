"""`python -m tests.container ENGINE IMAGE [FLAG...]`: the image as it is meant to be used: read-only, no network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.container.flow import ADD, line

MESSAGES = 1200
DELAY_S = 0.01
INSIDE = (Path(__file__).parent / "inside.py").read_text(encoding="utf-8")


class Container:
    """One volume, and the containers that use it one after the other."""

    def __init__(self, engine: str, image: str, flags: list[str], deployment: Path) -> None:
        self.engine, self.image = engine, image
        self.name = f"runner-test-{time.time_ns():x}"
        self.options = [
            *flags, "--read-only", "--network", "none", "--user", "10001", "--cap-drop", "all",
            "--tmpfs", "/tmp", "-v", f"{self.name}:/var/lib/runner", "-v", f"{deployment}:/deployment:ro",
        ]  # fmt: skip

    def call(self, *words: str, stdin: str = "", good: bool = True) -> subprocess.CompletedProcess[str]:
        """A command of the engine, to its end."""
        done = subprocess.run(
            [self.engine, *words], input=stdin, capture_output=True, text=True, timeout=300, check=False
        )
        if good and done.returncode:
            raise SystemExit(f"{self.engine} {' '.join(words[:3])} ...: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def once(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A verb of the runner in a container of its own."""
        return self.call("run", "--rm", "-i", *self.options, self.image, *words, stdin=stdin)

    def up(self) -> None:
        """The deployment, in the background, until it is healthy."""
        self.call("run", "-d", "--name", self.name, *self.options, self.image)
        self.wait_until_up(1)

    def wait_until_up(self, times: int) -> None:
        """Until it has said so for the n-th time, and the image's own health check passes."""
        test = json.loads(self.call("image", "inspect", self.image, "--format", "{{json .Config.Healthcheck}}").stdout)
        assert test["Test"][0] == "CMD", test
        until = time.monotonic() + 240
        is_up = lambda: self.logs().count("plant is up") == times  # noqa: E731
        while not is_up() or self.call("exec", self.name, *test["Test"][1:], good=False).returncode:
            state = self.call("inspect", self.name, "--format", "{{.State.Status}}").stdout.strip()
            if state != "running" or time.monotonic() > until:
                raise SystemExit(f"the container is {state} and not healthy:\n{self.logs()}")
            time.sleep(0.5)

    def inside(self, *words: str) -> Any:
        """inside.py with these arguments, and what it prints."""
        printed = self.call("exec", "-i", self.name, "/opt/venv/bin/python", "-", *words, stdin=INSIDE).stdout
        return json.loads(printed) if printed else None

    def stop(self) -> int:
        """In order; returns the exit status."""
        self.call("stop", "-t", "60", self.name)
        return int(self.call("inspect", self.name, "--format", "{{.State.ExitCode}}").stdout)

    def logs(self) -> str:
        """Everything that was logged."""
        done = self.call("logs", self.name, good=False)
        return done.stdout + done.stderr

    def remove(self) -> None:
        """No trace is left."""
        self.call("rm", "-f", self.name, good=False)
        self.call("volume", "rm", "-f", self.name, good=False)


@contextmanager
def container(engine: str, image: str, flags: list[str]) -> Iterator[Container]:
    """A container, and a deployment for it in a folder that uid 10001 can read."""
    folder = Path(tempfile.mkdtemp(prefix="runner-container-"))
    folder.chmod(0o755)
    subject = Container(engine, image, flags, folder)
    try:
        yield subject
    finally:
        subject.remove()
        with suppress(OSError):
            shutil.rmtree(folder)


def check(what: str, good: bool, seen: Any = "") -> None:
    """Say it, and end with status 1 if it is not so."""
    print(f"{'ok  ' if good else 'FAIL'} {what}{f': {seen}' if seen != '' else ''}", flush=True)
    if not good:
        raise SystemExit(1)


def main(engine: str, image: str, flags: list[str]) -> None:
    """Everything, in order."""
    with container(engine, image, flags) as subject:
        listed = json.loads(subject.once("runtimes", "--json").stdout)
        runtimes = [runtime["id"] for runtime in listed if runtime["available"] and runtime["id"] in ADD]
        versions = ", ".join(f"{runtime['id']} {runtime['version']}" for runtime in listed)
        check("every runtime of the image is available", len(runtimes) == len(listed) == len(ADD), versions)
        folder = Path(subject.options[-1].partition(":")[0])
        (folder / "line.json").write_text(json.dumps(line(runtimes, DELAY_S)))
        deployment = {"name": "plant", "runners": {"main": {}}, "flows": [{"file": "line.json"}]}
        (folder / "deployment.yaml").write_text(json.dumps(deployment))
        isolated(subject)
        embedded(subject, runtimes)
        stopped_and_started(subject, len(runtimes))


def isolated(subject: Container) -> None:
    """What no module can do, with or without a mount namespace; what holds besides is said."""
    found = {row["what"]: row["found"] for row in json.loads(subject.once("doctor", "--json").stdout)}
    tried = {what.removeprefix("module: "): says for what, says in found.items() if what.startswith("module: ")}
    refused = [what for what, says in tried.items() if says.startswith("refused")]
    always = {"make set-uid files", "use the API", "change the runner's limits", "trace the runner", "make namespaces"}
    check("modules are kept apart", always <= set(refused), f"{', '.join(refused)}; {found['mount namespace']}")


def embedded(subject: Container, runtimes: list[str]) -> None:
    """`runner run` of hello, and of one flow through all languages."""
    hello = subject.once("run", "/opt/runner/configs/hello.yaml")
    said = hello.stdout + hello.stderr
    whole = "#20" in said and "left out" not in said
    check("hello ends by itself with every language, read-only, uid 10001, no network", whole)
    begun = time.monotonic()
    last = "count" if len(runtimes) == 1 else runtimes[-1]
    sent = "".join(json.dumps({"n": 10 * n, "by": []}) + "\n" for n in range(50))
    words = ("run", "/deployment/line.json", "-i", "first.in=-", "-o", f"{last}.out=-")
    came = [json.loads(row) for row in subject.once(*words, stdin=sent).stdout.splitlines()]
    wanted = [{"n": 10 * n + len(runtimes), "by": runtimes} for n in range(50)]
    check("one flow through all languages, exact", came == wanted, f"{time.monotonic() - begun:.1f} s, built offline")


def stopped_and_started(subject: Container, steps: int) -> None:
    """`runner up` of a mounted deployment: stopped in the middle of its work, and started again."""
    subject.up()
    check("runner up with a mounted deployment, the health check passes", True)
    subject.inside("send", "0", str(MESSAGES))
    found = subject.inside("zombies")
    check("no zombies", found["zombies"] == 0, found)
    status = subject.stop()
    kept = [row for row in subject.logs().splitlines() if "kept, with" in row]
    check("a stop in the middle drains and keeps", status == 0 and len(kept) == 1, kept[-1:])
    check("messages were waiting", " 0 messages" not in kept[0])
    subject.call("start", subject.name)
    subject.wait_until_up(2)
    taken = [row for row in subject.logs().splitlines() if "goes on from where it was stopped" in row]
    check("the next start goes on", len(taken) == 1, taken[-1:])
    subject.inside("send", str(MESSAGES), str(MESSAGES + 100))
    total = MESSAGES + 100
    report = subject.inside("report", str(total))
    wanted = {"count": total, "sum": sum(range(total)) + steps * total, "in_order": True}
    check("every message once and in order over the stop", report["counted"] == wanted, report["counted"])
    check("the accounts of all modules balance", report["balanced"])
    found = subject.inside("zombies")
    check("no zombies after that", found["zombies"] == 0, found)
    check("the second stop is clean too", subject.stop() == 0)


main(sys.argv[1], sys.argv[2], sys.argv[3:])
