"""What waits for people: nothing piles up, and nothing is missed."""

from __future__ import annotations

from acceptance.notation import chain, graph, one
from flowscope.engine import Engine
from flowscope.execution.events import NodeSuspended
from flowscope.server.inbox import CROWD, Inbox

ASKING = chain("asking", one("go", "manual_trigger"), one("ask", "approval"))


async def test_an_execution_that_has_ended_leaves_nothing() -> None:
    async with Engine(None) as engine:
        inbox = Inbox(engine.orchestrator)
        engine.orchestrator.publishers.append(inbox)
        runs = [await engine.start(ASKING) for _ in range(3)]
        for run in runs:
            async for event in run.events():
                if isinstance(event, NodeSuspended):
                    break
        assert [waiting.kind for waiting in inbox.all()] == ["approval"] * 3
        await runs[0].signal("ask", True)
        await runs[1].cancel()
        await runs[0].result()
        assert [waiting.execution_id for waiting in inbox.all()] == [runs[2].execution_id]
        assert set(inbox._noted) == {runs[2].execution_id}


async def test_a_run_that_asks_again_and_again_is_one_question() -> None:
    document = graph(
        "often",
        [
            one("go", "manual_trigger"),
            one("each", "map", {"items": "{{ range(600) }}", "concurrency": 1}),
            one("ask", "wait", {"signal": "on"}, parent="each"),
        ],
        ["go -> each"],
    )
    async with Engine(None) as engine:
        inbox = Inbox(engine.orchestrator)
        engine.orchestrator.publishers.append(inbox)
        run = await engine.start(document)
        asked = 0
        async for event in run.events():
            if isinstance(event, NodeSuspended):
                asked += 1
                (waiting,) = inbox.all()
                assert waiting.path == f"each[{asked - 1}]"
                assert len(inbox._noted[run.execution_id]) <= 2 * CROWD
                await run.signal("on", asked)
        assert asked == 600 and not inbox._noted
