"""A runner that is to end takes no more jobs: what comes while a flow is stopped and kept is refused, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from actors.messages.owner_to_runner import ShutDown
from tests.harness import running

SLOW = "import time\ndef run(m, c): return m\ndef stop(c): time.sleep(0.5)\n"
MODULE = {"runtime": "python3", "code": SLOW}
CALLS: list[tuple[type, dict[str, Any]]] = [
    (api.StartFlow, {"flow_id": "f"}),
    (api.AddOrUpdateFlow, {"flow": {"id": "f", "modules": {"a": {**MODULE, "config": 1}}}}),
    (api.PauseFlow, {"flow_id": "f"}),
    (api.SetBreakPointAtModule, {"flow_module_id": "f/a"}),
    (api.StopFlow, {"flow_id": "f"}),
    (api.TapPort, {"flow_module_id": "f/a", "port": "out"}),
    (api.RemoveFlow, {"flow_id": "f"}),
]


@pytest.mark.parametrize("kept", [False, True])
def test_what_comes_while_it_ends(tmp_path: Path, kept: bool) -> None:
    with running(tmp_path / "state", tmp_path / "kept" if kept else None) as runner:
        runner.add("f", {"a": MODULE})
        runner.start("f")
        record = runner.record("f")
        end = runner.post(ShutDown)
        runner.wait(lambda: record.state == "stopping", "the stop")
        asked = [runner.post(kind, **fields) for kind, fields in CALLS]
        replies = [runner.reply(request) for request in asked]
        assert runner.reply(end).ok
        assert [reply.error.removeprefix("f: ") for reply in replies] == ["the runner is about to end"] * len(CALLS)
        assert record.state == "stopped"
        assert not runner.base.failures
