"""Prepares an environment by uv: locks the dependencies with their hashes, installs them into `site-packages`.

stdin, lock.json and the working directory as in docs/decisions/004-environments-and-builds.md.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

LOCK, REQUIREMENTS, PACKAGES = "lock.json", "requirements.lock", "site-packages"
OTHERS_NOTATION = re.compile(r"([\w.-]+)@v?([\d*^~][^/:]*)")  # npm's, Go's, cargo's
NO_NETWORK = re.compile(r"error sending request|Failed to fetch|dns error|Connect|timed out", re.IGNORECASE)


class FailedError(Exception):
    """uv has said why."""


def main() -> int:
    """Lock, install; the exit status, with uv's own words on stderr."""
    from uv import find_uv_bin  # type: ignore[import-not-found, unused-ignore]

    uv = find_uv_bin()
    named = json.load(sys.stdin)["dependencies"]
    dependencies = "\n".join(named)
    cache = Path(os.environ["RUNNER_CACHE"]) / "tools" / "python3" / "uv"
    os.environ.setdefault("UV_CACHE_DIR", str(cache))
    try:
        try:
            prepare(uv, dependencies, online=True)
        except FailedError as error:
            if not NO_NETWORK.search(str(error)):
                raise
            print("the index cannot be reached: trying with what is cached", flush=True)
            try:
                prepare(uv, dependencies, online=False)
            except FailedError:
                raise error from None
    except FailedError as error:
        print(error, file=sys.stderr)
        for name, version in (found.groups() for text in named if (found := OTHERS_NOTATION.fullmatch(text))):
            print(f"a version is written {name}=={version.lstrip('^~')}, not {name}@{version}", file=sys.stderr)
        return 1
    locked = re.findall(r"^([^\s#-][^\s;\\]*(?: @ [^\s;\\]+)?)", Path(REQUIREMENTS).read_text("utf-8"), re.MULTILINE)
    Path(LOCK).write_text(json.dumps({"locked": locked, "python": sys.version.split()[0]}), "utf-8")
    return 0


def prepare(uv: str, dependencies: str, *, online: bool) -> None:
    """Lock and install; what is locked and cached needs no network."""
    options = ["--quiet", "--python", sys.executable, "--no-progress"]
    offline = [*options, "--offline"]
    print("locking", flush=True)
    lock = [uv, "pip", "compile", "-", "--generate-hashes", "--no-header", "-o", REQUIREMENTS]
    run([*lock, *(options if online else offline)], dependencies)
    print("installing", flush=True)
    install = [uv, "pip", "install", "--no-deps", "--target", PACKAGES, "-r", REQUIREMENTS]
    try:
        run([*install, *offline])
    except FailedError:
        if not online:
            raise
        print("downloading", flush=True)
        run([*install, *options])


def run(command: list[str], stdin: str = "") -> None:
    """Run uv; what it says goes on to stderr only if it fails."""
    done = subprocess.run(command, input=stdin, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise FailedError(done.stderr.strip() or f"uv ended with status {done.returncode}")


sys.exit(main())
