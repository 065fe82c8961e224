"""Texts as vectors."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes.context import NodeContext
from flowscope.nodes.model_service import MEBIBYTE, RETRY, ModelService, asked, json_of
from flowscope.nodes.sdk import node

LARGEST_ANSWER = 64 * MEBIBYTE


class Embeddings(ModelService):
    input: str | list[str] = Field(description="A text, or a list of texts")
    dimensions: int | None = Field(None, ge=1, description="How long the vectors are, for models that leave it open")
    batch_size: int = Field(256, ge=1, le=2_048, description="How many texts go into one request")


@node(
    "embeddings",
    title="Embed texts",
    category="ai",
    icon="waypoints",
    effects="external",
    timeout=600_000,
    retry=RETRY,
    example={"credential": "openai", "model": "text-embedding-3-small", "input": "{{ json.texts }}"},
)
async def embeddings(config: Embeddings, context: NodeContext) -> JSON:
    """Turns texts into vectors. The output is `{embeddings, dimensions, model, usage}`, the vectors in the order of the texts;
    for a single text `embedding` as well. Of many texts a failure repeats all requests: a `map` of batches repeats only
    those that failed."""
    texts = [config.input] if isinstance(config.input, str) else config.input
    vectors: list[list[float]] = []
    usage = {"promptTokens": 0, "totalTokens": 0}
    model = config.model
    for start in range(0, len(texts), config.batch_size):
        batch = texts[start : start + config.batch_size]
        body: dict[str, JSON] = {"model": config.model, "input": batch, "encoding_format": "float"}
        if config.dimensions is not None:
            body["dimensions"] = config.dimensions
        async with asked(config, context, "embeddings", body, f"#{start}" if start else "") as response:
            answer = await json_of(response, LARGEST_ANSWER)
        vectors += _vectors(answer, len(batch))
        model = answer["model"] if isinstance(answer.get("model"), str) else model
        _add(usage, answer.get("usage"))
        context.progress((start + len(batch)) / len(texts), f"{start + len(batch):,} of {len(texts):,}")
    output: dict[str, Any] = {
        "embeddings": vectors,
        "dimensions": len(vectors[0]) if vectors else 0,
        "model": model,
        "usage": usage,
    }
    return output | {"embedding": vectors[0]} if isinstance(config.input, str) else output


def _vectors(answer: dict[str, Any], wanted: int) -> list[list[float]]:
    rows = answer.get("data")
    found: dict[int, list[float]] = {}
    for place, row in enumerate(rows if isinstance(rows, list) else []):
        vector = row.get("embedding") if isinstance(row, dict) else None
        if isinstance(vector, list) and all(isinstance(value, int | float) for value in vector):
            index = row.get("index")
            found[index if isinstance(index, int) else place] = vector
    if sorted(found) != list(range(wanted)):
        raise NodeError(f"The server gave {len(found)} vectors for {wanted} texts", code="BAD_RESPONSE")
    return [found[place] for place in range(wanted)]


def _add(usage: dict[str, int], told: Any) -> None:
    for theirs, ours in (("prompt_tokens", "promptTokens"), ("total_tokens", "totalTokens")):
        count = told.get(theirs) if isinstance(told, dict) else None
        usage[ours] += count if isinstance(count, int) else 0
