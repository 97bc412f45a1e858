"""A deployment that this process starts for itself, in a folder of its own, and ends."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

from actors.console.client import RunnerClient
from actors.console.errors import UserError

RUNNER = [sys.executable, "-m", "actors.console"]
END_S = 30.0


class OwnDeployment:
    """`process`: that of `runner up`; `state`: its state directory."""

    def __init__(self, folder: Path, deployment: dict[str, Any]) -> None:
        """Starts it; `reached` waits until it is up."""
        self.state, self._log, self._name = folder / "state", folder / "log", deployment["name"]
        file = folder / f"{self._name}.json"
        file.write_text(json.dumps(deployment))
        command = [*RUNNER, "--state", str(self.state), "up", str(file), "--json"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)

    def reached(self, within_s: float) -> RunnerClient:
        """A connection to its door, once it is up. Raises UserError with what it has said."""
        out = self.process.stdout
        assert out is not None
        if not (select.select([out], [], [], within_s)[0] and out.readline()):
            raise UserError(f"the runners of {self._name} did not come up", self.said()[-2000:])
        return RunnerClient(state=self.state)

    def said(self) -> str:
        """Its log so far."""
        return self._log.read_text("utf-8", errors="replace")

    def end(self) -> bool:
        """In order; False: it did not end in time, and was ended by force."""
        assert self.process.stdout is not None
        self.process.terminate()
        try:
            self.process.wait(END_S)
            return True
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        finally:
            self.process.stdout.close()

    def kill(self) -> None:
        """At once; what it has started ends with it."""
        self.process.kill()
        self.process.wait()
