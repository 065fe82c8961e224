"""Mail, handed to an SMTP server."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import re
import smtplib
import socket
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import PurePath

from pydantic import Field, model_validator

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_path
from flowscope.nodes.addresses import judged
from flowscope.nodes.context import NodeContext
from flowscope.nodes.credentials import SmtpCredential, names_one
from flowscope.nodes.file_roots import RootedFile, explained
from flowscope.nodes.sdk import NodeConfig, node

MEBIBYTE = 1024 * 1024
MOST_ATTACHED = 25 * MEBIBYTE
MOST_RECIPIENTS = 100
SECONDS = 30
_EXCERPT = 300
_MAILBOX = re.compile(r"[^\s@()<>,;:\\\"\x00-\x1f\x7f]+@[^\s@()<>,;:\\\"\x00-\x1f\x7f]+")


class SendEmail(NodeConfig):
    credential: str = Field(
        "", description="The name of a kept credential of the type smtp: through which server, as whom",
        json_schema_extra=names_one(SmtpCredential),
    )  # fmt: skip
    connection: SmtpCredential | None = Field(
        None, description="Or through which server, as whom, said here; the password is {{ secrets.name }}"
    )
    from_: str = Field(alias="from", min_length=3, description="The sender: `ada@x.org`, or `Ada <ada@x.org>`")
    to: list[str] | str = Field(description="The recipients, as a list or separated by commas")
    cc: list[str] | str = Field(default_factory=list, description="Others who get it, and are named in it")
    bcc: list[str] | str = Field(default_factory=list, description="Others who get it, and are not named in it")
    reply_to: str = Field("", description="Where answers go; to the sender where left out")
    subject: str = Field("", max_length=990, description="The subject")
    text: str = Field("", description="The message as plain text")
    html: str = Field(
        "", description="The message as HTML; with text as well, the reader's program chooses",
        json_schema_extra={"format": "code", "contentMediaType": "text/html"},
    )  # fmt: skip
    attachments: list[str] = Field(default_factory=list, max_length=50, description="Files below one of the roots")

    @model_validator(mode="after")
    def _whole(self) -> SendEmail:
        if bool(self.credential) == (self.connection is not None):
            raise ValueError("give credential, or connection")
        if not self.text and not self.html:
            raise ValueError("give text, html, or both")
        return self


@node(
    "send_email",
    title="Send mail",
    category="network",
    icon="mail",
    effects="external",
    timeout=60_000,
    example={
        "credential": "mail",
        "from": "Shop <shop@example.com>",
        "to": "{{ json.customer.email }}",
        "subject": "Your order {{ json.id }}",
        "text": "Thank you. It is on its way.",
        "attachments": ["invoices/{{ json.id }}.pdf"],
    },
)
async def send_email(config: SendEmail, input: JSON, context: NodeContext) -> JSON:
    """Hands a message to a mail server. The output is the input with `messageId`, `accepted` and `refused`, the
    recipients as the server took them; that all are refused is an error. The message id is the same whenever this
    node runs again after a crash, so that a second copy can be told."""
    server = config.connection or context.credential(config.credential, SmtpCredential)
    recipients = [address for field in (config.to, config.cc, config.bcc) for address in _addresses(field)]
    if not recipients:
        raise _failed("to: there is nobody to send it to", "NO_RECIPIENT")
    if len(recipients) > MOST_RECIPIENTS:
        raise _failed(f"to: more than {MOST_RECIPIENTS} recipients. Send several messages", "TOO_MANY_RECIPIENTS")
    message = _message(config, context)
    addresses = await judged(server.host, server.port, context.surroundings.allow_private_addresses)
    refused = await asyncio.to_thread(_send, server, addresses, message, recipients)
    accepted = [address for address in recipients if address not in refused]
    sent = {"messageId": str(message["Message-ID"]), "accepted": accepted, "refused": refused}
    return json_path.merged(input, sent)


def _addresses(given: list[str] | str, field: str = "to") -> list[str]:
    """The mailboxes in a list, or in a text with commas."""
    text = given if isinstance(given, str) else ", ".join(given)
    if not text.strip():
        return []
    header = EmailMessage()
    try:
        header["To"] = text
        listed = [mailbox.addr_spec for mailbox in header["To"].addresses]
    except ValueError:
        listed = [""]
    if header["To"] is None or header["To"].defects or not all(map(_MAILBOX.fullmatch, listed)):
        raise _failed(f"{field}: {text[:200]!r} is not the address of a mailbox", "BAD_ADDRESS")
    return list(dict.fromkeys(listed))


def _message(config: SendEmail, context: NodeContext) -> EmailMessage:
    senders = _addresses(config.from_, "from")
    if len(senders) != 1:
        raise _failed("from: there is one sender", "BAD_ADDRESS")
    message = EmailMessage()
    try:
        message["From"] = config.from_
        for name, given in (("To", config.to), ("Cc", config.cc)):
            if given:
                message[name] = ", ".join(given) if isinstance(given, list) else given
        if config.reply_to:
            message["Reply-To"] = config.reply_to
        message["Subject"] = config.subject
    except ValueError as error:
        raise _failed(f"A header holds what it may not: {error}", "BAD_HEADER") from None
    message["Date"] = formatdate(context.now / 1000)
    key = hashlib.sha256(context.idempotency_key.encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{key}@{senders[0].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(config.text or config.html, subtype="plain" if config.text else "html")
    if config.text and config.html:
        message.add_alternative(config.html, subtype="html")
    _attach(message, config, context)
    return message


def _attach(message: EmailMessage, config: SendEmail, context: NodeContext) -> None:
    left = MOST_ATTACHED
    for path in config.attachments:
        file = RootedFile(path, context.surroundings, "attachments")
        with explained(file), file.read() as stream:
            data = stream.read(left + 1)
        left -= len(data)
        if left < 0:
            raise _failed(f"attachments: together more than {MOST_ATTACHED // MEBIBYTE} MiB", "TOO_LARGE")
        kind, packed = mimetypes.guess_type(path)
        main, _, sub = (kind if kind and not packed else "application/octet-stream").partition("/")
        message.add_attachment(data, maintype=main, subtype=sub, filename=PurePath(path).name)


class _Plain(smtplib.SMTP):
    """To `addresses`, which were judged; certificates are checked against `_host`, the name."""

    addresses: Sequence[str] = ()
    _host: str

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        failure = OSError("it has no address")
        for address in self.addresses:
            try:
                return socket.create_connection((address, port), timeout)
            except OSError as error:
                failure = error
        raise failure


class _Encrypted(smtplib.SMTP_SSL, _Plain):
    """The same, encrypted from the first byte."""


def _send(
    server: SmtpCredential, addresses: list[str], message: EmailMessage, recipients: list[str]
) -> dict[str, JSON]:
    """Who was refused, and why."""
    where = f"{server.host}:{server.port}"
    try:
        with _session(server, addresses) as session:
            refused = session.send_message(message, message["From"].addresses[0].addr_spec, recipients)
    except smtplib.SMTPRecipientsRefused as error:
        said = {address: _said(*answer) for address, answer in error.recipients.items()}
        code = max(answer[0] for answer in error.recipients.values())
        raise NodeError(f"{where} refused every recipient: {said}", code=f"SMTP_{code}", retryable=code < 500) from None
    except smtplib.SMTPResponseException as error:
        raise NodeError(
            f"{where} answered {_said(error.smtp_code, error.smtp_error)}",
            code=f"SMTP_{error.smtp_code}",
            retryable=400 <= error.smtp_code < 500,
        ) from None
    except smtplib.SMTPNotSupportedError as error:
        remedy = ' Set security to "tls" or "none" if that is right' if "STARTTLS" in str(error) else ""
        raise _failed(f"{where}: {error}{remedy}", "SMTP_NOT_SUPPORTED") from None
    except ssl.SSLError as error:
        raise _failed(f"{where}: no secure connection: {error.reason or error}", "TLS_FAILED") from None
    except (smtplib.SMTPException, OSError) as error:
        raise NodeError(f"{where}: {error}", code="UNREACHABLE") from None
    return {address: _said(*answer) for address, answer in refused.items()}


def _session(server: SmtpCredential, addresses: list[str]) -> smtplib.SMTP:
    trusted = ssl.create_default_context()
    encrypted = server.security == "tls"
    session = _Encrypted(timeout=SECONDS, context=trusted) if encrypted else _Plain(timeout=SECONDS)
    session.addresses, session._host = addresses, server.host
    session.connect(server.host, server.port)
    try:
        if server.security == "starttls":
            session.starttls(context=trusted)
        if server.username:
            session.login(server.username, server.password)
    except BaseException:
        session.close()
        raise
    return session


def _said(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(words.split())[:_EXCERPT]}"


def _failed(message: str, code: str) -> NodeError:
    return NodeError(message, code=code, retryable=False)
