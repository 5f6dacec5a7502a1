"""The area's application."""

from fastapi import FastAPI

from atrium.runtime import Runtime
from atrium.web.app import create_area
from functions.admin.audit_routes import router as audit
from functions.admin.model_routes import router as models
from functions.admin.spending_routes import router as spending


def create_app(runtime: Runtime | None = None) -> FastAPI:
    """Everything under /api/v1/admin."""
    return create_area("admin", audit, models, spending, runtime=runtime)
