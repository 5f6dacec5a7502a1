"""The application of an area: the same strict door for each."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.middleware.cors import CORSMiddleware

from atrium.kernel.telemetry import configure_logging
from atrium.runtime import Runtime
from atrium.runtime import runtime as process_runtime
from atrium.web import openapi
from atrium.web.envelope import Envelope, Guard
from atrium.web.problems import install_handlers
from atrium.web.routing import AreaRoute

_RATE_HEADERS: Final = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"]
_EXPOSED: Final = [*_RATE_HEADERS, "X-Request-Id", "Idempotency-Replayed", "Location"]
_ALLOWED: Final = ["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-API-Key", "X-Request-Id"]
_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_CORS_SECONDS: Final = 600


def create_area(
    name: str, *routers: APIRouter, runtime: Runtime | None = None, strict_query: bool = True, timeout: float = 30
) -> FastAPI:
    """The area's FastAPI application.

    Args:
        name: The area, as logs and OpenAPI name it.
        routers: Made by `area_router`.
        runtime: What the routes work with, at `request.app.state.runtime`; the process's own by default.
        strict_query: Whether a parameter that a route does not have is refused.
        timeout: Seconds the function may take; an idempotent request is leased for a little longer.
    """
    parts = runtime or process_runtime()
    app = FastAPI(
        title=f"Atrium: {name}",
        version="1",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.runtime = parts
    app.state.timeout = timeout
    app.state.strict_query = strict_query
    for router in routers:
        # Not `include_router`, which builds every route anew.
        app.router.routes.extend(router.routes)
    _check_routes(app)
    app.state.literal_paths = frozenset(
        str(context.path) for context in iter_route_contexts(app.routes) if "{" not in str(context.path)
    )
    install_handlers(app)
    _add_middleware(app, parts.settings.cors_origins)
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]  # FastAPI documents it so
    configure_logging(name, parts.settings.log_level)
    return app


def _add_middleware(app: FastAPI, origins: Sequence[str]) -> None:
    """The last added is the outermost."""
    app.add_middleware(Guard)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=_ALLOWED,
            expose_headers=_EXPOSED,
            # Origins are listed one by one, so a page with the user's cookies is one of the deployer's own.
            allow_credentials=True,
            max_age=_CORS_SECONDS,
        )
    app.add_middleware(Envelope, settings=app.state.runtime.settings)


def _check_routes(app: FastAPI) -> None:
    for context in iter_route_contexts(app.routes):
        if not isinstance(context.original_route, AreaRoute):
            raise TypeError(f"{context.path}: make the router with area_router, or the route is not checked at the door")
