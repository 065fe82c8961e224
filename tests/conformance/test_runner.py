"""Every runner does the same."""

from flowscope.orchestrator.inline_runner import InlineRunner
from flowscope.orchestrator.ports import NodeRunner
from flowscope.testing.runner_conformance import RunnerConformance
from flowscope.workers.settings import WorkerSettings
from flowscope.workers.worker_pool import WorkflowWorkerPool


class TestInlineRunner(RunnerConformance):
    @classmethod
    def make_runner(cls) -> NodeRunner:
        return InlineRunner()


class TestWorkflowWorkerPool(RunnerConformance):
    @classmethod
    def make_runner(cls) -> NodeRunner:
        return WorkflowWorkerPool(WorkerSettings(concurrency=3))
