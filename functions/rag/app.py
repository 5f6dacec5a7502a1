"""The area's application."""

from fastapi import FastAPI

from atrium.runtime import Runtime
from atrium.web.app import create_area
from functions.rag.routes import router


def create_app(runtime: Runtime | None = None) -> FastAPI:
    """Everything under /api/v1/rag and /api/v1/query."""
    return create_area("rag", router, runtime=runtime)
