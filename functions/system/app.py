"""The system area's application."""

from fastapi import FastAPI

from atrium.runtime import Runtime
from atrium.web.app import create_area
from functions.system.routes import documentation, health, health_aliases, keys, metrics, metrics_aliases


def create_app(runtime: Runtime | None = None) -> FastAPI:
    """Health, metrics, documentation and public keys, at the root; /api/v1/health and /api/v1/metrics answer as those do."""
    routers = (health, health_aliases, documentation, keys, metrics, metrics_aliases)
    # Monitors and browsers add what they like to the addresses of probes and pages.
    return create_area("system", *routers, runtime=runtime, strict_query=False)
