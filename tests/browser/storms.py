"""Runs that are watched in the studio while everything between it and the server goes wrong: lines that are cut, torn, silent,
servers that restart and die, tabs that sleep. Whenever a run has come to rest again, the screen shows what the server says; and
while nothing can be heard of the server, the light does not say that it is live.

    PYTHONPATH=tests python -m browser.storms [--storms 200] [--seed 1]

A run has five stages; in each something is done to it, at a random instant. A seed decides what, in which order and for how
long; `--only` plays one run of it again.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, CDPSession, Page

from acceptance.bad_network import BadNetwork, Cut, Link, Weather
from browser.house import House
from browser.screen import ENDED, SCRIPT, expected, said
from browser.stages import GATES, STAGES, TITLES
from browser.windows import a_browser, a_window

LANES: Final = 3
"""Servers, each with its network and its window, at a time."""
SETTLED_WITHIN: Final = 60_000
HEARTBEAT: Final = 1_000
AT_ONCE: Final = 1_500
"""Milliseconds within which a page notices what it is told: a connection that is closed, a machine that is offline."""
SILENT: Final = 8_500
"""… and what it is not told: a line on which nothing comes any more."""
NOTHING: Final = 9
"""A port where nobody listens."""


class Rough(Weather):
    """Calm, until told otherwise."""

    def __init__(self) -> None:
        self.passes = asyncio.Event()
        self.calm()

    def calm(self) -> None:
        self.passes.set()
        self.late = 0.0
        self.torn: asyncio.Event | None = None
        self.sockets = "open"

    async def tell(self, unit: bytes, link: Link) -> None:
        await self.passes.wait()
        if self.late:
            await asyncio.sleep(self.late)
        if link.is_socket and self.sockets == "refused":
            raise Cut
        if link.is_socket and link.is_stream and self.sockets == "mute":
            return
        if link.is_stream and self.torn is not None and not self.torn.is_set():
            self.torn.set()
            link.pass_on(unit[: len(unit) // 2])
            await link.taken()
            raise Cut
        link.pass_on(unit)


@dataclass(slots=True)
class Report:
    """What was done, and how long at most the screen took from the server's rest to its own."""

    runs: int = 0
    storms: Counter[str] = field(default_factory=Counter)
    over_sse: int = 0
    events: int = 0
    looks: int = 0
    dead_seconds: float = 0
    slowest: float = 0
    slowest_after: str = ""
    seconds: float = 0
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.storms.items()))
        return (
            f"{self.storms.total()} disturbances of {self.runs} runs ({kinds}), {self.over_sse} of them over Server-Sent Events; "
            f"{self.events} events; the screen was the server's at most {self.slowest:.1f} s after it (after {self.slowest_after}); "
            f"{self.looks} looks at the light, {self.dead_seconds:.0f} s without a server; {self.seconds:.0f} s; {len(self.failures)} failures"
        )


class Lane:
    """A server, a bad network and a window. One run after the other is watched in it."""

    def __init__(self, house: House, network: BadNetwork, weather: Rough, page: Page, cdp: CDPSession) -> None:
        self.house = house
        self.network = network
        self.weather = weather
        self.page = page
        self.cdp = cdp
        self.faults: list[str] = []
        self.deaths: list[tuple[float, float]] = []
        self.looks: list[tuple[float, str]] = []
        self.killed = False
        page.on("pageerror", lambda error: self.faults.append(f"{error}"))

    # --- a run ---

    async def play(self, kinds: list[str], dice: random.Random, report: Report) -> None:
        self.killed, self.weather.sockets = False, "open"
        self.network.upstream = int(self.house.url.rpartition(":")[2])
        started = await self.ask("/api/executions", {"workflowId": "stages", "input": {"fails": dice.random() < 0.3}})
        execution_id = started["executionId"]
        await self.page.goto(f"{self.network.url}/runs/{execution_id}")
        panel = dice.choice(("Timeline", "Logs"))
        await self.page.locator("[data-light=live]").wait_for()
        await self.page.get_by_role("button", name="Outline").click()
        await self.page.locator(f"[data-tab={panel}]").click()
        for stage in range(GATES + 1):
            gate = f"g{stage}" if stage < GATES else ""
            if stage < len(kinds):
                await asyncio.sleep(dice.random() * 1.2)
                report.over_sse += self.weather.sockets != "open"
                await getattr(self, kinds[stage])(dice)
                report.storms[kinds[stage]] += 1
            await asyncio.to_thread(self._rest, execution_id, gate)
            took = await self._compare(execution_id, panel)
            if took > report.slowest:
                report.slowest, report.slowest_after = took, ", ".join(kinds[: stage + 1])
            panel = "Logs" if panel == "Timeline" else "Timeline"
            await self._compare(execution_id, panel)
            await self._look(report)
            if gate:
                await self._approve(execution_id, gate)
        report.runs += 1
        report.events += (await self.ask(f"/api/executions/{execution_id}?nodes=false"))["seq"]

    async def calm_down(self) -> None:
        """After a run that was not as it should be."""
        self.weather.calm()
        await self._network(offline=False)
        await self._take_looks()
        self.looks.clear()
        self.deaths.clear()
        self.faults.clear()

    async def ask(self, path: str, body: object = None) -> Any:
        return await asyncio.to_thread(self.house.ask, path, body)

    async def _approve(self, execution_id: str, gate: str) -> None:
        waiting = (await self.ask("/api/waiting?kind=approval"))["waiting"]
        approval = next(one["approvalId"] for one in waiting if one["executionId"] == execution_id)
        await self.ask(f"/api/executions/{execution_id}/approvals/{approval}", {"decision": "approved"})

    def _rest(self, execution_id: str, gate: str) -> None:
        """Follow it until it has ended, or waits at that gate."""
        while not self._rests(execution_id, gate):
            with urllib.request.urlopen(f"{self.house.url}/api/executions/{execution_id}/stream", timeout=60) as news:
                for line in news:
                    if line.startswith(b"data:") and self._rests(execution_id, gate):
                        return

    def _rests(self, execution_id: str, gate: str) -> bool:
        execution = self.house.execution(execution_id)
        waits = any(node["nodeId"] == gate and node.get("detail") == "waiting" for node in execution["nodes"])
        return waits or execution["status"] in ENDED

    async def _compare(self, execution_id: str, panel: str) -> float:
        """How many seconds it took until the screen was the server's."""
        execution = await self.ask(f"/api/executions/{execution_id}")
        journal = await self.ask(f"/api/executions/{execution_id}/events?limit=10000")
        wanted = expected(execution, journal["events"])
        if panel == "Logs":
            del wanted["timeline"]
            if not self.killed:  # what was said last before a death is shown, and need not be kept
                lines = await self.ask(f"/api/executions/{execution_id}/lines")
                wanted["logs"] = said(lines["lines"], TITLES)
        began = time.monotonic()
        wrong = await self.page.evaluate("([panel, wanted, limit]) => shows(panel, wanted, limit)",
                                         [panel, wanted, SETTLED_WITHIN])  # fmt: skip
        assert not wrong, "\n".join(wrong)
        return time.monotonic() - began

    async def _look(self, report: Report) -> None:
        """While nothing could be heard of the server, and that could be known, the light did not say that it was live."""
        await self._take_looks()
        for begin, end in self.deaths:
            false = [at for at, state in self.looks if state == "live" and begin < at < end]
            assert not false, f"the light said live {false[0] - begin:.0f} ms after it could have known better"
            report.dead_seconds += max(0, end - begin) / 1000
        report.looks += len(self.looks)
        self.looks.clear()
        self.deaths.clear()
        assert not self.faults, self.faults

    async def _take_looks(self) -> None:
        self.looks += [(at, state) for at, state in await self.page.evaluate("takeLooks()")]

    # --- what may happen ---

    @asynccontextmanager
    async def _dead(self, known: float) -> AsyncIterator[None]:
        """What happens in here, nobody can hear the server; so many milliseconds later that can be known."""
        begin = _now() + known
        try:
            yield
        finally:
            self.deaths.append((begin, _now()))

    async def _without(self, dice: random.Random, how: Callable[[Link], None]) -> None:
        for link in list(self.network.standing):
            how(link)
        if dice.random() < 0.3:
            return
        upstream, self.network.upstream = self.network.upstream, NOTHING
        async with self._dead(AT_ONCE):
            await asyncio.sleep(dice.random() * 3)
        self.network.upstream = upstream

    async def cut(self, dice: random.Random) -> None:
        await self._without(dice, Link.cut)

    async def reset(self, dice: random.Random) -> None:
        await self._without(dice, Link.reset)

    async def torn(self, dice: random.Random) -> None:
        """In the middle of a message; where none comes, between two."""
        torn = self.weather.torn = asyncio.Event()
        try:
            async with asyncio.timeout(1.5):
                await torn.wait()
        except TimeoutError:
            await self.cut(dice)
        self.weather.torn = None

    async def stall(self, dice: random.Random) -> None:
        """A black hole. What was on its way comes later, or never."""
        self.weather.passes.clear()
        async with self._dead(SILENT):
            await asyncio.sleep(dice.choice((0.5, 2, 4, 10)))
        if dice.random() < 0.5:
            for link in list(self.network.standing):
                link.cut()
        self.weather.passes.set()

    async def delay(self, dice: random.Random) -> None:
        self.weather.late = dice.uniform(0.05, 0.4)
        await asyncio.sleep(2)
        self.weather.late = 0

    async def restart(self, dice: random.Random) -> None:
        await self._death(self.house.down, dice)

    async def kill(self, dice: random.Random) -> None:
        self.killed = True
        await self._death(self.house.kill, dice)

    async def _death(self, end: Callable[[], None], dice: random.Random) -> None:
        await asyncio.to_thread(end)
        async with self._dead(AT_ONCE):
            await asyncio.sleep(dice.random() * 3)
        await asyncio.to_thread(self.house.up)

    async def hidden(self, dice: random.Random) -> None:
        """Behind another tab."""
        async with self._behind():
            await self._meanwhile(dice)

    async def frozen(self, dice: random.Random) -> None:
        """Behind another tab, and asleep there."""
        async with self._behind():
            await self.cdp.send("Page.setWebLifecycleState", {"state": "frozen"})
            await self._meanwhile(dice)
            await self.cdp.send("Page.setWebLifecycleState", {"state": "active"})

    @asynccontextmanager
    async def _behind(self) -> AsyncIterator[None]:
        async with self.page.context.expect_page() as opening:
            await self.page.evaluate("void open('about:blank')")
        other = await opening.value
        assert await self.page.evaluate("document.hidden")
        yield
        await other.close()
        await self.page.bring_to_front()

    async def _meanwhile(self, dice: random.Random) -> None:
        happens = dice.choice((None, None, self.cut, self.kill, self.restart))
        await asyncio.sleep(dice.random() * 2)
        if happens is not None:
            await happens(dice)
        await asyncio.sleep(dice.choice((0, 1, 8)))

    async def offline(self, dice: random.Random) -> None:
        """The machine has no network, and says so."""
        await self._network(offline=True)
        async with self._dead(AT_ONCE):
            await asyncio.sleep(dice.random() * 4)
        await self._network(offline=False)

    async def _network(self, *, offline: bool) -> None:
        conditions = {"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        await self.cdp.send("Network.emulateNetworkConditions", conditions)

    async def reload(self, dice: random.Random) -> None:
        await self._take_looks()
        await self.page.reload()
        await self.page.get_by_role("button", name="Outline").click()

    async def mute(self, dice: random.Random) -> None:
        """From now on WebSockets are refused, or open and say nothing: there is another way."""
        self.weather.sockets = dice.choice(("refused", "mute"))
        for link in list(self.network.standing):
            link.cut()
        if self.weather.sockets == "mute" or dice.random() < 0.5:
            await self.reload(dice)


KINDS: Final = (
    "cut", "reset", "torn", "stall", "delay", "restart", "kill", "hidden", "frozen", "offline", "reload", "mute",
)  # fmt: skip


def _now() -> float:
    return time.time() * 1000


def plan(storms: int, seed: str) -> list[list[str]]:
    """What happens in which run: each kind as often as any other."""
    dice = random.Random(seed)
    deck: list[str] = []
    while len(deck) < storms:
        deck += dice.sample(KINDS, len(KINDS))
    return [deck[at : min(storms, at + GATES + 1)] for at in range(0, storms, GATES + 1)]


async def weather_the(storms: int, seed: str, directory: Path, lanes: int = LANES, only: int | None = None) -> Report:
    """All of them; what was not as it should be is among the report's `failures`, with how to see it again."""
    report = Report()
    began = time.monotonic()
    left = iter([(n, kinds) for n, kinds in enumerate(plan(storms, seed)) if only in (None, n)])
    async with a_browser(directory / "profile") as browser:

        async def go(lane: Lane) -> None:
            for n, kinds in left:
                try:
                    await lane.play(kinds, random.Random(f"{seed}/{n}"), report)
                    print(f"run {n}: {', '.join(kinds)}", file=sys.stderr, flush=True)
                except AssertionError as failed:
                    again = f"make storms N={storms} SEED={seed} ONLY={n}"
                    report.failures.append(f"{failed}\n  in run {n}: {', '.join(kinds)}\n  see it again: {again}")
                    print(report.failures[-1], file=sys.stderr, flush=True)
                    await lane.calm_down()

        await _with_lanes(browser, directory, lanes, go)
    report.seconds = time.monotonic() - began
    return report


async def _with_lanes(browser: Browser, directory: Path, lanes: int, go: Callable[[Lane], Awaitable[None]]) -> None:
    async def one_of(number: int, window: Page) -> None:
        house = House(directory / f"data{number}", WS_HEARTBEAT_INTERVAL=str(HEARTBEAT))
        await asyncio.to_thread(house.up)
        try:
            await asyncio.to_thread(house.store, STAGES)
            weather = Rough()
            async with BadNetwork(int(house.url.rpartition(":")[2]), weather).up() as network:
                cdp = await window.context.new_cdp_session(window)
                await cdp.send("Network.enable")
                await go(Lane(house, network, weather, window, cdp))
        finally:
            house.kill()

    windows = [await a_window(browser) for _ in range(lanes)]
    for window in windows:
        await window.add_init_script(SCRIPT)
    async with asyncio.TaskGroup() as group:
        for number, window in enumerate(windows):
            group.create_task(one_of(number, window))


def main() -> int:
    parser = argparse.ArgumentParser(description="Disturb runs that are watched in the studio")
    parser.add_argument("--storms", type=int, default=200)
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)))
    parser.add_argument("--only", type=int, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        report = asyncio.run(weather_the(arguments.storms, arguments.seed, Path(directory), only=arguments.only))
    print(report, f"seed {arguments.seed}")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
