"""A node type of one's own: it reports progress, writes to the run's log and uses a secret.

python examples/custom_node.py

A package offers its node types by an entry point, and every flowscope that finds it installed has them:

    [project.entry-points."flowscope.nodes"]
    sign = "custom_node:sign"
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os

from pydantic import Field

from flowscope import Engine
from flowscope.definition import WorkflowBuilder
from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.context import NodeContext
from flowscope.nodes.sdk import NodeConfig, node


class Sign(NodeConfig):
    """What may stand in `data.config`; the descriptions are shown by `flowscope nodes` and in forms."""

    documents: list[str] = Field(description="The texts to sign")
    algorithm: str = Field("sha256", description="A hash function of Python's hashlib")
    secret: str = Field("signing_key", description="The name of the secret that holds the key")


@node(
    "sign",
    title="Sign",
    category="data",
    icon="signature",
    effects="pure",
    example={"documents": ["{{ json.contract }}"]},
)
def sign(config: Sign, context: NodeContext) -> JSON:
    """Signs texts with a secret key (HMAC). The output is `{signatures}`, in the order of the texts.

    It is pure: run twice, it gives the same. So it may run before the disk has what led to it.
    """
    if config.algorithm not in hashlib.algorithms_guaranteed or config.algorithm.startswith("shake"):
        raise NodeError(f"algorithm: there is no {config.algorithm!r}", code="BAD_ALGORITHM", retryable=False)
    key = context.secret(config.secret).encode()
    signatures = []
    for number, document in enumerate(config.documents, 1):
        signatures.append(hmac.new(key, document.encode(), config.algorithm).hexdigest())
        context.progress(number / len(config.documents), f"{number} of {len(config.documents)}")
    # A secret that this attempt was given is blotted out in what it logs and answers.
    context.log(f"Signed {len(signatures)} documents with the key {key.decode()}")
    return {"signatures": signatures}


async def main() -> None:
    """Run it in a small workflow, in memory; print what came out and what was logged."""
    os.environ.setdefault("FLOWSCOPE_SECRET_SIGNING_KEY", "only-for-this-example")
    registry = builtin_registry()
    if registry.find("sign") is None:
        registry.add(sign)

    flow = WorkflowBuilder("signed", name="Signed")
    start = flow.add("manual_trigger", id="start")
    flow.add("sign", id="sign", documents="{{ json.documents }}").after(start)

    async with Engine(None, registry=registry) as engine:
        run = await engine.start(flow.to_json(), {"documents": ["a contract", "another"]})
        output = await run.result()
        lines = [line.text for line in engine.store.logs(run.execution_id)]
    print(json.dumps({"output": output, "log": lines}, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
