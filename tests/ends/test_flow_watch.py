"""When an edit of a flow's files counts, and what it is."""

from __future__ import annotations

import os
import select
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from actors.definition.reading import read_flow_file
from actors.ends.flow_watch import SETTLE_S, Edit, FlowWatch, _is_being_written

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


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A mounted configuration: `f.yaml` and `code` lead through `..data` to the folder of a version."""
    mount = tmp_path / "mount"
    release(mount / "..1", "one")
    (mount / "..data").symlink_to("..1")
    for name in ("f.yaml", "code", "lib"):
        (mount / name).symlink_to(f"..data/{name}")
    return mount


def release(folder: Path, text: str) -> None:
    for name, content in {"f.yaml": FLOW, "code/a.py": text, "lib/x.py": text}.items():
        write(folder / name, content)


def swap(link: Path, target: Path | str) -> None:
    link.with_name("new").symlink_to(target)
    link.with_name("new").replace(link)


def test_a_mounted_configuration_is_swapped(mounted: Path) -> None:
    watch = FlowWatch(mounted / "f.yaml", read_flow_file(mounted / "f.yaml"))
    assert settle(watch) is None
    for number, text in ((2, "two"), (3, "three")):
        release(mounted / f"..{number}", text)
        assert settle(watch) is None
        swap(mounted / "..data", f"..{number}")
        assert module(settle(watch))["code"] == text
        shutil.rmtree(mounted / f"..{number - 1}")
        assert wait(watch) is None
    watch.close()


@pytest.mark.parametrize("flow", ["releases/current/f.yaml", "way/current/f.yaml"])
def test_a_release_is_swapped(tmp_path: Path, flow: str) -> None:
    """The link is a folder on the way; or on the way of a link on the way."""
    for name in ("1", "2", "3"):
        release(tmp_path / "releases" / name, name)
    (tmp_path / "way").symlink_to(tmp_path / "releases")
    current = tmp_path / "releases/current"
    current.symlink_to("1")
    watch = FlowWatch(tmp_path / flow, read_flow_file(tmp_path / flow))
    assert settle(watch) is None
    swap(current, "2")
    assert module(settle(watch))["code"] == "2"
    current.unlink()
    current.symlink_to(tmp_path / "releases/3")
    assert module(wait(watch))["code"] == "3"
    renamed(tmp_path / "releases/3/code/a.py", "four")
    assert module(settle(watch))["code"] == "four"
    watch.close()


def test_a_folder_of_siblings_is_swapped(home: Path) -> None:
    (home / "lib").rename(home / "lib-1")
    (home / "lib").symlink_to("lib-1")
    write(home / "lib-2/y.py", "y")
    write(home / "f.yaml", FLOW.replace("lib/**/*.py", "lib/*.py"))
    watch = FlowWatch(home / "f.yaml", read_flow_file(home / "f.yaml"))
    assert settle(watch) is None
    swap(home / "lib", "lib-2")
    assert module(settle(watch))["files"] == {"lib/y.py": "y"}
    watch.close()


@pytest.mark.parametrize("way", ["a", "b"])
def test_links_in_a_circle(home: Path, way: str) -> None:
    """They lead to no file, until they do."""
    watch = FlowWatch(home / "f.yaml", read_flow_file(home / "f.yaml"))
    assert settle(watch) is None
    (home / "code/a.py").unlink()
    (home / "code/a.py").symlink_to("b.py")
    (home / "code/b.py").symlink_to("a.py")
    edit = wait(watch)
    assert edit is not None
    assert edit.problems
    renamed(home / f"code/{way}.py", "two")
    assert module(wait(watch))["code"] == "two"
    watch.close()


def test_a_half_written_file_is_waited_for_until_it_is_closed(
    watch: FlowWatch, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the writer pauses; after a while that is said, once."""
    monkeypatch.setattr("actors.ends.flow_watch.SAY_AFTER_S", SETTLE_S)
    with (home / "code/a.py").open("w") as file:
        file.write("half")
        file.flush()
        edit = wait(watch)
        assert edit is not None
        assert edit.problems == (f"{home}/code/a.py: still open for writing; the edit is taken when it is closed",)
        write(home / "lib/x.py", "xx")
        assert settle(watch) is None
        assert watch.due is not None
        time.sleep(max(0.0, watch.due - time.monotonic()))
        assert settle(watch) is None, "said already"
        file.write(" and half")
    edit = settle(watch)
    assert module(edit)["code"] == "half and half"
    assert module(edit)["files"] == {"lib/x.py": "xx"}


def test_a_new_file_is_waited_for_from_its_creation(watch: FlowWatch, home: Path) -> None:
    with (home / "lib/y.py").open("w") as file:
        assert settle(watch) is None
        assert watch.due is not None
        time.sleep(max(0.0, watch.due - time.monotonic()))
        assert settle(watch) is None
        file.write("y")
    assert module(settle(watch))["files"] == {"lib/x.py": "x", "lib/y.py": "y"}


def test_a_cut_by_name_and_a_hard_link_need_no_close(watch: FlowWatch, home: Path) -> None:
    os.truncate(home / "code/a.py", 2)
    assert module(wait(watch))["code"] == "on"
    os.link(home / "code/a.py", home / "lib/y.py")
    assert module(wait(watch))["files"]["lib/y.py"] == "on"


def test_a_writer_is_not_disturbed_by_the_look(watch: FlowWatch, home: Path) -> None:
    """A lease is broken with a signal, which by default ends the process."""

    def looks() -> None:
        seen: Counter[bool] = Counter()
        while seen[True] < 20 or seen[False] < 20:
            seen[_is_being_written(home / "lib/x.py")] += 1

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(looks)
        while not looking.done():
            write(home / "lib/x.py", "xx")
    looking.result()
    assert module(settle(watch))["files"] == {"lib/x.py": "xx"}


def test_hidden_files_are_no_siblings(home: Path) -> None:
    for name in ("lib/.x.py.swp.py", "lib/.git/y.py", "lib/deep/.z.py", ".conf/c.py", "lib/.keep.py"):
        write(home / name, "hidden")
    write(home / "f.yaml", FLOW.replace("'lib/**/*.py'", "'lib/**/*.py', '.conf/*.py', lib/.k*.py"))
    watch = FlowWatch(home / "f.yaml", source := read_flow_file(home / "f.yaml"))
    assert settle(watch) is None
    assert list(source.document["modules"]["a"]["files"]) == [".conf/c.py", "lib/.keep.py", "lib/x.py"]
    write(home / "lib/.y.py", "hidden")
    write(home / "lib/.git/y.py", "hidden too")
    assert wait(watch) is None
    watch.close()
