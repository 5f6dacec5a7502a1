"""Routes of the system area; all are public."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from atrium.runtime import Runtime
from atrium.tenancy.tokens import jwks
from atrium.web.problems import problem_responses
from atrium.web.routing import area_router
from functions.system import pages
from functions.system.documentation import merged_text
from functions.system.health import Live, Readiness, Ready

health = area_router(tags=["system"])
health_aliases = area_router(prefix="/api/v1")
documentation = area_router()
keys = area_router(tags=["system"])


async def runtime(request: Request) -> Runtime:
    """What the probes ask."""
    parts: Runtime = request.app.state.runtime
    return parts


async def readiness(request: Request) -> Readiness:
    """The application's one."""
    state = request.app.state
    if not hasattr(state, "readiness"):
        state.readiness = Readiness(state.runtime)
    known: Readiness = state.readiness
    return known


Parts = Annotated[Runtime, Depends(runtime)]
Probe = Annotated[Readiness, Depends(readiness)]
_UNREADY: dict[int | str, dict[str, Any]] = {503: {"model": Ready, "description": "Some part is not; `reason` says what."}}


@health_aliases.get("/health", include_in_schema=False)
@health_aliases.get("/health/live", include_in_schema=False)
@health.get("/healthz", name="healthz")
@health.get("/health", name="health")
@health.get("/health/live", name="health_live")
async def live() -> Live:
    """The process answers."""
    return Live()


@health_aliases.get("/health/ready", include_in_schema=False)
@health.get("/readyz", name="readyz", responses=_UNREADY)
@health.get("/health/ready", name="health_ready", responses=_UNREADY)
async def ready(probe: Probe, response: Response) -> Ready:
    """Whether database, queue and secrets answer, as of at most five seconds ago; 503 with the reasons when one does not."""
    state = await probe.state()
    if state.status != "ready":
        response.status_code = 503
    return state


@keys.get("/.well-known/jwks.json", responses=problem_responses([503]))
async def signing_keys(parts: Parts, response: Response) -> dict[str, list[dict[str, str]]]:
    """The public keys of access tokens, as a JWK set."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return jwks(await parts.keyring.get())


@documentation.get("/", include_in_schema=False)
async def index() -> JSONResponse:
    """What this is, and where to read on."""
    return JSONResponse(
        {"name": "Atrium", "docs": "/docs", "reference": "/redoc", "openapi": "/openapi.json", "health": "/readyz"}
    )


@documentation.get("/openapi.json", include_in_schema=False)
async def openapi() -> Response:
    """All areas, merged."""
    return Response(merged_text(), media_type="application/json")


@documentation.get("/docs", include_in_schema=False)
async def docs() -> HTMLResponse:
    """The API to read and to try."""
    return HTMLResponse(pages.explorer(), headers=pages.HEADERS)


@documentation.get("/redoc", include_in_schema=False)
async def reference() -> HTMLResponse:
    """The API to read, with every schema."""
    return HTMLResponse(pages.reference(), headers=pages.HEADERS)
