"""An agent: a model that may call tools until it has its answer. The tools are the nodes inside it.

Every node that the body begins with is a tool, together with what follows it; a sub-workflow is one through
`execute_workflow`. A call is an iteration of the body that starts with that node alone and gets the arguments as its input.

What the model answered is recorded before a tool starts, as a turn of the container, and each tool's result when it ends. So
whatever happens, a crash, a failed attempt, a pause of days, the agent goes on after the last thing that was recorded: no
answer of the model is asked for twice, and no call that has ended is made again.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_text
from flowscope.nodes.answer import Items, Output
from flowscope.nodes.chat import Conversation, arguments_of, ask, opening, told
from flowscope.nodes.chat_answer import ChatAnswer
from flowscope.nodes.context import NodeContext, Turn
from flowscope.nodes.json_schema import Schema, violations
from flowscope.nodes.model_service import RETRY
from flowscope.nodes.sdk import NodeConfig, node

LONGEST_RESULT = 64_000
"""Characters of a tool's result that the model is shown."""

_ANYTHING: dict[str, JSON] = {"type": "object", "properties": {}, "additionalProperties": True}


class Tool(NodeConfig):
    """One tool, as the model sees it."""

    node: str = Field(min_length=1, description="The id of a node that the body begins with")
    name: str = Field("", max_length=64, description="What the model calls it; made of the node's id where left out")
    description: str = Field("", description="What it does, and when to use it")
    parameters: Schema = Field(
        default_factory=lambda: dict(_ANYTHING),
        description="The JSON Schema of its arguments, which are the node's input",
    )


class AiAgent(Conversation):
    tools: list[Tool] = Field(
        default_factory=list, description="The tools; left out, every node that the body begins with is one"
    )
    max_iterations: int = Field(10, ge=1, le=1_000, description="More answers of the model than this are an error")
    concurrency: int = Field(4, ge=1, le=100, description="How many of the calls of one answer run at once")


@node(
    "ai_agent",
    title="Agent",
    category="ai",
    icon="bot",
    role="container",
    effects="external",
    retry=RETRY,
    example={
        "credential": "openai",
        "model": "gpt-4o-mini",
        "system": "You answer questions about orders.",
        "prompt": "{{ json.question }}",
        "tools": [
            {
                "node": "find-order",
                "description": "Finds an order by its number",
                "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
            }
        ],
    },
)
async def ai_agent(config: AiAgent, context: NodeContext) -> Items | Output:
    """Has a model work on something with tools: the nodes that its body begins with, each with what follows it. Every call is
    an iteration of the body, with the arguments as its input; a tool's error is told to the model. The output is
    `{text, finishReason, usage, model, steps}`, where `steps` are the calls with their results and `usage` is that of all
    answers. What was answered and done is not paid for again after a crash or a failed attempt."""
    tools = _offered(config, context.body.entries)
    turns = context.body.turns
    if turns and turns[-1].undone:
        return _rest_of(turns[-1], config)
    if len(turns) >= config.max_iterations:
        raise NodeError(
            f"The agent had no answer after {config.max_iterations} of the model's (maxIterations). Raise it, or see in "
            "the iterations what it was looking for",
            code="MAX_ITERATIONS",
            retryable=False,
        )
    messages = opening(config)
    for turn in turns:
        messages += _messages(turn)
    functions: list[JSON] = [
        {
            "type": "function",
            "function": {"name": name, "description": tool.description, "parameters": tool.parameters},
        }
        for name, tool in tools.items()
    ]
    answer = await ask(config, context, messages, functions, f"#{len(turns)}")
    return _calls(answer, tools, config) if answer.tool_calls else _end(answer, turns, config)


def _offered(config: AiAgent, entries: tuple[str, ...]) -> dict[str, Tool]:
    """The tools by the name the model has for them."""
    tools = config.tools or [Tool(node=entry) for entry in entries]
    offered: dict[str, Tool] = {}
    for place, tool in enumerate(tools):
        if tool.node not in entries:
            raise NodeError(
                f"tools[{place}].node: the body does not begin with {tool.node!r}. It begins with: {', '.join(entries)}",
                code="BAD_CONFIG",
                retryable=False,
            )
        name = re.sub(r"[^A-Za-z0-9_-]", "_", tool.name or tool.node)[:64]
        if name in offered:
            raise NodeError(
                f"tools[{place}]: two tools are called {name!r}. Give one another name",
                code="BAD_CONFIG",
                retryable=False,
            )
        offered[name] = tool
    return offered


def _calls(answer: ChatAnswer, tools: dict[str, Tool], config: AiAgent) -> Items:
    """A turn: the calls that can be made; of the others the model is told why not."""
    made: list[dict[str, Any]] = []
    refused: dict[str, str] = {}
    for call in answer.tool_calls:
        arguments = arguments_of(call.arguments)
        if call.name not in tools:
            refused[call.id] = f"There is no tool {call.name!r}. There are: {', '.join(tools)}"
        elif not isinstance(arguments, dict):
            refused[call.id] = f"The arguments must be a JSON object, not {call.arguments[:200]!r}"
        elif wrong := violations(tools[call.name].parameters, arguments):
            refused[call.id] = f"The arguments are not as the tool wants them: {'; '.join(wrong)}"
        else:
            made.append({"id": call.id, "node": tools[call.name].node, "arguments": arguments})
    memo = {"message": answer.message, "usage": answer.usage, "calls": made, "refused": refused}
    return Items(
        [call["arguments"] for call in made],
        concurrency=config.concurrency,
        collect_errors=True,
        entries=tuple(call["node"] for call in made),
        memo=memo,
    )


def _rest_of(turn: Turn, config: AiAgent) -> Items:
    """What another attempt has left undone of a turn."""
    calls = [_memo(turn)["calls"][place] for place in turn.undone]
    return Items(
        [call["arguments"] for call in calls],
        concurrency=config.concurrency,
        collect_errors=True,
        entries=tuple(call["node"] for call in calls),
    )


def _messages(turn: Turn) -> list[JSON]:
    """A turn as the conversation has it: what the model wanted, and what came of it."""
    memo = _memo(turn)
    answers = dict(memo["refused"])
    for call, result in zip(memo["calls"], turn.results, strict=True):
        answers[call["id"]] = result if isinstance(result, str) else json_text.stringify(result)
    return [
        memo["message"],
        *(
            {"role": "tool", "tool_call_id": call["id"], "content": _bounded(answers[call["id"]])}
            for call in memo["message"]["tool_calls"]
        ),
    ]


def _bounded(text: str) -> str:
    if len(text) <= LONGEST_RESULT:
        return text
    return f"{text[:LONGEST_RESULT]}… (cut off: {len(text):,} characters)"


def _end(answer: ChatAnswer, turns: tuple[Turn, ...], config: AiAgent) -> Output:
    output = told(answer, config)
    usage = Counter(answer.usage)
    steps = []
    for turn in turns:
        memo = _memo(turn)
        usage.update(memo["usage"])
        steps += [
            {"tool": call["node"], "arguments": call["arguments"], "result": result}
            for call, result in zip(memo["calls"], turn.results, strict=True)
        ]
    return Output(output | {"usage": dict(usage), "steps": steps})


def _memo(turn: Turn) -> dict[str, Any]:
    assert isinstance(turn.memo, dict), "written by _calls"
    return turn.memo
