"""The backend of somebody's own application: it has the key to flowscope, and its pages have not.

pip install flowscope && npm ci && npm run build
FLOWSCOPE_ALLOWED_ORIGINS=http://127.0.0.1:8080 flowscope serve      # elsewhere; with a key: flowscope keys create host
FLOWSCOPE_API_KEY=fsk_… python host.py                               # http://127.0.0.1:8080
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

HERE = Path(__file__).parent
FLOWSCOPE = os.environ.get("FLOWSCOPE_URL", "http://127.0.0.1:3001")
KEY = os.environ.get("FLOWSCOPE_API_KEY", "")

ORDER = {
    "id": "order",
    "name": "Order",
    "nodes": [
        {"id": "start", "data": {"type": "manual_trigger", "label": "Order came in"}},
        {"id": "check", "data": {"type": "simulate", "label": "Check the stock", "config": {"sleep": 0.4}}},
        {"id": "pack", "data": {"type": "simulate", "label": "Pack it", "config": {"sleep": 0.6, "progress": 6}}},
        {"id": "send", "data": {"type": "simulate", "label": "Send it", "config": {"sleep": 0.3}}},
    ],
    "edges": [
        {"source": "start", "target": "check"},
        {"source": "check", "target": "pack"},
        {"source": "pack", "target": "send"},
    ],
}


def flowscope() -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=FLOWSCOPE, headers={"x-api-key": KEY} if KEY else {})


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with flowscope() as client:
        answer = await client.post("/api/workflows", json=ORDER)
        if answer.status_code not in (201, 409):  # 409: it is there already
            answer.raise_for_status()
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/orders")
async def start_order() -> dict[str, str]:
    async with flowscope() as client:
        answer = await client.post(
            "/api/execute-workflow", json={"workflowId": "order"}, headers={"prefer": "respond-async"}
        )
        return {"executionId": answer.raise_for_status().json()["executionId"]}


@app.post("/ticket")
async def ticket() -> dict[str, str]:
    async with flowscope() as client:
        answer = await client.post("/api/tickets")
        return {"ticket": answer.raise_for_status().json()["ticket"]}


app.mount("/", StaticFiles(directory=HERE / "dist", html=True))

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "8080")))
