"""`runner new RUNTIME NAME`: a starter module and its flow file, with a test that passes, from the runtime's folder."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from actors.console.errors import UserError
from actors.definition.places import no_runtime
from runtimes.manifest import ID_PATTERN, load_runtimes, runtime_folders

PLACEHOLDER = "NAME"


def new(options: argparse.Namespace) -> int:
    """Write the files into the working directory; nothing is overwritten."""
    runtimes = load_runtimes(runtime_folders())
    with_starter = [id for id, runtime in runtimes.items() if (runtime.folder / "starter").is_dir()]
    if options.runtime not in runtimes:
        raise UserError(no_runtime(options.runtime, with_starter))
    if options.runtime not in with_starter:
        raise UserError(f"there is no starter for {options.runtime!r}; there are: {', '.join(with_starter)}")
    if not ID_PATTERN.fullmatch(options.name):
        raise UserError(f"{options.name!r} is no module id: it must match {ID_PATTERN.pattern}", usage=True)
    starters = sorted(file for file in (runtimes[options.runtime].folder / "starter").iterdir() if file.is_file())
    files = {Path(file.name.replace(PLACEHOLDER, options.name)): file.read_text() for file in starters}
    for path in files:
        if path.exists():
            raise UserError(f"{path} exists already; nothing was written")
    _write({path: text.replace(PLACEHOLDER, options.name) for path, text in files.items()})
    if options.json:
        print(json.dumps({"ok": True, "files": [str(path) for path in files]}))
    else:
        print(f"wrote {' and '.join(map(str, files))}; try: runner test {options.name}.yaml")
    return 0


def _write(files: dict[Path, str]) -> None:
    """All of them, or none."""
    begun: list[Path] = []
    try:
        for path, text in files.items():
            with path.open("x", encoding="utf-8") as file:
                begun.append(path)
                file.write(text)
    except OSError as error:
        for made in begun:
            made.unlink()
        raise UserError(f"{path} cannot be written: {error.strerror}; nothing was written") from None
