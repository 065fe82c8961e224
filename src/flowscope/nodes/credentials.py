"""Typed credentials: what it takes to be let in somewhere, under one name. Secret fields are marked as such in the schema."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from flowscope.definition.workflow import JSON
from flowscope.errors import InputInvalid

SECRET: Final[dict[str, Any]] = {"format": "password", "writeOnly": True}
"""What marks a field as secret in a JSON Schema."""

OPENAI_URL: Final = "https://api.openai.com/v1"

HEADER_NAME: Final = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
OUR_HEADERS: Final = frozenset({
    "host", "content-length", "transfer-encoding", "connection", "upgrade", "accept-encoding"
})  # fmt: skip
"""What a request's own sender sets."""

_HEADER_TEXT: Final = r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$"


class Credential(BaseModel):
    """The base: camelCase outside, unknown fields refused, frozen."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )

    type: ClassVar[str]

    def revealed(self) -> dict[str, JSON]:
        """Every field, secrets as they are."""
        return self.model_dump(by_alias=True)

    def shown(self) -> dict[str, JSON]:
        """The fields that are no secret."""
        return {name: value for name, value in self.revealed().items() if name not in self.secret_names()}

    def hidden(self) -> dict[str, JSON]:
        """The secret fields that are set."""
        return {name: value for name, value in self.revealed().items() if name in self.secret_names() and value}

    @classmethod
    def secret_names(cls) -> frozenset[str]:
        """The names of the secret fields, as they are written outside."""
        return frozenset(
            field.alias or name for name, field in cls.model_fields.items() if field.json_schema_extra == SECRET
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.shown()})"

    __str__ = __repr__


class SmtpCredential(Credential):
    """A mail server."""

    type: ClassVar[str] = "smtp"
    host: str = Field(min_length=1, description="The server's name")
    port: int = Field(587, ge=1, le=65_535, description="Usually 587 with STARTTLS, 465 with TLS")
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="How the connection is encrypted")
    username: str = Field("", description="Left out: without logging in")
    password: str = Field("", description="Its password", json_schema_extra=SECRET)


class PostgresqlCredential(Credential):
    """A PostgreSQL database."""

    type: ClassVar[str] = "postgresql"
    host: str = Field(min_length=1, description="The server's name")
    port: int = Field(5432, ge=1, le=65_535, description="Its port")
    database: str = Field(min_length=1, description="The database")
    username: str = Field(min_length=1, description="The role")
    password: str = Field("", description="Its password", json_schema_extra=SECRET)
    tls: Literal["require", "prefer", "disable"] = Field("prefer", description="Whether the connection is encrypted")


class RedisCredential(Credential):
    """A Redis server."""

    type: ClassVar[str] = "redis"
    host: str = Field(min_length=1, description="The server's name")
    port: int = Field(6379, ge=1, le=65_535, description="Its port")
    database: int = Field(0, ge=0, description="The number of the database")
    username: str = Field("", description="Left out: the default user")
    password: str = Field("", description="Its password", json_schema_extra=SECRET)
    tls: bool = Field(False, description="Whether the connection is encrypted")


class OpenAICredential(Credential):
    """A server that speaks OpenAI's HTTP interface."""

    type: ClassVar[str] = "openai"
    base_url: str = Field(OPENAI_URL, min_length=1, description="Where its interface begins, /v1 included")
    api_key: str = Field("", description="The key; left out for servers that ask for none", json_schema_extra=SECRET)


class HttpCredential(Credential):
    """What lets an HTTP request in: some headers."""

    type: ClassVar[str] = "http"
    test_url: str = Field("", description="An address that lets in with it, and nobody without; for the test")

    def headers(self) -> dict[str, str]:
        """What goes along with the request."""
        raise NotImplementedError


class HttpBasicCredential(HttpCredential):
    """A name and a password for HTTP."""

    type: ClassVar[str] = "http_basic"
    username: str = Field(min_length=1, pattern="^[^:]*$", description="The name")
    password: str = Field(description="The password", json_schema_extra=SECRET)

    def headers(self) -> dict[str, str]:
        """As RFC 7617 has it, in UTF-8."""
        return {"Authorization": f"Basic {b64encode(f'{self.username}:{self.password}'.encode()).decode()}"}


class HttpBearerCredential(HttpCredential):
    """A token for HTTP, sent as `Authorization: Bearer`."""

    type: ClassVar[str] = "http_bearer"
    token: str = Field(min_length=1, pattern=_HEADER_TEXT, description="The token", json_schema_extra=SECRET)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class HttpHeaderCredential(HttpCredential):
    """A header of any name, such as `X-API-Key`."""

    type: ClassVar[str] = "http_header"
    name: str = Field(pattern=HEADER_NAME, max_length=200, description="The header's name")
    value: str = Field(min_length=1, pattern=_HEADER_TEXT, description="What it says", json_schema_extra=SECRET)

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name.lower() in OUR_HEADERS:
            raise ValueError(f"{name} is set by whoever sends the request")
        return name

    def headers(self) -> dict[str, str]:
        return {self.name: self.value}


CREDENTIAL_TYPES: Final[dict[str, type[Credential]]] = {
    model.type: model
    for model in (
        SmtpCredential,
        PostgresqlCredential,
        RedisCredential,
        OpenAICredential,
        HttpBasicCredential,
        HttpBearerCredential,
        HttpHeaderCredential,
    )
}


def names_one(kind: type[Credential]) -> dict[str, Any]:
    """What marks a setting, in a JSON Schema, as the name of a kept credential of that type: forms offer those there are."""
    fitting: list[Any] = [type for type, model in CREDENTIAL_TYPES.items() if issubclass(model, kind)]
    return {"format": "credential", "credentialTypes": fitting}


def credential_type(type: str) -> type[Credential]:
    """The model of that type; `InputInvalid`."""
    model = CREDENTIAL_TYPES.get(type)
    if model is None:
        raise InputInvalid(f"There is no credential type {type[:80]!r}. They are: {', '.join(CREDENTIAL_TYPES)}")
    return model


def parse_credential(type: str, fields: Mapping[str, JSON]) -> Credential:
    """The model of that type with these fields; `InputInvalid` names each that is wrong."""
    model = credential_type(type)
    try:
        return model.model_validate(dict(fields))
    except pydantic.ValidationError as error:
        known = ", ".join(field.alias or name for name, field in model.model_fields.items())
        raise InputInvalid("; ".join(_complaint(fault, known) for fault in error.errors(include_url=False))) from None


def _complaint(fault: Any, known: str) -> str:
    name = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{name} is no field of it. It has: {known}"
    return f"{name}: is required" if fault["type"] == "missing" else f"{name}: {fault['msg']}"
