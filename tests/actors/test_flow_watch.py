"""When an edit of a flow's files counts, and what it is."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.flow_watch import SETTLE_S, Edit, FlowWatch
from actors.flows.reading import read_flow_file

FLOW = "id: f\nmodules:\n  a: {runtime: python3, file: code/a.py, files: ['lib/**/*.py']}\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    for name, text in {"f.yaml": FLOW, "code/a.py": "one", "lib/x.py": "x"}.items():
        write(home / name, text)
    return home


@pytest.fixture
def watch(home: Path) -> Iterator[FlowWatch]:
    watch = FlowWatch(home / "f.yaml", read_flow_file(home / "f.yaml"))
    assert settle(watch) is None
    yield watch
    watch.close()


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def settle(watch: FlowWatch) -> Edit | None:
    """What the events so far come to, at once."""
    while select.select([watch.fd], [], [], 0)[0]:
        watch.take_in()
    while watch.due is not None and watch.due <= time.monotonic():
        if edit := watch.reread():
            return edit
    return None


def wait(watch: FlowWatch) -> Edit | None:
    """As `settle`, with the time that a file has to come back."""
    while not (edit := settle(watch)) and watch.due is not None:
        select.select([watch.fd], [], [], max(0.0, watch.due - time.monotonic()))
    return edit


def module(edit: Edit | None) -> dict[str, Any]:
    assert edit is not None
    assert edit.problems == ()
    found: dict[str, Any] = edit.document["modules"]["a"]
    return found


def in_place(file: Path, text: str) -> None:
    file.write_text(text)


def renamed(file: Path, text: str) -> None:
    write(file.with_name("saving~"), text)
    file.with_name("saving~").replace(file)


def backed_up(file: Path, text: str) -> None:
    """As vim does it."""
    file.rename(file.with_name(f"{file.name}~"))
    write(file, text)
    file.with_name(f"{file.name}~").unlink()


def gone_and_back(file: Path, text: str) -> None:
    file.unlink()
    write(file, text)


STYLES = [in_place, renamed, backed_up, gone_and_back]


@pytest.mark.parametrize("save", STYLES)
def test_every_way_to_save(watch: FlowWatch, home: Path, save: Any) -> None:
    save(home / "code/a.py", "two")
    assert module(settle(watch))["code"] == "two"
    save(home / "lib/x.py", "xx")
    assert module(settle(watch))["files"] == {"lib/x.py": "xx"}
    save(home / "f.yaml", FLOW.replace("runtime", "config: 1, runtime"))
    assert module(settle(watch))["config"] == 1
    save(home / "f.yaml", FLOW.replace("runtime", "config: 1, runtime"))
    assert settle(watch) is None, "nothing is different"


def test_new_files_and_folders(watch: FlowWatch, home: Path) -> None:
    write(home / "lib/y.py", "y")
    assert module(settle(watch))["files"] == {"lib/x.py": "x", "lib/y.py": "y"}
    (home / "lib/deep").mkdir()
    assert settle(watch) is None
    write(home / "lib/deep/z.py", "z")
    assert module(settle(watch))["files"]["lib/deep/z.py"] == "z"
    (home / "lib/deep/z.py").unlink()
    assert settle(watch) is None, "it may come back"
    assert "lib/deep/z.py" not in module(wait(watch))["files"]


def test_others_do_not_matter(watch: FlowWatch, home: Path) -> None:
    write(home / "notes.txt", "...")
    write(home / "code/a.py.swp", "...")
    assert settle(watch) is None
    assert watch.due is None


def test_a_file_that_is_being_written_is_not_read(watch: FlowWatch, home: Path) -> None:
    """Another one that is saved meanwhile waits for it."""
    with (home / "code/a.py").open("w") as file:
        file.write("half")
        file.flush()
        write(home / "lib/x.py", "xx")
        assert settle(watch) is None
        assert watch.due is not None
        file.write(" and half")
    assert module(settle(watch))["code"] == "half and half"


def test_a_file_that_is_cut_is_not_read_at_once(watch: FlowWatch, home: Path) -> None:
    """Writing in place begins like this. One that stays empty is meant so."""
    write(home / "code/a.py", "")
    assert settle(watch) is None
    write(home / "code/a.py", "two")
    assert module(settle(watch))["code"] == "two"
    write(home / "lib/x.py", "")
    assert module(wait(watch))["files"] == {"lib/x.py": ""}


def test_a_file_that_stays_away_is_named_once(watch: FlowWatch, home: Path) -> None:
    begun = time.monotonic()
    (home / "code/a.py").unlink()
    edit = wait(watch)
    assert time.monotonic() - begun >= SETTLE_S
    assert edit is not None
    assert "a.py', which does not exist" in edit.problems[0]
    write(home / "lib/x.py", "xx")
    assert settle(watch) is None, "said already"
    write(home / "code/a.py", "one")
    assert module(settle(watch))["code"] == "one"


def test_a_folder_that_comes_back(watch: FlowWatch, home: Path) -> None:
    (home / "code").rename(home / "away")
    edit = wait(watch)
    assert edit is not None
    assert edit.problems
    (home / "away").rename(home / "code")
    assert module(settle(watch))["code"] == "one"
    write(home / "code/a.py", "two")
    assert module(settle(watch))["code"] == "two"


def test_a_broken_flow_file(watch: FlowWatch, home: Path) -> None:
    """Then one that names a file which comes only after it, in a folder of its own."""
    write(home / "f.yaml", "id: f\nmodules: {a: {runtime: python3, cod: x}}\n")
    edit = settle(watch)
    assert edit is not None
    assert any(
        "f.yaml:2:" in problem and "`modules.a.cod` is not a known field" in problem for problem in edit.problems
    )
    write(home / "f.yaml", FLOW.replace("code/a.py", "new/b.py"))
    edit = settle(watch)
    assert edit is not None
    assert "does not exist" in edit.problems[0]
    write(home / "new/b.py", "three")
    assert module(settle(watch))["code"] == "three"


def test_the_id_stays(watch: FlowWatch, home: Path) -> None:
    write(home / "f.yaml", FLOW.replace("id: f", "id: g"))
    edit = settle(watch)
    assert edit is not None
    assert "the flow is watched as 'f'; it cannot become 'g'" in edit.problems[0]


def test_a_link_and_what_it_leads_to(home: Path, tmp_path: Path) -> None:
    """Both may be replaced."""
    write(tmp_path / "elsewhere/real.py", "one")
    (home / "code/a.py").unlink()
    (home / "code/a.py").symlink_to(tmp_path / "elsewhere/real.py")
    watch = FlowWatch(home / "f.yaml", read_flow_file(home / "f.yaml"))
    assert settle(watch) is None
    renamed(tmp_path / "elsewhere/real.py", "two")
    assert module(settle(watch))["code"] == "two"
    write(tmp_path / "third.py", "three")
    (home / "code/new").symlink_to(tmp_path / "third.py")
    (home / "code/new").replace(home / "code/a.py")
    assert module(settle(watch))["code"] == "three"
    watch.close()


def test_what_has_changed_before_it_began(home: Path) -> None:
    source = read_flow_file(home / "f.yaml")
    write(home / "code/a.py", "two")
    watch = FlowWatch(home / "f.yaml", source)
    assert module(settle(watch))["code"] == "two"
    watch.close()
