"""The area's application."""

from typing import TYPE_CHECKING, Final

from atrium.runtime import Runtime
from atrium.web import openai_problems
from atrium.web.app import create_area
from functions.openai.model_routes import router as models
from functions.openai.routes import router as answers

if TYPE_CHECKING:
    # uvicorn imports this module first of all, and `atrium.web` loads FastAPI faster than FastAPI itself does.
    from fastapi import FastAPI

# Seconds that a streaming area may take: what infra/areas.py gives its function.
_TIMEOUT: Final = 900


def create_app(runtime: Runtime | None = None) -> "FastAPI":
    """Everything under /v1, as OpenAI's clients expect it."""
    # OpenAI passes over parameters that it does not know, and clients send some.
    app = create_area("openai", models, answers, runtime=runtime, strict_query=False, timeout=_TIMEOUT)
    openai_problems.install(app)
    return app
