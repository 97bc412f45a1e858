"""What configs/operator has for those who keep a deployment up, checked by the tools that read it."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from actors.console.cli import _parser
from actors.deployment.supervisor import END_TIMEOUT_S, STOP_TIMEOUT_S

FOLDER = Path(__file__).parent.parent.parent / "configs" / "operator"
LONGEST_STOP_S = STOP_TIMEOUT_S + END_TIMEOUT_S


def is_up(words: list[str]) -> bool:
    """Whether the command line takes them, as a deployment to start."""
    options = _parser(lambda _: "").parse_args(words)
    return bool(options.deployment.endswith("/deployment.yaml")) and not options.detach


def is_agent(words: list[str]) -> bool:
    """The same of a machine that has an agent."""
    return str(_parser(lambda _: "").parse_args(words).agent).endswith("/agent.yaml")


def verified(unit: Path) -> str:
    """What systemd has to say of it."""
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return f"{done.stderr}{done.returncode or ''}".strip()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here (apt install systemd)")
@pytest.mark.parametrize(("name", "is_right"), [("runner", is_up), ("runner-agent", is_agent)])
def test_the_unit(tmp_path: Path, name: str, is_right: Callable[[list[str]], bool]) -> None:
    text = (FOLDER / f"{name}.service").read_text()
    unit = tmp_path / "runner.service"
    here = text.replace("/usr/local/bin/runner", "/bin/true").replace("User=runner", "User=root")  # as it is installed
    unit.write_text(here)
    assert verified(unit) == ""
    unit.write_text(here.replace("KillMode=mixed", "KillMode=some"))
    assert "KillMode" in verified(unit) or "kill mode" in verified(unit)  # it does look
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read_string(text)
    service = parsed["Service"]
    assert is_right(service["ExecStart"].split()[1:])
    assert float(service["TimeoutStopSec"]) > LONGEST_STOP_S


def service_of(name: str, service: str) -> dict[str, Any]:
    command = [str(Path(sys.executable).with_name("podman-compose")), "-f", str(FOLDER / name), "config"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)["services"][service]
    assert float(found["stop_grace_period"].removesuffix("s")) > LONGEST_STOP_S
    return found


def test_the_compose_files() -> None:
    service = service_of("compose.yaml", "runner")
    assert is_up(service["command"])
    assert service["healthcheck"]["test"] == ["CMD", "runner", "flows", "--json"]
    agent = service_of("compose-agent.yaml", "agent")
    assert is_agent(agent["command"]) and agent["network_mode"] == "host"


@pytest.mark.parametrize(("name", "is_right"), [("statefulset", is_up), ("statefulset-agent", is_agent)])
def test_the_stateful_set(name: str, is_right: Callable[[list[str]], bool]) -> None:
    text = (FOLDER / f"{name}.yaml").read_text()
    document = yaml.safe_load(text)
    version = kubernetes_validate.latest_version()
    kubernetes_validate.validate(document, version, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(yaml.safe_load(text.replace("replicas", "replica")), version, strict=True)
    pod = document["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert document["kind"] == "StatefulSet" and document["spec"]["replicas"] == 1
    assert is_right(container["args"]) and pod["terminationGracePeriodSeconds"] > LONGEST_STOP_S
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    claims = {claim["metadata"]["name"] for claim in document["spec"]["volumeClaimTemplates"]}
    assert mounted == claims | {volume["name"] for volume in pod["volumes"]}
    assert bool(pod.get("hostNetwork")) == (is_right == is_agent)
    assert document["spec"]["selector"]["matchLabels"] == document["spec"]["template"]["metadata"]["labels"]
