"""What a message costs a language without any host: decode, the identity function, encode, in one bare process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from runtimes.environments import cache_folder, environment_recipe
from runtimes.go.tools import go_variables
from runtimes.making import make
from runtimes.manifest import RUNTIMES_FOLDER, find_version, load_runtimes
from runtimes.rust.rustc import rustc
from tests.bench.latency import MESSAGE

FOLDER = Path(__file__).parent / "bare" / "codec"
MESSAGES = 600
ROUNDS = 400


class Codecs:
    """The programs of bare/codec, the compiled ones in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._commands: dict[str, list[str]] = {}

    def costs_us(self, runtimes: tuple[str, ...]) -> list[float]:
        """Microseconds of processor time a message, of each runtime; they run at once, as the hosts do.

        A program gets a JSON array of 600 messages on standard input and the number of rounds as its last argument; a
        quarter as many go before, uncounted.
        """
        messages = b"[" + b",".join([MESSAGE] * MESSAGES) + b"]"
        commands = [[*self._command(runtime), str(ROUNDS)] for runtime in runtimes]
        running = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self._folder)
            for command in commands
        ]
        for process in running:
            assert process.stdin is not None
            process.stdin.write(messages)
            process.stdin.close()
        figures = []
        for process in running:
            assert process.stdout is not None
            with process.stdout:
                figures.append(float(process.stdout.read()))
            assert process.wait() == 0, f"{process.args} failed"
        return figures

    def _command(self, runtime: str) -> list[str]:
        if runtime not in self._commands:
            self._commands[runtime] = COMMANDS[runtime](self._folder)
        return self._commands[runtime]


@contextmanager
def codecs() -> Iterator[Codecs]:
    """Codecs for as long as they are needed."""
    with TemporaryDirectory(prefix="bench-") as folder:
        yield Codecs(Path(folder))


def _go(folder: Path) -> list[str]:
    """A package that an overlay puts into the module flow: its codec is internal."""
    flow = RUNTIMES_FOLDER / "go" / "flow"
    overlay = folder / "overlay.json"
    overlay.write_text(json.dumps({"Replace": {str(flow / "codec" / "codec.go"): str(FOLDER / "codec.go")}}))
    command = ["go", "build", "-overlay", str(overlay), "-o", str(folder / "go-codec"), "./codec"]
    subprocess.run(command, cwd=flow, env=go_variables(), check=True)
    return [str(folder / "go-codec")]


def _rust(folder: Path) -> list[str]:
    """With the environment's serde_json, and the host's options."""
    runtime = load_runtimes([RUNTIMES_FOLDER])["rust"]
    version = find_version(runtime).version
    assert version is not None
    recipe = environment_recipe(cache_folder(), runtime, version, [])
    assert recipe is not None
    failure = make(cache_folder(), recipe)
    assert failure is None, failure
    libraries = json.loads((recipe.place / "externs.json").read_text())["externs"]
    externs = {"serde_json": recipe.place / libraries["serde_json"]}
    rustc([str(FOLDER / "codec.rs"), "-Copt-level=3", "-o", "rust-codec"], externs, cwd=str(folder))
    return [str(folder / "rust-codec")]


COMMANDS = {
    "python3": lambda _: [sys.executable, str(FOLDER / "codec.py")],
    "node": lambda _: ["node", str(FOLDER / "codec.js")],
    "ruby": lambda _: ["ruby", "--disable-gems", str(FOLDER / "codec.rb")],
    "php": lambda _: ["php", str(FOLDER / "codec.php")],
    "sbcl": lambda _: ["sbcl", "--script", str(FOLDER / "codec.lisp"), str(RUNTIMES_FOLDER / "sbcl")],
    "go": _go,
    "rust": _rust,
}
