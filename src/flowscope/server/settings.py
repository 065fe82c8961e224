"""Every setting, read once from the environment into one frozen value. A value that makes no sense is refused at start.

The names of the mission's table are as they were; ours begin with `FLOWSCOPE_`. docs/server.md lists them all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from flowscope.engine import surroundings_of
from flowscope.errors import InputInvalid
from flowscope.library import KeySettings
from flowscope.nodes.context import Surroundings
from flowscope.server.retention import Keep
from flowscope.workers.settings import WorkerSettings

MIB: Final = 1024 * 1024

LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server was told. Times ending in `_ms` are milliseconds, `grace` is seconds.

    `data_dir` None keeps everything in memory. `surroundings` is what nodes may touch,
    `sealing` the keys that seal secrets.
    """

    host: str = "127.0.0.1"
    port: int = 3001
    data_dir: Path | None = Path(".flowscope")

    workers: WorkerSettings = field(default_factory=WorkerSettings)

    ui_refresh_interval_ms: int = 1_000
    ui_animation_enabled: bool = True
    ui_color_theme: Literal["dynamic", "static"] = "dynamic"

    ws_path: str = "/ws/executions"
    ws_heartbeat_interval_ms: int = 30_000

    allowed_origins: frozenset[str] = frozenset()
    allowed_hosts: frozenset[str] = frozenset()
    max_body_bytes: int = 16 * MIB
    max_definition_bytes: int = 4 * MIB
    rate_limit: int = 1_000
    grace: float = 30.0
    report_silence_ms: int = 3_600_000
    keep: Keep = field(default_factory=Keep)
    surroundings: Surroundings = field(default_factory=Surroundings)
    sealing: KeySettings = field(default_factory=KeySettings)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
        """The environment's settings; `given` (what was said on the command line) goes before it. `InputInvalid` names
        the variable, its value, and what it may be."""
        default = cls()
        source = _Environment(os.environ if environment is None else environment)
        data_dir = source.read("FLOWSCOPE_DATA", Path, default.data_dir, "a directory")
        settings = cls(
            host=source.read("FLOWSCOPE_HOST", _host, default.host, "an address to listen on, such as 127.0.0.1"),
            port=source.whole("FLOWSCOPE_PORT", default.port, 0, 65_535),
            data_dir=data_dir,
            workers=WorkerSettings.from_environment(source.variables),
            ui_refresh_interval_ms=source.whole("UI_REFRESH_INTERVAL", default.ui_refresh_interval_ms, 16, 3_600_000),
            ui_animation_enabled=source.read(
                "UI_ANIMATION_ENABLED", _truth, default.ui_animation_enabled, "true or false"
            ),
            ui_color_theme=source.read("UI_COLOR_THEME", _theme, default.ui_color_theme, "dynamic or static"),
            ws_path=source.read("WS_PATH", _path, default.ws_path, "a path such as /ws/executions, outside /api"),
            ws_heartbeat_interval_ms=source.whole(
                "WS_HEARTBEAT_INTERVAL", default.ws_heartbeat_interval_ms, 100, 3_600_000
            ),
            allowed_origins=source.read(
                "FLOWSCOPE_ALLOWED_ORIGINS",
                _origins,
                default.allowed_origins,
                "origins such as https://studio.example.org, separated by commas",
            ),
            allowed_hosts=source.read(
                "FLOWSCOPE_ALLOWED_HOSTS",
                _hosts,
                default.allowed_hosts,
                "names such as flows.example.org, without a port, separated by commas",
            ),
            max_body_bytes=source.whole("FLOWSCOPE_MAX_BODY_BYTES", default.max_body_bytes, 1_024, 64 * MIB),
            max_definition_bytes=source.whole(
                "FLOWSCOPE_MAX_DEFINITION_BYTES", default.max_definition_bytes, 1_024, 64 * MIB
            ),
            rate_limit=source.whole("FLOWSCOPE_RATE_LIMIT", default.rate_limit, 1, 1_000_000),
            grace=source.whole("FLOWSCOPE_GRACE", round(default.grace * 1_000), 0, 3_600_000) / 1_000,
            report_silence_ms=source.whole(
                "FLOWSCOPE_REPORT_SILENCE", default.report_silence_ms, 1_000, 30 * 86_400_000
            ),
        )
        keep = Keep(
            days=source.whole("FLOWSCOPE_KEEP_DAYS", 0, 0, 36_500),
            count=source.whole("FLOWSCOPE_KEEP_COUNT", 0, 0, 1_000_000_000),
            bytes=source.whole("FLOWSCOPE_KEEP_MB", 0, 0, 100_000_000) * MIB,
        )
        settings = replace(settings, **{"keep": keep, **given})
        surroundings = surroundings_of(source.variables, settings.data_dir)
        for root in surroundings.file_roots:
            if not root.is_dir():
                raise _refusal("FLOWSCOPE_FILE_ROOTS", str(root), "directories that are there, separated like PATH")
        return replace(settings, surroundings=surroundings, sealing=KeySettings.from_environment(source.variables))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host in LOOPBACK_NAMES:
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def hosts(self) -> frozenset[str]:
        """The names by which it may be called; an empty set would be any."""
        own = {self.host.casefold()} if self.host not in ("0.0.0.0", "::") else set()
        return self.allowed_hosts | frozenset(LOOPBACK_NAMES) | own


class _Environment:
    """Variables, each read with what it may be."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables

    def read(self, name: str, understand: Callable[[str], Value], default: Value, remedy: str) -> Value:
        text = self.variables.get(name, "").strip()
        if not text:
            return default
        try:
            return understand(text)
        except ValueError:
            raise _refusal(name, text, remedy) from None

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        def number(text: str) -> int:
            value = int(text)
            if not least <= value <= most:
                raise ValueError
            return value

        return self.read(name, number, default, f"a whole number from {least:,} to {most:,}")


def _refusal(name: str, value: str, remedy: str) -> InputInvalid:
    return InputInvalid(f"{name} is {value[:200]!r}, which makes no sense: set it to {remedy}, or leave it out")


def _truth(text: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if text.lower() not in known:
        raise ValueError
    return known[text.lower()]


def _theme(text: str) -> Literal["dynamic", "static"]:
    if text == "dynamic":
        return "dynamic"
    if text == "static":
        return "static"
    raise ValueError


def _host(text: str) -> str:
    if any(char.isspace() or char in "/[]@?#" for char in text):
        raise ValueError
    return text


def _path(text: str) -> str:
    plain = all(char.isalnum() or char in "/-_.~" for char in text)
    if not text.startswith("/") or not plain or not text.isascii() or text == "/" or "//" in text:
        raise ValueError
    if text.endswith("/") or text == "/api" or text.startswith("/api/"):
        raise ValueError
    return text


def _origins(text: str) -> frozenset[str]:
    return frozenset(_origin(part.strip()) for part in text.split(",") if part.strip())


def _origin(text: str) -> str:
    parts = urlsplit(text)
    written = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in ("http", "https") or not parts.hostname or text.rstrip("/") != written or "@" in text:
        raise ValueError
    if parts.port is not None and not 0 < parts.port < 65_536:
        raise ValueError
    return written.lower()


def _hosts(text: str) -> frozenset[str]:
    names = [part.strip().casefold() for part in text.split(",") if part.strip()]
    for name in names:
        if "/" in name or "*" in name or any(char.isspace() for char in name) or name.count(":") == 1:
            raise ValueError
    return frozenset(name.strip("[]") for name in names)
