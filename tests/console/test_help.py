"""Verbs in groups with examples that can be given; what was probably meant; completion in real shells."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from actors.console.cli import _parser, root_parser
from actors.console.guide import EXAMPLES, GROUPS
from actors.console.verb import Verb, actions
from tests.console.test_cli import as_json, ok, refused
from tests.deployments import RUNNER, Plant, flow

BIN = Path(RUNNER[0]).parent


def every_verb(parser: Verb, words: tuple[str, ...] = ()) -> dict[str, Verb]:
    found = {}
    for name, one in actions(parser).items():
        found[" ".join((*words, name))] = one
        found |= every_verb(one, (*words, name))
    return found


def test_every_verb_is_in_one_group_and_has_an_example_that_can_be_given() -> None:
    parser = root_parser()
    verbs = every_verb(parser)
    grouped = [name for group in GROUPS.values() for name in group]
    assert len(grouped) == len(set(grouped)) and set(actions(parser)) <= set(grouped)
    for name, verb in verbs.items():
        assert EXAMPLES[name][0].startswith(("runner ", "eval ")), name
        assert "examples:\n  " + EXAMPLES[name][0] in verb.format_help()
        for example in EXAMPLES[name]:
            words = shlex.split(example.removeprefix('eval "$(').removesuffix(')"'))
            words = words[1 : next((i for i, word in enumerate(words) if word in ("<", "|")), None)]
            given = _parser(lambda _: "").parse_args(words)
            assert name == " ".join(words[: len(name.split())]) and given.parser.prog.startswith("runner")


def test_help_fits_a_terminal_and_shows_every_verb() -> None:
    said = root_parser().format_help()
    assert max(map(len, said.splitlines())) <= 90
    for name in actions(root_parser()):
        assert f"\n  {name} " in said
    for title in GROUPS:
        assert f"\n{title}:\n" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["stat"], "invalid choice: 'stat'; did you mean 'state'?"),
        (["dead", "lsit"], "did you mean 'list'? (choose from list"),
        (["replay", "f/1"], "invalid choice: 'replay'; did you mean 'dead replay'?"),
        (["edit"], "did you mean 'dead edit' or 'held edit'?"),
        (["help", "rollbak"], "runner has no 'rollbak'; did you mean 'rollback'?"),
        (["help", "dead", "replya"], "runner dead has no 'replya'; did you mean 'replay'?"),
        (["run", "f.yaml", "--wacth"], "runner run: error: unrecognized arguments: --wacth; did you mean '--watch'?"),
        (["held", "list", "--jsno"], "did you mean '--json'?"),
        (["flows", "more"], "runner flows: error: unrecognized arguments: more\n"),
    ],
)
def test_what_was_probably_meant(up: Plant, words: list[str], says: str) -> None:
    assert says in refused(up, *words, status=2)


def test_help_of_a_verb_and_of_an_action(up: Plant) -> None:
    assert ok(up, "help", "dead", "replay") == ok(up, "dead", "replay", "--help")
    assert ok(up, "help") == ok(up, "--help")


def test_the_flow_may_be_left_out_if_there_is_only_one(up: Plant, tmp_path: Path) -> None:
    for words in (["pause"], ["resume"]):
        assert as_json(up, *words)["flow"] == "echo"
    assert ok(up, "dead", "list") == "there are no dead letters\n"
    assert ok(up, "break", "a").startswith("echo/a: breakpoint set")
    assert ok(up, "unbreak", "a") == "echo/a: breakpoint removed\n"
    assert ok(up, "send", "a.in", "1") == "sent\n"
    assert "a module is named FLOW/MODULE, not 'a.in'" in refused(up, "context", "a.in", status=2)
    file = tmp_path / "second.json"
    file.write_text(json.dumps(flow("second")))
    ok(up, "apply", str(file))
    assert "which flow? there are echo, second" in refused(up, "stop", status=2)
    assert "FLOW/MODULE or FLOW/MODULE.PORT, not 'a'" in refused(up, "send", "a", "1", status=2)
    ok(up, "remove", "second")
    assert "FLOW" in refused(up, "remove", status=2)  # what loses contexts takes no guess


def completed(shell: str, line: str, up: Plant) -> set[str]:
    """What the shell's function finds at the end of the line."""
    script = subprocess.run([*RUNNER, "completion", shell], capture_output=True, text=True, check=True).stdout
    if shell == "bash":
        ask = f"COMP_LINE={shlex.quote(line)}; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=($COMP_LINE)\n"
        ask += '_python_argcomplete runner; printf "%s\\n" "${COMPREPLY[@]}"'
    else:
        ask = f"complete -C {shlex.quote(line)}"
    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "RUNNER_STATE": str(up.state), "COMP_TYPE": "9"}
    done = subprocess.run(
        [shell, "-c", f"{script}\n{ask}"], env=env, capture_output=True, text=True, timeout=60, check=True
    )  # fmt: skip
    return {found.split("\t")[0].rstrip() for found in done.stdout.splitlines()}


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_completion(up: Plant, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    assert {"rollback", "restart"} <= completed(shell, "runner r", up) < {*actions(root_parser())}
    assert "echo" in completed(shell, "runner stop ", up)
    assert "echo/a" in completed(shell, "runner send e", up)
    assert "--no-start" in completed(shell, "runner apply --no", up)


def test_zsh_takes_its_script(up: Plant) -> None:
    script = ok(up, "completion", "zsh")
    assert script.startswith("#compdef runner")
    if shutil.which("zsh") is not None:
        subprocess.run(["zsh", "-n"], input=script, text=True, check=True, timeout=60)
