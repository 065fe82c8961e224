"""Structured logs: an event's name and its facts, the execution id always among them, through the standard `logging`.

A program that embeds flowscope sees them where it sends its own logs; nothing is configured here.
"""

from __future__ import annotations

import logging
from typing import cast

import structlog


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger below `flowscope`: `log.info("execution_ended", execution_id=…, status=…)`."""
    logger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event", "execution_id"], drop_missing=True),
        ],
    )
    # Bound here, once: an unbound one would bind itself anew for every line.
    return cast(structlog.stdlib.BoundLogger, logger.bind())
