"""A real Firefox for tests, over WebDriver BiDi (https://w3c.github.io/webdriver-bidi), which it speaks by itself.

Of what playwright's Chromium can, it has what `Page` uses.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
WHY_NOT = "there is no Firefox here: apt-get install firefox-esr"
START_S = ANSWER_S = 60.0
PREFERENCES = {
    "app.normandy.enabled": False, "app.update.disabledForTesting": True, "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False, "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False, "services.settings.server": "data:,none",
    "toolkit.telemetry.enabled": False,
}  # fmt: skip
CALL = """async (text) => {
  const given = (%s)
  const value = typeof given === 'function' ? await given(JSON.parse(text)) : await given
  return JSON.stringify(value ?? null)
}"""


class Firefox:
    """One browser; a context is a user of it."""

    def __init__(self, session: ClientConnection) -> None:
        self._session = session
        self._count = 0

    def call(self, method: str, **params: Any) -> Any:
        """A command, and its result."""
        self._count += 1
        self._session.send(json.dumps({"id": self._count, "method": method, "params": params}))
        while True:
            said = json.loads(self._session.recv(ANSWER_S))
            if said.get("id") == self._count:
                assert said["type"] == "success", said
                return said["result"]

    def new_context(self) -> Context:
        return Context(self, self.call("browser.createUserContext")["userContext"])


class Context:
    def __init__(self, browser: Firefox, user: str) -> None:
        self._browser, self._user = browser, user

    def new_page(self) -> Tab:
        tab = self._browser.call("browsingContext.create", type="tab", userContext=self._user)
        return Tab(self._browser, tab["context"])

    def close(self) -> None:
        self._browser.call("browser.removeUserContext", userContext=self._user)


class Tab:
    def __init__(self, browser: Firefox, context: str) -> None:
        self._browser, self._context = browser, context

    def goto(self, url: str) -> None:
        self._browser.call("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def reload(self) -> None:
        self._browser.call("browsingContext.reload", context=self._context, wait="complete")

    def evaluate(self, script: str, value: Any = None) -> Any:
        """A function of one value, or an expression; its result."""
        said = self._browser.call(
            "script.callFunction", functionDeclaration=CALL % script, awaitPromise=True,
            target={"context": self._context}, arguments=[{"type": "string", "value": json.dumps(value)}],
        )  # fmt: skip
        assert said["type"] == "success", said["exceptionDetails"]["text"]
        return json.loads(said["result"]["value"])


@contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    """Until the block is over; nothing of it stays."""
    assert FIREFOX is not None
    (profile / "user.js").write_text(
        "".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
    )
    words = [FIREFOX, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = next(filter(None, (re.search(r"listening on (ws://\S+)", line) for line in process.stderr)))
            with connect(f"{said[1]}/session", max_size=None, open_timeout=START_S, compression=None) as session:
                browser = Firefox(session)
                browser.call("session.new", capabilities={})
                yield browser
                browser.call("browser.close")
            process.communicate(timeout=ANSWER_S)
        finally:
            process.kill()
