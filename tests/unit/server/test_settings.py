"""Settings: every variable does what the mission's table says, and nonsense is refused at start (contract 7.18)."""

from __future__ import annotations

import os
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from flowscope.errors import InputInvalid
from flowscope.server import Settings


def test_the_missions_defaults() -> None:
    settings = Settings.from_environment({})
    assert (settings.host, settings.port) == ("127.0.0.1", 3001)
    workers = settings.workers
    assert (workers.concurrency, workers.timeout, workers.retry_attempts) == (max(5, os.cpu_count() or 1), 30_000, 3)
    assert (settings.ui_refresh_interval_ms, settings.ui_animation_enabled) == (1_000, True)
    assert settings.ui_color_theme == "dynamic"
    assert (settings.ws_path, settings.ws_heartbeat_interval_ms) == ("/ws/executions", 30_000)


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("WORKER_CONCURRENCY", "2", "workers.concurrency", 2),
        ("WORKER_TIMEOUT", "100", "workers.timeout", 100),
        ("WORKER_RETRY_ATTEMPTS", "0", "workers.retry_attempts", 0),
        ("UI_REFRESH_INTERVAL", "250", "ui_refresh_interval_ms", 250),
        ("UI_ANIMATION_ENABLED", "FALSE", "ui_animation_enabled", False),
        ("UI_ANIMATION_ENABLED", "", "ui_animation_enabled", True),
        ("UI_COLOR_THEME", "static", "ui_color_theme", "static"),
        ("WS_PATH", "/live", "ws_path", "/live"),
        ("WS_HEARTBEAT_INTERVAL", " 5000 ", "ws_heartbeat_interval_ms", 5_000),
        ("FLOWSCOPE_HOST", "::1", "host", "::1"),
        ("FLOWSCOPE_PORT", "0", "port", 0),
        ("FLOWSCOPE_DATA", "/tmp/x", "data_dir", Path("/tmp/x")),
        ("FLOWSCOPE_GRACE", "1500", "grace", 1.5),
        ("FLOWSCOPE_MAX_BODY_BYTES", "2048", "max_body_bytes", 2_048),
        (
            "FLOWSCOPE_ALLOWED_ORIGINS",
            "https://A.example, http://localhost:5173",
            "allowed_origins",
            frozenset({"https://a.example", "http://localhost:5173"}),
        ),
        ("FLOWSCOPE_ALLOWED_HOSTS", "Flows.example.org", "allowed_hosts", frozenset({"flows.example.org"})),
    ],
)
def test_each_variable_is_read(name: str, text: str, field: str, value: Any) -> None:
    assert attrgetter(field)(Settings.from_environment({name: text})) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("WORKER_CONCURRENCY", "0"),
        ("WORKER_CONCURRENCY", "many"),
        ("WORKER_TIMEOUT", "-1"),
        ("WORKER_RETRY_ATTEMPTS", "1.5"),
        ("UI_REFRESH_INTERVAL", "0"),
        ("UI_ANIMATION_ENABLED", "perhaps"),
        ("UI_COLOR_THEME", "Pink"),
        ("WS_PATH", "ws"),
        ("WS_PATH", "/api/ws"),
        ("WS_PATH", "/ws/{id}"),
        ("WS_HEARTBEAT_INTERVAL", "10"),
        ("FLOWSCOPE_PORT", "65536"),
        ("FLOWSCOPE_HOST", "http://x"),
        ("FLOWSCOPE_ALLOWED_ORIGINS", "*"),
        ("FLOWSCOPE_ALLOWED_ORIGINS", "https://a.example/path"),
        ("FLOWSCOPE_ALLOWED_ORIGINS", "https://user@a.example"),
        ("FLOWSCOPE_ALLOWED_HOSTS", "*.example.org"),
        ("FLOWSCOPE_ALLOWED_HOSTS", "a.example:3001"),
        ("FLOWSCOPE_FILE_ROOTS", "/no/such/directory"),
    ],
)
def test_nonsense_is_refused_by_name_with_a_remedy(name: str, text: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        Settings.from_environment({name: text})
    assert name in str(refused.value)
    assert repr(text) in str(refused.value)
    assert "set it to" in str(refused.value)


def test_what_is_given_goes_before_the_environment() -> None:
    settings = Settings.from_environment({"FLOWSCOPE_PORT": "4000"}, port=5000, data_dir=Path("/elsewhere"))
    assert (settings.port, settings.data_dir) == (5000, Path("/elsewhere"))
    assert settings.surroundings.private == (Path("/elsewhere"),)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.9.9.9", True), ("0.0.0.0", False)],
)
def test_which_addresses_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert Settings(host=host).is_loopback is loopback
