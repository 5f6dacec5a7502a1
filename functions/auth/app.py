"""The auth area's application."""

from fastapi import FastAPI

from atrium.runtime import Runtime
from atrium.web.app import create_area
from functions.auth.routes import api_keys, auth, tenant, users


def create_app(runtime: Runtime | None = None) -> FastAPI:
    """Routes under /api/v1/auth, /api/v1/api-keys, /api/v1/users and /api/v1/tenant."""
    return create_area("auth", auth, api_keys, tenant, users, runtime=runtime)
