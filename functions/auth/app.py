"""The auth area's application."""

from fastapi import FastAPI

from atrium.runtime import Runtime
from atrium.web.app import create_area
from functions.auth.routes import api_keys, auth


def create_app(runtime: Runtime | None = None) -> FastAPI:
    """Routes under /api/v1/auth and /api/v1/api-keys."""
    return create_area("auth", auth, api_keys, runtime=runtime)
