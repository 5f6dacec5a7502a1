"""The system area's application."""

from fastapi import FastAPI

from atrium.runtime import Runtime
from atrium.web.app import create_area
from functions.system.routes import documentation, health, health_aliases, keys


def create_app(runtime: Runtime | None = None) -> FastAPI:
    """Health, documentation and public keys, at the root; /api/v1/health answers as /health does."""
    return create_area("system", health, health_aliases, documentation, keys, runtime=runtime, prefix="")
