"""The triggers of workflows that are not active and could be. A version is read once: it stays as it is."""

from __future__ import annotations

import re
from typing import Final

from flowscope.definition import Limits, load
from flowscope.errors import FlowscopeError
from flowscope.library import WorkflowLibrary
from flowscope.nodes.registry import Registry
from flowscope.triggers import TriggerDesk, TriggerState

_TRIGGERS: Final = re.compile(rb"schedule|interval|webhook|form_trigger|workflow_trigger|file_watch")
"""What a document that has triggers says; others need not be read."""


class Resting:
    """Safe from any thread."""

    def __init__(self, library: WorkflowLibrary, desk: TriggerDesk, registry: Registry, limits: Limits) -> None:
        self._library = library
        self._desk = desk
        self._registry = registry
        self._limits = limits
        self._read: dict[tuple[str, int, float], list[TriggerState]] = {}

    def states(self) -> list[TriggerState]:
        """In the order of their ids."""
        versions = self._library.active_versions()
        before = self._read
        read = {key: before[key] if key in before else self._states(*key[:2]) for key in versions}
        self._read = read
        return [state for states in read.values() for state in states if not self._desk.is_active(state.workflow_id)]

    def _states(self, workflow_id: str, version: int) -> list[TriggerState]:
        try:
            document = self._library.get(workflow_id, version).document
            if not _TRIGGERS.search(document):
                return []
            return self._desk.resting(load(document, self._registry, limits=self._limits))
        except FlowscopeError:  # it is just being deleted; or it could run once, with node types that are gone
            return []
