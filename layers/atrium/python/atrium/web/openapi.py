"""OpenAPI of an area: what FastAPI derives from the signatures, plus what every route of its kind does."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from atrium.web import problems
from atrium.web.auth import SECURITY_SCHEMES
from atrium.web.idempotency import HEADER
from atrium.web.routing import AreaRoute

_WITH_INPUT: Final = (400, 422)
_WITH_BODY: Final = (413, 415, 429, 503)
_AUTHENTICATED: Final = (401, 403, 429, 503)
_FRAMEWORK_SCHEMAS: Final = ("HTTPValidationError", "ValidationError")
_IDEMPOTENCY_PARAMETER: Final[dict[str, Any]] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "The same key and body again within 24 h: done once, answered again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The area's OpenAPI document: every status declared, security on what is not public. Kept after the first call."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, openapi_version=app.openapi_version, routes=app.routes)
        for operation, route in _operations(app, document):
            _complete(operation, route, strict_query=app.state.strict_query)
        _components(document, {problems.SCHEMA_NAME: problems.SCHEMA} | getattr(app.state, "error_schemas", {}))
        app.openapi_schema = document
    return app.openapi_schema


def _operations(app: FastAPI, document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], AreaRoute]]:
    for context in iter_route_contexts(app.routes):
        route, path = context.original_route, context.path_format
        if isinstance(route, AreaRoute) and route.include_in_schema:
            for method in route.methods or ():
                yield document["paths"][path][method.lower()], route


def _complete(operation: dict[str, Any], route: AreaRoute, *, strict_query: bool) -> None:
    responses: dict[str, Any] = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422", "")):
        del responses["422"]
    for status in (*_statuses(operation, route), *((422,) if strict_query else ())):
        responses.setdefault(str(status), route.error_response(status))
    operation["responses"] = dict(sorted(responses.items()))
    if route.need.principal:
        operation["security"] = [{name: []} for name in SECURITY_SCHEMES]
    if route.is_idempotent:
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_PARAMETER)


def _statuses(operation: dict[str, Any], route: AreaRoute) -> Iterator[int]:
    parameters = operation.get("parameters", [])
    yield 500
    if parameters or "requestBody" in operation:
        yield from _WITH_INPUT
    if "requestBody" in operation:
        yield from _WITH_BODY
    if route.need.principal:
        yield from _AUTHENTICATED
    if any(parameter["in"] == "path" for parameter in parameters):
        yield 404
    if route.is_idempotent:
        yield 409


def _components(document: dict[str, Any], own: dict[str, Any]) -> None:
    components: dict[str, Any] = document.setdefault("components", {})
    schemas: dict[str, Any] = components.setdefault("schemas", {})
    for name in _FRAMEWORK_SCHEMAS:
        schemas.pop(name, None)
    schemas.update(own)
    components["securitySchemes"] = SECURITY_SCHEMES
