"""The prompts area's application."""

from fastapi import FastAPI

from atrium.runtime import Runtime
from atrium.web.app import create_area
from functions.prompts import routes, type_routes


def create_app(runtime: Runtime | None = None) -> FastAPI:
    """Routes under /api/v1/prompts, /api/v1/llm-prompts and /api/v1/llm-defaults."""
    return create_area("prompts", routes.router, type_routes.prompts, type_routes.defaults, runtime=runtime)
