"""The node against a real SMTP server."""

from __future__ import annotations

import email
import email.policy
import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from acceptance.servers import Mailbox, certificate, free_port, smtp_server
from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes.credentials import SmtpCredential
from unit.nodes.bench import Bench

LETTER = {"from": "Shop <shop@example.org>", "to": "ada@example.org", "subject": "Hello", "text": "Hi Ada."}


async def send(root: Path, box: Mailbox, config: dict[str, Any], **server: Any) -> Any:
    facts = {"host": "localhost", "port": box.port, "security": "none", **server}
    bench = Bench(root, allow_private_addresses=True, credentials={"mail": SmtpCredential(**facts)})
    return await bench.run("send_email", {"credential": "mail", **LETTER, **config}, {"kept": 1})


def received(box: Mailbox) -> EmailMessage:
    (letter,) = box.letters
    message = email.message_from_bytes(letter.content, policy=email.policy.default)  # type: ignore[arg-type]
    assert isinstance(message, EmailMessage)
    return message


async def test_a_letter_arrives(tmp_path: Path) -> None:
    with smtp_server() as box:
        output = await send(
            tmp_path, box, {"cc": ["Bob <bob@example.org>"], "bcc": "eve@example.org", "replyTo": "r@example.org"}
        )
        message = received(box)
        assert box.letters[0].mail_from == "shop@example.org"
        assert box.letters[0].rcpt_tos == ["ada@example.org", "bob@example.org", "eve@example.org"]
    assert output == {
        "kept": 1, "messageId": message["Message-ID"], "accepted": ["ada@example.org", "bob@example.org", "eve@example.org"],
        "refused": {},
    }  # fmt: skip
    assert (message["From"], message["To"], message["Cc"], message["Subject"]) == (
        "Shop <shop@example.org>", "ada@example.org", "Bob <bob@example.org>", "Hello",
    )  # fmt: skip
    assert message["Reply-To"] == "r@example.org"
    assert "eve" not in message.as_string()
    assert message.get_content().strip() == "Hi Ada."


async def test_text_html_and_attachments(tmp_path: Path) -> None:
    (tmp_path / "invoice é.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "notes.txt").write_text("hello")
    with smtp_server() as box:
        await send(
            tmp_path, box, {"html": "<b>Hi</b> ä", "attachments": ["invoice é.pdf", "notes.txt"], "subject": "Grüße 🎉"}
        )
        message = received(box)
    assert message["Subject"] == "Grüße 🎉"
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None and html is not None
    assert html.get_content().strip() == "<b>Hi</b> ä"
    parts = {part.get_filename(): part for part in message.iter_attachments()}
    assert {name: part.get_content_type() for name, part in parts.items()} == {
        "invoice é.pdf": "application/pdf", "notes.txt": "text/plain",
    }  # fmt: skip
    assert parts["invoice é.pdf"].get_content() == b"%PDF-1.4"


async def test_the_message_id_is_the_same_when_it_runs_again(tmp_path: Path) -> None:
    with smtp_server() as box:
        first = await send(tmp_path, box, {})
        assert (await send(tmp_path, box, {}))["messageId"] == first["messageId"]


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate for localhost, trusted here."""
    folder = tmp_path / "tls"
    folder.mkdir()
    context, authority = certificate(folder)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    return context


async def test_starttls_and_logging_in(tmp_path: Path, secure: ssl.SSLContext) -> None:
    with smtp_server(starttls=secure, password="m4il") as box:
        await send(tmp_path, box, {}, security="starttls", username="shop", password="m4il")
        assert len(box.letters) == 1
        with pytest.raises(NodeError, match=r"localhost:\d+ answered 535 ") as caught:
            await send(tmp_path, box, {}, security="starttls", username="shop", password="wr0ng")
        assert caught.value.code == "SMTP_535"
        assert not caught.value.retryable
        assert "wr0ng" not in str(caught.value)
        with pytest.raises(NodeError, match="answered 530"):
            await send(tmp_path, box, {}, security="none")


async def test_tls_from_the_first_byte(tmp_path: Path, secure: ssl.SSLContext) -> None:
    with smtp_server(tls=secure) as box:
        await send(tmp_path, box, {}, security="tls")
        assert len(box.letters) == 1


async def test_a_certificate_of_somebody_else(tmp_path: Path, secure: ssl.SSLContext) -> None:
    with smtp_server(tls=secure) as box:
        with pytest.raises(NodeError, match="no secure connection: CERTIFICATE_VERIFY_FAILED") as caught:
            await send(tmp_path, box, {}, security="tls", host="127.0.0.1")
        assert not caught.value.retryable
        assert box.letters == []


async def test_a_server_without_starttls(tmp_path: Path) -> None:
    with smtp_server() as box:
        with pytest.raises(NodeError, match=r'STARTTLS.* Set security to "tls" or "none"'):
            await send(tmp_path, box, {}, security="starttls")
        assert box.letters == []


async def test_recipients_that_are_refused(tmp_path: Path) -> None:
    with smtp_server() as box:
        box.refuses.add("gone@example.org")
        output = await send(tmp_path, box, {"to": "ada@example.org, gone@example.org"})
        assert output["accepted"] == ["ada@example.org"]
        assert output["refused"] == {"gone@example.org": "550 5.1.1 No such mailbox"}
        with pytest.raises(NodeError, match=r"refused every recipient: .*No such mailbox") as caught:
            await send(tmp_path, box, {"to": "gone@example.org"})
        assert not caught.value.retryable


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"to": ""}, "to: there is nobody to send it to"),
        ({"to": "ada"}, "to: 'ada' is not the address of a mailbox"),
        ({"to": "a@x.org\r\nBcc: b@x.org"}, "is not the address of a mailbox"),
        ({"to": ["a@x.org\nRCPT TO:<b@x.org>"]}, "is not the address of a mailbox"),
        ({"to": "a@x.org>, <b@x.org"}, "is not the address of a mailbox"),
        ({"to": "a@x.org)b@y.org"}, "is not the address of a mailbox"),
        ({"from": "shop@x.org\r\nX: y"}, "from: .* is not the address"),
        ({"from": "a@x.org, b@x.org"}, "from: there is one sender"),
        ({"subject": "a\r\nBcc: b@x.org"}, "A header holds what it may not"),
        ({"replyTo": "a\nb@x.org"}, "A header holds what it may not"),
        ({"to": [f"a{n}@x.org" for n in range(101)]}, "more than 100 recipients"),
        ({"text": ""}, "give text, html, or both"),
        ({"attachments": ["gone.pdf"]}, "There is no file 'gone.pdf'"),
        ({"attachments": ["../x.pdf"]}, "attachments: '../x.pdf' is outside the folders"),
        ({"attachments": ["/etc/passwd"]}, "attachments: "),
        ({"credential": ""}, "give credential, or connection"),
    ],
)
async def test_what_is_refused(tmp_path: Path, config: Any, says: str) -> None:
    with smtp_server() as box:
        with pytest.raises(NodeError, match=says):
            await send(tmp_path, box, config)
        assert box.letters == []


async def test_too_much_attached(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(26 * 1024 * 1024)
    with smtp_server() as box, pytest.raises(NodeError, match="attachments: together more than 25 MiB"):
        await send(tmp_path, box, {"attachments": ["large"]})


async def test_nobody_is_there(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match=r"localhost:\d+: .*refused") as caught:
        await send(tmp_path, Mailbox(port=free_port()), {})
    assert caught.value.retryable


async def test_internal_servers_are_closed_unless_they_are_opened() -> None:
    server = {"host": "localhost", "port": 25, "security": "none"}
    with pytest.raises(NodeDenied, match=r"host: localhost \(.*\) is not on the public internet"):
        await Bench().run("send_email", {"connection": server, **LETTER}, {})
