"""The area's application."""

from fastapi import FastAPI

from atrium.runtime import Runtime
from atrium.web.app import create_area
from functions.documents.routes import router


def create_app(runtime: Runtime | None = None) -> FastAPI:
    """Everything under /api/v1/documents."""
    return create_area("documents", router, runtime=runtime)
