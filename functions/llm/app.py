"""The area's application."""

from typing import TYPE_CHECKING, Final

from atrium.runtime import Runtime
from atrium.web.app import create_area
from functions.llm.routes import router

if TYPE_CHECKING:
    # uvicorn imports this module first of all, and `atrium.web` loads FastAPI faster than FastAPI itself does.
    from fastapi import FastAPI

# Seconds that a streaming area may take: what infra/areas.py gives its function.
_TIMEOUT: Final = 900


def create_app(runtime: Runtime | None = None) -> "FastAPI":
    """Everything under /api/v1/llm."""
    return create_area("llm", router, runtime=runtime, timeout=_TIMEOUT)
