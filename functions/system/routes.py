"""Routes of the system area: all are public but the metrics, which are the operator's."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from atrium.housekeeping.figures import Figures
from atrium.housekeeping.openmetrics import CONTENT_TYPE
from atrium.housekeeping.operator import OperatorDoor
from atrium.kernel.principal import Operator
from atrium.runtime import Runtime
from atrium.web.auth import SECURITY_SCHEMES, api_key_of
from atrium.web.problems import problem_responses
from atrium.web.routing import area_router
from functions.system import pages
from functions.system.documentation import merged_text
from functions.system.health import Live, Readiness, Ready

health = area_router(root="", tags=["system"])
health_aliases = area_router()
documentation = area_router(root="")
keys = area_router(root="", tags=["system"])
metrics = area_router(root="", tags=["system"])
metrics_aliases = area_router()


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


async def operator(request: Request) -> Operator:
    """The operator, by `X-API-Key` or `Authorization: Bearer`; nobody else, tenants' admins included, gets in."""
    parts: Runtime = request.app.state.runtime
    return await OperatorDoor(parts.database, parts.settings.rate_limit_public).admit(_presented(request))


def _presented(request: Request) -> str | None:
    """The key that the request carries, wherever an API key may stand."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return api_key_of(request) or (token.strip() if scheme.lower() == "bearer" else None)


async def platform_figures(request: Request) -> Figures:
    """The application's one."""
    state = request.app.state
    if not hasattr(state, "figures"):
        parts: Runtime = state.runtime
        queues = {"ingest": parts.ingest_queue, "ingest-dead-letters": parts.ingest_dead_letters}
        state.figures = Figures(parts.database, queues)
    known: Figures = state.figures
    return known


Parts = Annotated[Runtime, Depends(runtime)]
Probe = Annotated[Readiness, Depends(readiness)]
Numbers = Annotated[Figures, Depends(platform_figures)]
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
    return await parts.public_keys.get()


@metrics_aliases.get("/metrics", include_in_schema=False, dependencies=[Depends(operator)])
@metrics.get(
    "/metrics",
    name="metrics",
    response_class=Response,
    responses=problem_responses([401, 429, 503]) | {200: {"content": {CONTENT_TYPE: {"schema": {"type": "string"}}}}},
    dependencies=[Depends(operator)],
    openapi_extra={"security": [{name: []} for name in SECURITY_SCHEMES]},
)
async def tell_metrics(figures: Numbers) -> Response:
    """The deployment in numbers, all tenants together, as OpenMetrics text at most five seconds old. Takes the operator's key."""
    return Response(await figures.text(), headers={"Content-Type": CONTENT_TYPE})


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
