"""The area's application."""

from fastapi import FastAPI

from atrium.runtime import Runtime
from atrium.web.app import create_area
from functions.documents.collection_routes import router as collections
from functions.documents.routes import router as documents


def create_app(runtime: Runtime | None = None) -> FastAPI:
    """Everything under /api/v1/documents and /api/v1/collections."""
    return create_area("documents", documents, collections, runtime=runtime)
