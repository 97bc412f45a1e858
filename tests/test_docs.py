"""What the documentation says can be done: commands that exist, flows that are taken, links that lead somewhere."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.console.cli import _parser
from actors.definition.deployment import read_deployment
from actors.definition.reading import read_flow_file
from actors.definition.validation import check_flow
from actors.definition.yaml_text import read_text
from actors.messages.client_to_runner import REQUESTS
from actors.messages.parameters import camel, parameters
from tests.harness import need

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("configs/*.md")]
    if page.name != "CHANGELOG.md"
)
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, *languages: str) -> list[str]:
    return [text for language, text in BLOCK.findall(page.read_text("utf-8")) if language in languages]


def pages(*languages: str) -> Any:
    found = [page for page in PAGES if blocks(page, *languages)]
    return pytest.mark.parametrize("page", found, ids=lambda page: str(page.relative_to(ROOT)))


def commands(page: Path) -> list[list[str]]:
    """The words behind `runner` in the lines of shell blocks, without redirections."""
    found = []
    for language, text in BLOCK.findall(page.read_text("utf-8")):
        for line in text.split("\n") if language in ("sh", "console", "bash") else ():
            if language != "console" or line.startswith("$ "):
                found += [
                    words[1:] for words in simple_commands(line.removeprefix("$ ")) if words[0].endswith("runner")
                ]
    return found


def simple_commands(line: str) -> Iterator[list[str]]:
    """The commands of a line of shell: words between operators."""
    try:
        tokens = list(shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")) if "<<" not in line else []
    except ValueError:  # of a text over several lines
        tokens = []
    words: list[str] = []
    target = False
    for token in [*tokens, ";"]:
        if set(token) <= set("<>&") and set(token) & set("<>"):
            if words and words[-1].isdecimal() and len(words[-1]) == 1:
                words.pop()
            target = True
        elif set(token) <= set("|&;()"):
            if words:
                yield words
            words = []
        elif target:
            target = False
        else:
            words.append(token)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_every_command_can_be_given(page: Path) -> None:
    parser = _parser(lambda _: "")
    for command in commands(page):
        if "..." in command:
            continue
        try:
            parser.parse_args(command)
        except SystemExit as error:
            assert error.code == 0, command


@pages("yaml")
def test_every_flow_and_deployment_is_taken(page: Path, tmp_path: Path) -> None:
    """A part of one (it has no id, or no module's source) is only read."""
    for text in blocks(page, "yaml"):
        value, _ = read_text(text, str(page))
        if isinstance(value, dict) and {"id", "modules"} <= value.keys():
            for module in value["modules"].values():
                if "file" in module:
                    del module["file"]
                    module["code"] = " ".join(f"'{word}'" for word in re.findall(r"\w+", text))  # names its ports
                module.pop("files", None)
            (tmp_path / "flow.json").write_text(json.dumps(value))
            read = read_flow_file(tmp_path / "flow.json")
            check_flow(read.document, read.places)
        elif isinstance(value, dict) and {"name", "runners"} <= value.keys():
            (tmp_path / "d").mkdir(exist_ok=True)
            (tmp_path / "d" / "plant.yaml").write_text(text)
            for flow in value["flows"]:
                name = Path(flow["file"]).name
                (tmp_path / "d" / flow["file"]).write_text((ROOT / "configs" / name).read_text("utf-8"))
            for folder in ("earthquakes", "words"):
                if (ROOT / "configs" / folder).is_dir() and not (tmp_path / folder).exists():
                    (tmp_path / folder).symlink_to(ROOT / "configs" / folder)
            read_deployment(tmp_path / "d" / "plant.yaml", ["python3", "node"])


@pages("json", "python")
def test_json_and_python_are_that(page: Path) -> None:
    for text in blocks(page, "json"):
        json.loads(text)
    for text in blocks(page, "python"):
        ast.parse(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = BLOCK.sub("", page.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads], target
    for path in re.findall(r"`(configs/[\w./-]+\.\w+)`", text):
        assert (ROOT / path).exists(), path


def test_the_page_of_the_api_has_every_call_and_its_parameters() -> None:
    rows = [row for row in (ROOT / "docs" / "api.md").read_text("utf-8").split("\n") if row.startswith("| `")]
    for method, kind in REQUESTS.items():
        (row,) = [row for row in rows if f"`{method}`" in row]
        said = row.split("|")[2]
        for parameter in parameters(kind):
            assert f"`{camel(parameter.name)}`" in said or f"`{camel(parameter.name)}`" in row, (method, parameter.name)


def shell(script: str, tmp_path: Path, timeout_s: float = 100.0) -> subprocess.CompletedProcess[str]:
    """As a user would paste it; everything that it has started ends with it."""
    env = os.environ | {"HOME": str(tmp_path), "RUNNER_STATE": str(tmp_path / "state"), "OLDPWD": str(ROOT)}
    env["PATH"] = f"{ROOT / '.venv' / 'bin'}:{env['PATH']}"
    env["RUNNER_CACHE"] = os.environ.get("RUNNER_CACHE", str(Path.home() / ".cache" / "runner"))
    script = script.replace("/tmp/", f"{tmp_path}/")
    return subprocess.run(
        ["bash", "-c", f"trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n{script}"], cwd=ROOT, env=env,
        capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip


def test_the_readmes_change_of_a_running_module_can_be_pasted(tmp_path: Path) -> None:
    need("node")
    (script,) = [text for text in blocks(ROOT / "README.md", "sh") if "--watch" in text]
    done = shell(script.replace("sleep 3", "sleep 6"), tmp_path)  # the machine of a test is a busy one
    assert re.search(r"INFO hello/report: #\d+  CPU \d", done.stdout), (done.stdout, done.stderr)
    assert re.search(r"hello: rolled back, version 3\n(  .*\n)*  report: replaced", done.stdout), done
    assert "runner: " not in done.stderr


def test_the_counter_of_the_updates_page(tmp_path: Path) -> None:
    (page,) = [page for page in PAGES if page.name == "updates.md"]
    (files,) = [text for text in blocks(page, "sh") if "counter.yaml" in text]
    first, *_ = [text for text in blocks(page, "console") if "counter.yaml" in text]
    lines = [line.removeprefix("$ ") for line in first.split("\n") if line.startswith("$ ")]
    done = shell("\n".join([files, *lines]).replace("sleep 2", "sleep 6"), tmp_path)
    said = re.sub(r"paused [\d.]+ ms", "paused 0.9 ms", done.stdout + done.stderr)
    for line in first.split("\n"):
        assert line.startswith("$ ") or line in said, (line, said)


def test_the_python_of_the_api_page(tmp_path: Path) -> None:
    (text,) = blocks(ROOT / "docs" / "api.md", "python")
    (tmp_path / "api.py").write_text(text)
    run = "runner run configs/words.yaml 2> /tmp/log & sleep 6"
    done = shell(f"{run}\npython /tmp/api.py", tmp_path)
    assert done.stdout == "100\n", done.stderr


@pytest.mark.parametrize("name", ["plant", "spread"])
def test_the_deployments_of_the_examples(tmp_path: Path, name: str) -> None:
    need("node")
    (page,) = [page for page in PAGES if page.name == "deployments.md"]
    (text,) = [text for text in blocks(page, "yaml") if text.startswith(f"name: {name}\n")]
    assert text in (ROOT / f"configs/deployments/{name}.yaml").read_text("utf-8")
    (console,) = [text for text in blocks(page, "console") if f"deployments/{name}.yaml" in text]
    done = shell("\n".join(line.removeprefix("$ ") for line in console.split("\n") if line.startswith("$ ")), tmp_path)
    said = re.sub(r"(main|edge|big) \(\d+\)", r"\1 (PID)", done.stdout)
    shown = re.sub(r"\(471\d\)", "(PID)", console)
    assert said == "\n".join(line for line in shown.split("\n") if not line.startswith("$ ")), done.stderr
    assert "words: started" in (tmp_path / f"state/deployments/{name}/log").read_text()


def test_the_messages_of_troubleshooting_are_said_somewhere() -> None:
    """By the text between quotes in the source; what stands in docstrings is said to nobody."""
    said = []
    for path in [*ROOT.glob("actors/**/*.py"), *ROOT.glob("runtimes/**/*.py")]:
        if "starter" not in path.parts:
            tree = ast.parse(path.read_text("utf-8"))
            notes = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
            texts = (one for one in ast.walk(tree) if isinstance(one, ast.Constant) and id(one) not in notes)
            said += [one.value for one in texts if isinstance(one.value, str)]
    text = "\n".join(said)
    messages = re.findall(r"^### `(.*)`$", (ROOT / "docs" / "troubleshooting.md").read_text("utf-8"), re.MULTILINE)
    assert len(messages) > 20 and [one for one in messages if one not in text] == []


@pytest.mark.parametrize("name", ["recipes.md", "testing.md"])
def test_the_tests_of_flows_on_a_page_pass(name: str, tmp_path: Path) -> None:
    files = []
    for text in blocks(ROOT / "docs" / name, "yaml"):
        flow_id = text.partition("\n")[0].removeprefix("id: ")
        files.append(f"/tmp/{flow_id}.yaml")
        (tmp_path / f"{flow_id}.yaml").write_text(text)
    assert files
    done = shell(f"runner test {' '.join(files)}", tmp_path)
    assert re.search(r"^[1-9]\d* passed, 0 failed$", done.stdout, re.MULTILINE), (done.stdout, done.stderr)
