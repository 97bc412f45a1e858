"""What it costs to have a python3 environment: made, and asked for again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from uv import find_uv_bin

from actors.messages.client_to_runner import InstallDependencies, RemoveDependencies
from actors.messages.owner_to_runner import ConfigureRunner, ShutDown
from actors.messages.runner_to_client import Reply
from actors.runner.runner import RunnerActor
from actors.system.in_process import ActorSystem
from tests.bench.figures import Row, interleaved

DEPENDENCIES = ["numpy==2.*"]


class Installer:
    """A runner that installs and removes, with a cache of its own; uv's cache is that of its tools."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache = folder, folder / "cache"
        self.system = ActorSystem()
        self.runner = self.system.createActor(RunnerActor)
        self.system.tell(self.runner, ConfigureRunner(run_folder=folder, cache=self.cache))

    def _ask(self, request: object) -> Reply:
        answer = self.system.ask(self.runner, request, None)
        while not isinstance(answer, Reply):  # Progress
            answer = self.system.listen(None)
        assert answer.ok, answer.error
        return answer

    def install(self) -> str:
        """The environment's id."""
        request = InstallDependencies(request_id="install", runtime_id="python3", dependencies=DEPENDENCIES)
        return str(self._ask(request).value)

    def remove(self, environment: str) -> None:
        """Take it away; the files themselves go later."""
        self._ask(RemoveDependencies(request_id="remove", runtime_id="python3", environment_id=environment))

    def made_s(self) -> float:
        """From the request to the answer, when the environment is not there."""
        self.remove(self.install())
        begun = time.perf_counter()
        self.install()
        return time.perf_counter() - begun

    def again_ms(self) -> float:
        """The same when it is there."""
        begun = time.perf_counter()
        self.install()
        return (time.perf_counter() - begun) * 1000

    def bare_s(self) -> float:
        """uv alone, with the same cache."""
        target = self.folder / "bare"
        shutil.rmtree(target, ignore_errors=True)
        command = [find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable, "--target", target]
        variables = {**os.environ, "UV_CACHE_DIR": str(self.cache / "tools" / "python3" / "uv")}
        begun = time.perf_counter()
        subprocess.run([*command, *DEPENDENCIES], env=variables, check=True)
        return time.perf_counter() - begun

    def close(self) -> None:
        """End what still runs."""
        self.system.ask(self.runner, ShutDown(request_id="end"), None)
        self.system.shutdown()


def environment(runs: int, quick: bool) -> Iterator[Row]:
    """An environment with numpy; the packages are in uv's cache, the index can be reached."""
    del quick  # it is short anyway
    with TemporaryDirectory(prefix="bench-") as folder:
        installer = Installer(Path(folder))
        try:
            try:
                installer.install()
            except AssertionError as error:
                print(f"{'environment':<30} left out: {str(error).splitlines()[0]}")
                return
            values, limits = interleaved(runs, installer.made_s, installer.bare_s)
            yield Row(
                name="environment.numpy", unit="s", what="installDependencies of numpy, packages cached", values=values,
                limit="a bare `uv pip install` with the same cache", limits=limits, target=1.5, lower_is_better=True,
            )  # fmt: skip
            again = [installer.again_ms() for _ in range(runs)]
            yield Row(
                name="environment.again", unit="ms", what="installDependencies of a set that is there", values=again,
                target=1.0, absolute=True, lower_is_better=True,
            )  # fmt: skip
        finally:
            installer.close()
