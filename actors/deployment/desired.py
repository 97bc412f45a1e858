"""What a deployment is to have: its flows as they were applied last. In a file, whole, before anybody is told.

A runner that comes back is given what is here. Who decides on it is not known here.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from actors.definition.graph import PAGES

FILE = "deployment.json"
MAX_VERSIONS = 5  # that a flow can go back to
log = logging.getLogger("runner.dispatcher")


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredFlow:
    """`document`: with a `runner` at each module; `version`: how often it has been applied; `running`: or stopped;
    `earlier`: number and document of the versions before, the oldest first.
    """

    document: dict[str, Any]
    version: int = 1
    running: bool = True
    earlier: tuple[tuple[int, dict[str, Any]], ...] = ()

    def followed_by(self, document: dict[str, Any]) -> DesiredFlow:
        """Of the next version, which has this document; this one can be gone back to."""
        earlier = (*self.earlier, (self.version, self.document))[-MAX_VERSIONS:]
        return replace(self, document=document, version=self.version + 1, earlier=earlier)

    def places_in(self, document: dict[str, Any]) -> dict[str, Any]:
        """Another document of the flow; what both have is where it is now, and so are browser modules."""
        places, pages = self.places, _place_of_pages(self.document) or _place_of_pages(document)
        modules = {
            name: {**module, "runner": pages if module["runtime"] == PAGES else places.get(name, module["runner"])}
            for name, module in document["modules"].items()
        }
        return {**document, "modules": modules}

    def moved(self, places: Mapping[str, str]) -> DesiredFlow:
        """The same version, with modules on these runners."""
        modules = {
            name: {**module, "runner": places.get(name, module["runner"])}
            for name, module in self.document["modules"].items()
        }
        return replace(self, document={**self.document, "modules": modules})

    def moves_to(self, new: DesiredFlow) -> dict[str, tuple[str, str]]:
        """The modules of both that are elsewhere there: from where, to where."""
        old, places = self.places, new.places
        return {name: (old[name], places[name]) for name in old if places.get(name, old[name]) != old[name]}

    @property
    def id(self) -> str:
        """That of the document."""
        return str(self.document["id"])

    @property
    def places(self) -> dict[str, str]:
        """Module -> the runner that has it."""
        return {name: module["runner"] for name, module in self.document["modules"].items()}

    @property
    def runners(self) -> list[str]:
        """Those that have a module of it."""
        return list(dict.fromkeys(self.places.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTime:
    """Of a deployment that has not ended in order: what was applied last goes on, unless its file has changed since.

    `same`: flows whose file is as it was then; `dropped`: those that a file has named, and none names any more.
    """

    same: frozenset[str]
    dropped: frozenset[str]

    def keep(
        self, documents: Collection[dict[str, Any]], before: Mapping[str, DesiredFlow]
    ) -> dict[str, DesiredFlow]:  # fmt: skip
        """What goes on of the flows of `before`. `documents`: those of the files."""
        named = {document["id"] for document in documents}
        return {id: flow for id, flow in before.items() if id in self.same or id not in named | self.dropped}

    def say(self, documents: Collection[dict[str, Any]], flows: Mapping[str, DesiredFlow]) -> None:
        """What is not as the files say, and which of them count."""
        files = {document["id"]: document for document in documents}
        for id, document in files.items():
            if id not in self.same:
                log.warning("%s: its file has changed, and counts", id)
            elif id not in flows:
                log.warning("%s: was removed, and its file has not changed: it is not there", id)
            elif flows[id].document != document:
                log.warning("%s: is as it was applied last, not as in its file, which has not changed", id)
        for id, flow in flows.items():
            if id not in files:
                log.warning("%s: was applied, and is there; no file of the deployment names it", id)
            if not flow.running:
                log.warning("%s: was stopped, and still is", id)


def as_they_were(
    documents: Collection[dict[str, Any]], before: dict[str, tuple[dict[str, Any], bool] | None] | None,
    last: LastTime | None,
) -> list[DesiredFlow]:  # fmt: skip
    """The flows of a runner that is the only one. `before`: what one that has died had, whoever had applied that."""
    flows = {document["id"]: DesiredFlow(document=document) for document in documents}
    if before is None or last is None:
        return list(flows.values())
    flows = {id: flow for id, flow in flows.items() if id in before or id not in last.same}  # else it has been removed
    there = {id: DesiredFlow(document=was[0], running=was[1]) for id, was in before.items() if was is not None}
    flows |= last.keep(documents, there)
    last.say(documents, flows)
    return list(flows.values())


class DesiredState:
    """Of one deployment; `path`: its file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.flows: dict[str, DesiredFlow] = {}

    def begin(
        self, documents: Collection[dict[str, Any]], offers: Mapping[str, Collection[str] | None],
        last: LastTime | None,
    ) -> None:  # fmt: skip
        """A deployment starts with the flows of its files; one that has changed is a new version. What a module has is
        where it was at the last time, so it stays there, if it can. `offers`: runner -> its runtimes, None: all.
        `last`: it has not ended in order, and goes on with what it had.
        """
        before = {flow.id: flow for flow in self._read()}
        for asked in documents:
            flow = before.get(asked["id"], DesiredFlow(document=asked))
            document = _where_it_was(asked, flow, offers)
            if flow.document != document:
                flow = flow.followed_by(document)
            if last is None or flow.id not in last.same:
                self.flows[flow.id] = replace(flow, running=True)
        if last is not None:
            kept = last.keep(documents, before)
            self.flows |= {
                id: replace(flow, document=_on_what_is_there(flow.document, offers)) for id, flow in kept.items()
            }
            last.say(documents, self.flows)
        self._write()

    def put(self, flow: DesiredFlow) -> None:
        """It is decided. Raises OSError: then nothing is."""
        before = self.flows
        self.flows = {**before, flow.id: flow}
        self._write_or(before)

    def remove(self, flow_id: str) -> None:
        """It is to be no more. Raises OSError: then nothing is decided."""
        before = self.flows
        self.flows = {id: flow for id, flow in before.items() if id != flow_id}
        self._write_or(before)

    def of(self, runner: str) -> list[DesiredFlow]:
        """The flows that have a module on a runner."""
        return [flow for flow in self.flows.values() if runner in flow.runners]

    def _write_or(self, before: dict[str, DesiredFlow]) -> None:
        try:
            self._write()
        except OSError:
            self.flows = before
            raise

    def _write(self) -> None:
        flows = [asdict(flow) for flow in self.flows.values()]
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._path.with_name(f"{FILE}.new")
        with open(new, "w", encoding="utf-8", opener=_private) as file:
            json.dump({"flows": flows}, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def _read(self) -> list[DesiredFlow]:
        """What was there at the last time; nothing of a file that is not there, or that is no such file."""
        try:
            flows = json.loads(self._path.read_text("utf-8"))["flows"]
            return [DesiredFlow(**flow) for flow in flows]
        except (OSError, ValueError, KeyError, TypeError):
            return []


def _where_it_was(
    document: dict[str, Any], was: DesiredFlow, offers: Mapping[str, Collection[str] | None]
) -> dict[str, Any]:
    modules: dict[str, Any] = {}
    pages = _place_of_pages(was.document)
    for name, module in document["modules"].items():
        runner = was.places.get(name, module["runner"])
        if module["runtime"] == PAGES:  # all of them
            runner = pages or module["runner"]
        if runner not in offers or module["runtime"] not in (offers[runner] or (module["runtime"],)):
            runner = module["runner"]
        if runner != module["runner"]:
            text = "%s/%s is on %s, as at the last time; `runner up` once more moves it to %s"
            log.warning(text, document["id"], name, runner, module["runner"])
        modules[name] = {**module, "runner": runner}
    return {**document, "modules": modules}


def _place_of_pages(document: dict[str, Any]) -> str | None:
    """The runner of the browser modules, if there are any and they have one."""
    modules = document["modules"].values()
    return next((module.get("runner") for module in modules if module["runtime"] == PAGES), None)


def _on_what_is_there(document: dict[str, Any], offers: Mapping[str, Collection[str] | None]) -> dict[str, Any]:
    """Of a flow that no file names: its runner may not be there any more, and with it what the module had."""
    modules: dict[str, Any] = {}
    for name, module in document["modules"].items():
        able = [one for one, some in offers.items() if some is None or module["runtime"] in some]
        runner = module["runner"] if module["runner"] in offers or not able else able[0]
        if runner != module["runner"]:
            text = "%s/%s was on %s, which is not there any more; it begins anew on %s"
            log.warning(text, document["id"], name, module["runner"], runner)
        modules[name] = {**module, "runner": runner}
    return {**document, "modules": modules}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
