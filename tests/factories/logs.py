"""The `atrium` loggers as a new process has them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from atrium.kernel.telemetry import ROOT


@contextmanager
def fresh_logging() -> Iterator[None]:
    """Nothing is configured inside; what was is again after it."""
    logger = logging.getLogger(ROOT)
    before = (logger.handlers[:], logger.propagate, logger.level)
    logger.handlers.clear()
    try:
        yield
    finally:
        logger.handlers[:], logger.propagate = before[0], before[1]
        logger.setLevel(before[2])
