"""The view and the machine's state are two folds of one journal: they must say the same."""

from __future__ import annotations

from hypothesis import given, settings

from flowscope.execution import status as st
from flowscope.execution.state import State, apply
from flowscope.execution.view import ExecutionView, WorkflowShape
from flowscope.live.protocol import encode
from flowscope.live.translation import Translator
from properties.test_machine import Chaos, any_plan, lengths, seeds, sizes

SHOWN = {
    st.IDLE: {"idle"},
    st.READY: {"idle", "pending", "running"},
    st.RUNNING: {"running"},
    st.RETRYING: {"pending"},
    st.SUSPENDED: {"pending"},
    st.EXPANDED: {"running", "pending"},
    st.ASKING: {"pending"},
    st.SUCCESS: {"success"},
    st.ERROR: {"error"},
    st.SKIPPED: {"skipped"},
    st.CANCELLED: {"skipped"},
}


@settings(deadline=None)
@given(seeds, sizes, lengths, seeds)
def test_the_view_says_what_the_state_says(seed: int, size: int, steps: int, dice: int) -> None:
    """At every event: each top-level node's status, the run's, and the counts. At the end everything is complete."""
    plan = any_plan(seed, size)
    run = Chaos(plan, dice, steps).run
    view = ExecutionView("run", WorkflowShape.of(plan.workflow))
    state = State("run", plan)
    for event in run.events:
        apply(state, event)
        view.apply(event)
        for number, node_id in enumerate(plan.root.ids):
            assert view.nodes[node_id].status in SHOWN[state.root.status[number]], (event, node_id)
        assert state.status == view.status or (state.status, view.status) == ("running", "waiting"), event
        assert sum(view.counts.values()) == view.total_nodes == plan.total_nodes
    assert view.status == state.status == run.state.status
    if state.ended:
        assert (view.completed_nodes, view.progress) == (plan.total_nodes, 100)


@settings(max_examples=60, deadline=None)
@given(seeds, sizes, lengths, seeds)
def test_a_copy_goes_its_own_way(seed: int, size: int, steps: int, dice: int) -> None:
    """R-01: a copy made at any event, and then led on, is the view that was never copied; the original stays as it was."""
    plan = any_plan(seed, size)
    shape = WorkflowShape.of(plan.workflow)
    events = Chaos(plan, dice, steps).run.events
    at = dice % (len(events) + 1)
    view, straight = ExecutionView("run", shape), ExecutionView("run", shape)
    for event in events[:at]:
        view.apply(event)
    before = pictured(view)
    copy = view.copy()
    assert pictured(copy) == before
    for event in events[at:]:
        copy.apply(event)
    for event in events:
        straight.apply(event)
    assert pictured(copy) == pictured(straight)
    assert pictured(view) == before


def pictured(view: ExecutionView) -> bytes:
    """All that a viewer is shown."""
    return encode(Translator(view.execution_id, None, view).whole())
