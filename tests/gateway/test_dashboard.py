"""configs/grafana: the dashboard and the alert rules ask for figures that there are, with labels that they have."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from actors.gateway import metrics
from tests.gateway.served import Served

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "configs" / "grafana"


def expressions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, its in value.items():
            if key in ("expr", "query") and isinstance(its, str) and "runner_" in its:
                yield its
            yield from expressions(its)
    elif isinstance(value, list):
        for one in value:
            yield from expressions(one)


def known(served: Served) -> dict[str, set[str]]:
    """Metric -> its labels; of one that has no sample yet those of its flow."""
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(
        r"^(runner_\w+)\{(.*?)\} ", served.ask("GET", "/metrics").body.decode(), re.MULTILINE
    ):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    literal = re.findall(r'"(runner_\w+[a-z])"', Path(metrics.__file__).read_text("utf-8"))
    return {**{name: {"flow"} for name in literal}, **found}


def test_every_expression_is_about_a_metric_and_labels_that_there_are(served: Served) -> None:
    metrics_of, asked = known(served), []
    for path in sorted(FOLDER.iterdir()):
        content = path.read_text("utf-8")
        document = json.loads(content) if path.suffix == ".json" else yaml.safe_load(content)
        asked += list(expressions(document))
    assert len(asked) > 20
    for expression in asked:
        names = re.findall(r"runner_\w+", expression)
        assert names and set(names) <= metrics_of.keys(), expression
        wanted = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
        assert wanted <= {"le"}.union(*(metrics_of[name] for name in names)), expression


def test_prometheus_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool (apt install prometheus)")
    done = subprocess.run(
        [promtool, "check", "rules", FOLDER / "alerts.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_say_what_to_do() -> None:
    (group,) = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"]
    for rule in group["rules"]:
        assert rule["annotations"].keys() == {"summary", "description"} and rule["labels"]["severity"], rule
