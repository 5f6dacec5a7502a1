"""Logs as JSON lines, one format everywhere: Powertools' formatter, loaded with the first line.

Code logs with the standard library (`logging.getLogger("atrium.documents")`); `bound` adds what the whole request shares.
Nothing secret belongs in a log; what looks like a credential is masked all the same.
"""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

ROOT: Final = "atrium"
_SECRET: Final = re.compile(
    r"atr_live_\w+|whsec_[\w+/=]+|\beyJ[\w-]+\.[\w-]+\.[\w-]+|(?i:(?<=bearer )[\w.~+/=-]+)|(?<=sk-)[\w-]{16,}", re.ASCII
)
_MASK: Final = "[secret]"
_context: ContextVar[dict[str, object]] = ContextVar("atrium_log_context", default={})  # noqa: B039  never mutated


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Add `fields` to every line logged inside."""
    token = _context.set(_context.get() | fields)
    try:
        yield
    finally:
        _context.reset(token)


def configure_logging(service: str, level: str) -> None:
    """Send the `atrium` loggers to stderr as JSON; done once a process, the first service's name stays."""
    logger = logging.getLogger(ROOT)
    logger.setLevel(level)
    if not any(isinstance(handler, _JsonHandler) for handler in logger.handlers):
        logger.addHandler(_JsonHandler(service))
        # Lambda's own root handler would print each line again.
        logger.propagate = False


class _JsonHandler(logging.StreamHandler):  # type: ignore[type-arg]  # the stream is stderr
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def emit(self, record: logging.LogRecord) -> None:
        # The stderr of now: a runtime may have replaced the one of the start.
        self.stream = sys.stderr
        super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        if self.formatter is None:
            from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

            self.formatter = LambdaPowertoolsFormatter(service=self._service, utc=True, serialize_stacktrace=False)
        for name, value in _context.get().items():
            setattr(record, name, value)
        return _SECRET.sub(_MASK, super().format(record))
