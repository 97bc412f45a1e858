"""A hostile module, an escape a test, in Python and in Go: none of them works, and none leaves a trace.

Also where the kernel lacks a measure: what still holds then is what docs/security.md says.
"""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.messages import client_to_runner as api
from runtimes.confinement.landlock import ABI_SCOPE, landlock_abi
from tests.isolation.prison import SECRET, Prison, prison

LACKS = ["nothing", "namespaces", "landlock"]
RUNTIMES = ["python3", "go"]


@pytest.fixture(scope="module")
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prison]:
    runtime, lacks = request.param
    with prison(runtime, tmp_path_factory.mktemp("prison"), lacks) as opened:
        yield opened


def _in(runtimes: list[str]) -> pytest.MarkDecorator:
    cases = [(runtime, lacks) for runtime in runtimes for lacks in LACKS]
    names = [f"{runtime}-without-{lacks}" for runtime, lacks in cases]
    return pytest.mark.parametrize("inside", cases, indirect=True, ids=names, scope="module")


every_language = _in(RUNTIMES)
one_language = _in(["python3"])  # the kernel sees no difference


def has_landlock(inside: Prison) -> bool:
    return landlock_abi() > 0 and inside.lacks != "landlock"


def needs_namespace(inside: Prison) -> None:
    if not inside.has_namespace:
        pytest.skip("without a mount namespace it is possible: docs/security.md says so")


def needs_landlock(inside: Prison, version: int = 1) -> None:
    if not has_landlock(inside) or landlock_abi() < version:
        pytest.skip("without landlock it is possible: docs/security.md says so")


# files -------------------------------------------------------------------------------------------------------------


@every_language
def test_files_of_others_are_not_written(inside: Prison) -> None:
    if not inside.has_namespace:
        needs_landlock(inside)
    file = inside.outside / "file"
    inside.refuses("write", path=str(file))
    inside.refuses("write", path=str(inside.outside / "new"))
    assert [path.name for path in inside.outside.iterdir()] == ["file"] and file.read_text() == "original"


@every_language
@pytest.mark.parametrize("do", ["chmod", "chown", "utime", "xattr"])
def test_files_of_others_are_not_changed(inside: Prison, do: str) -> None:
    """What landlock does not know: modes, owners, times, attributes."""
    needs_namespace(inside)
    for path in (inside.outside / "file", inside.outside, inside.state, Path(inside.runner.folder.path)):
        before = path.stat()
        inside.refuses(do, path=str(path), mode=0o777)
        after = path.stat()
        assert (before.st_mode, before.st_uid, before.st_mtime_ns) == (after.st_mode, after.st_uid, after.st_mtime_ns)


@one_language
@pytest.mark.parametrize("do", ["rename", "link", "unlink", "truncate"])
def test_names_of_others_are_not_changed(inside: Prison, do: str) -> None:
    if not inside.has_namespace:
        needs_landlock(inside)
    inside.refuses(do, path=str(inside.outside / "file"))
    assert [path.name for path in inside.outside.iterdir()] == ["file"]
    assert (inside.outside / "file").read_text() == "original" and (inside.outside / "file").stat().st_nlink == 1


@every_language
@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6711])
def test_no_set_id_files(inside: Prison, mode: int) -> None:
    """Not even of its own: others could run them, outside."""
    inside.refuses("own_file", mode=mode)
    inside.refuses("make", path=str(inside.allowed / f"made-{mode:o}"), mode=mode)
    inside.refuses("chmod", path=str(inside.outside / "file"), mode=mode)
    made = [path.stat().st_mode for path in (*inside.allowed.iterdir(), inside.outside / "file")]
    assert not [mode for mode in made if mode & (stat.S_ISUID | stat.S_ISGID)]


@every_language
def test_its_own_places_are_its_own(inside: Prison) -> None:
    """chmod in the temporary folder and where limits.writable says."""
    assert inside.allows("own_file", mode=0o640) in (None, stat.S_IFREG | 0o640)
    mine = inside.allowed / "mine"
    inside.allows("write", path=str(mine))
    for do in ("chmod", "chown", "utime"):
        inside.allows(do, path=str(mine), mode=0o604)
    assert stat.S_IMODE(mine.stat().st_mode) == 0o604 and mine.stat().st_mtime == 1


# other processes ---------------------------------------------------------------------------------------------------


@every_language
@pytest.mark.parametrize("whose", ["runner", "victim"])
@pytest.mark.parametrize("do", ["limit", "nice", "ptrace"])
def test_other_processes_are_not_changed(inside: Prison, do: str, whose: str) -> None:
    pid = os.getpid() if whose == "runner" else inside.victim
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE), os.getpriority(os.PRIO_PROCESS, pid)
    inside.refuses(do, pid=pid, which=os.PRIO_PROCESS)
    assert before == (resource.prlimit(pid, resource.RLIMIT_NOFILE), os.getpriority(os.PRIO_PROCESS, pid))


@one_language
@pytest.mark.parametrize("whose", ["runner", "victim"])
@pytest.mark.parametrize("do", ["affinity", "scheduler", "readv", "getfd"])
def test_other_ways_to_change_them(inside: Prison, do: str, whose: str) -> None:
    inside.refuses(do, pid=os.getpid() if whose == "runner" else inside.victim)


@one_language
def test_all_of_the_user_at_once(inside: Prison) -> None:
    for pid in (0, os.getuid()):
        inside.refuses("nice", pid=pid, which=os.PRIO_USER)


@one_language
def test_what_it_may_do_to_itself(inside: Prison) -> None:
    assert inside.allows("see_limit", pid=os.getpid())
    inside.allows("own_limit")
    inside.allows("affinity", pid=0)
    inside.allows("nice", pid=0, which=os.PRIO_PROCESS)


@every_language
@pytest.mark.parametrize("whose", ["runner", "victim"])
def test_other_processes_are_not_signalled(inside: Prison, whose: str) -> None:
    needs_landlock(inside, ABI_SCOPE)
    inside.refuses("signal", pid=os.getpid() if whose == "runner" else inside.victim)


@every_language
@pytest.mark.parametrize("whose", ["runner", "victim"])
def test_other_processes_are_not_looked_into(inside: Prison, whose: str) -> None:
    if "user" not in inside.has.namespaces and not (whose == "runner" and os.getuid() == 0):
        needs_landlock(inside)
    pid = os.getpid() if whose == "runner" else inside.victim
    inside.refuses("memory", pid=pid)
    for name in ("environ", "maps", "root/etc/passwd", "cwd/."):
        inside.refuses("read", path=f"/proc/{pid}/{name}")


@one_language
def test_no_pipe_of_another_can_be_opened(inside: Prison) -> None:
    """What is written to a host (its code, config, context) nobody else reads; there is no name of it either."""
    assert not [path for path in inside.state.rglob("*") if path.is_fifo()]
    if "user" not in inside.has.namespaces:
        needs_landlock(inside)
    inside.refuses("pipes")


@one_language
def test_a_starting_host_is_not_robbed(inside: Prison) -> None:
    """Of its code, config and context, while another module looks for its pipes without pause."""
    needs_namespace(inside)  # without one there are some microseconds
    inside.runner.add(
        "g", {"a": {"runtime": "python3", "code": f"PASSWORD = {SECRET!r}\ndef run(m, c):\n    return m\n"}}
    )
    before = len(inside.out.got)
    inside.runner.send("f/hostile", {"do": "steal", "path": str(inside.state), "seconds": 1.5})
    inside.runner.start("g")
    inside.runner.wait(lambda: len(inside.out.got) > before)
    assert "refused" in inside.out.got[-1]
    inside.runner.ok(api.RemoveFlow, flow_id="g")


# the runner's door and its keys ------------------------------------------------------------------------------------


@every_language
def test_the_api_is_not_for_modules(inside: Prison) -> None:
    """Hidden where there is a mount namespace, refused where not."""
    path = str(inside.runner.folder.path / "api.sock")
    why = inside.refuses("connect", path=path)
    if inside.runtime == "python3":
        assert ("No such file" if inside.has_namespace else "the API is not for modules") in why


@one_language
def test_nor_for_what_a_module_has_started(inside: Prison) -> None:
    """Whoever is its parent, and whatever it has in its environment."""
    inside.refuses("orphan", path=str(inside.runner.folder.path / "api.sock"))


@one_language
def test_the_state_directory_is_hidden(inside: Prison) -> None:
    """The keys of deployments, flows that are kept, the folders of other hosts."""
    needs_namespace(inside)
    key = inside.state / "deployments" / "plant" / "keys" / "control.key"
    key.parent.mkdir(parents=True, exist_ok=True)
    key.write_text("secret")
    inside.refuses("read", path=str(key))
    own = [path.name for path in inside.runner.folder.path.iterdir() if path.name.startswith("f-")]
    assert len(own) == 2
    shown = inside.allows("list", path=str(inside.runner.folder.path))
    assert len(shown) == 1 and shown[0] in own


# what is common to all of a user's processes -----------------------------------------------------------------------


@one_language
def test_abstract_sockets_of_others(inside: Prison) -> None:
    needs_landlock(inside, ABI_SCOPE)
    inside.refuses("connect", path=f"@{inside.abstract}")


@one_language
def test_shared_memory_of_others(inside: Prison) -> None:
    needs_namespace(inside)
    inside.refuses("shm", name=inside.memory.name)
    assert inside.memory.read_text() == "?"


@one_language
def test_terminals_of_others(inside: Prison) -> None:
    needs_namespace(inside)
    inside.refuses("list", path="/dev/pts")


# the kernel --------------------------------------------------------------------------------------------------------


@every_language
def test_no_namespaces_of_its_own(inside: Prison) -> None:
    """In which it would have all capabilities."""
    inside.refuses("unshare", flags=0x10020000)


@every_language
def test_no_mounts(inside: Prison) -> None:
    inside.refuses("mount", path=str(inside.allowed))


@one_language
def test_mounts_stay_as_they_are(inside: Prison) -> None:
    for path in ("/", str(inside.state), "/dev/shm", str(inside.allowed)):
        inside.refuses("remount", path=path)
        inside.refuses("unmount", path=path)


@one_language
@pytest.mark.parametrize("do", ["keyctl", "bpf", "perf", "io_uring", "clone3"])
def test_calls_that_no_module_needs(inside: Prison, do: str) -> None:
    why = inside.refuses(do)
    assert "not permitted" in why or "not implemented" in why
