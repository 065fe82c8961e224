"""What a worker process is sent, what it asks for, and what it never gets to know unasked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest

from flowscope.definition.workflow import JSON
from flowscope.errors import InputInvalid
from flowscope.nodes.context import Body, Surroundings, Turn
from flowscope.nodes.credentials import Credential, SmtpCredential
from flowscope.orchestrator.job import HandlerName, Job, Place, decode_job, encode_job, look_up
from flowscope.workers.settings import WorkerSettings

SURROUNDINGS = Surroundings(
    file_roots=(Path("/a"), Path("/b c")),
    private=(Path("/a/private"),),
    allow_private_addresses=True,
    code_nodes=True,
    python_functions=("package.module.*",),
    commands={"convert": "/usr/bin/convert"},
    environment={"PLACE": "here"},
    secrets={"token": "s3cr3t"},
    credentials={"mail": SmtpCredential(host="h", password="pa55")},
    variables={"x": [1]},
)
PLACE = Place(
    execution_id="e", workflow_id="w", node_id="n", node_name="N", path="m[1]", attempt=2, now=1.5, handles=["output"],
    iteration=3, body=Body(("a",), (Turn({"m": 1}, (None, {"r": [1]}), (1,)),)),
)  # fmt: skip


def sent(asked: list[tuple[str, str | None]] | None = None) -> tuple[bytes, Job]:
    def ask(field: str, name: str | None) -> JSON:
        if asked is not None:
            asked.append((field, name))
        return msgspec.json.decode(msgspec.json.encode(look_up(SURROUNDINGS, field, name)[0]))

    job = Job(
        handler=HandlerName("t", "module", "name"), place=PLACE, surroundings=SURROUNDINGS, input=msgspec.Raw(b"[1]")
    )
    data = b"".join(encode_job(job))
    return data, decode_job(data, ask)


def test_everything_arrives_or_can_be_asked_for() -> None:
    _, job = sent()
    assert (job.handler, job.place, bytes(job.input)) == (HandlerName("t", "module", "name"), PLACE, b"[1]")
    for field in dataclasses.fields(Surroundings):
        value, original = getattr(job.surroundings, field.name), getattr(SURROUNDINGS, field.name)
        assert (dict(value) if isinstance(original, dict) else value) == original, field.name
        assert original != getattr(Surroundings(), field.name), f"{field.name}: not tried"


def test_no_secret_goes_along_unasked() -> None:
    asked: list[tuple[str, str | None]] = []
    data, job = sent(asked)
    assert b"s3cr3t" not in data and b"pa55" not in data and b"here" not in data
    assert asked == []
    assert job.surroundings.secrets["token"] == "s3cr3t"
    assert job.surroundings.secrets.get("none") is None
    with pytest.raises(KeyError):
        job.surroundings.credentials["none"]
    assert asked == [("secrets", "token"), ("secrets", "none"), ("credentials", "none")]


def test_who_asks_for_a_secret_has_it_blotted_out() -> None:
    assert look_up(SURROUNDINGS, "secrets", "token")[1] == {"s3cr3t"}
    assert look_up(SURROUNDINGS, "credentials", "mail")[1] == {"pa55"}
    assert look_up(SURROUNDINGS, "variables", "x")[1] == frozenset()
    assert isinstance(dict(sent()[1].surroundings.credentials)["mail"], Credential)


def test_settings_are_read_and_nonsense_is_refused() -> None:
    told = {"WORKER_CONCURRENCY": "2", "FLOWSCOPE_WORKER_MEMORY": "0", "FLOWSCOPE_WORKER_RECYCLE": " 7 "}
    settings = WorkerSettings.from_environment(told)
    assert (settings.concurrency, settings.memory, settings.recycle_after, settings.timeout) == (2, 0, 7, 30_000)
    for name, value in (("WORKER_TIMEOUT", "0"), ("FLOWSCOPE_WORKER_MEMORY", "-1"), ("WORKER_CONCURRENCY", "²")):
        with pytest.raises(InputInvalid, match=name):
            WorkerSettings.from_environment({name: value})
