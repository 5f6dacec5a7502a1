"""The area's application."""

from fastapi import FastAPI

from atrium.runtime import Runtime
from atrium.web.app import create_area
from functions.admin.audit_routes import router as audit


def create_app(runtime: Runtime | None = None) -> FastAPI:
    """Everything under /api/v1/admin."""
    return create_area("admin", audit, runtime=runtime)
