"""`file_watch`: a run for each file that came, changed or went."""

from __future__ import annotations

import asyncio

import msgspec

from flowscope.definition.workflow import JSON, Node, Workflow
from flowscope.errors import FlowscopeError, StoreError
from flowscope.library import TriggerRow
from flowscope.nodes.context import Surroundings
from flowscope.nodes.folders import Sight, described, folder_of, look
from flowscope.nodes.triggers import FileWatchConfig
from flowscope.triggers.folder import Happening, happenings
from flowscope.triggers.trigger import House, Trigger


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was there when it was last written down, and how often it was: what happens between two times is told apart from
    the same happening again."""

    files: dict[str, tuple[int, int]] = {}
    serial: int = 0


class Watched(Trigger[FileWatchConfig, Seen]):
    """Looks, starts what has happened, and then writes down what it saw."""

    def __init__(
        self,
        house: House,
        workflow: Workflow,
        node: Node,
        config: FileWatchConfig,
        row: TriggerRow,
        surroundings: Surroundings,
    ) -> None:
        self._fresh = row.standing == b"{}"
        super().__init__(house, workflow, node, config, row, msgspec.json.decode(row.standing, type=Seen))
        self._surroundings = surroundings
        self._settling: Sight = {}

    async def round(self) -> float | None:
        again = self.house.clock.now() + float(self.config.every)
        try:
            sight = await asyncio.to_thread(self._look)
        except (FlowscopeError, OSError) as error:
            self.error = str(error)
            return again
        self.error = ""
        if self._fresh and not self.config.existing:
            await self.keep(Seen(files=sight, serial=1))
        else:
            await self._tell(sight)
        self._fresh = False
        return again

    def _look(self) -> Sight:
        folder = folder_of(self.config.folder, self._surroundings)
        return look(folder, self.config.pattern, self._surroundings.private)

    async def _tell(self, sight: Sight) -> None:
        found, known, self._settling = happenings(self.known.files, sight, self._settling)
        for happening in found:
            if happening.event in self.config.on:
                await self._start(happening)
        if known != self.known.files:
            await self.keep(Seen(files=known, serial=self.known.serial + 1))

    async def _start(self, happening: Happening) -> None:
        what = (happening.event, happening.path, happening.changed, happening.size, self.known.serial)
        try:
            await self.start(self._input(happening), *what)
        except StoreError:
            raise
        except FlowscopeError as error:
            self.error = str(error)

    def _input(self, happening: Happening) -> JSON:
        file = described(self.config.folder, happening.path, happening.changed, happening.size)
        return {"event": happening.event, **file}
