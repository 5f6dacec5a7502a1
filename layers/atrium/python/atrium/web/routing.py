"""The route class of every area: who asks, then what they sent, then once or again, and only then the endpoint."""

from collections.abc import Callable, Coroutine, Iterator
from enum import Enum
from typing import Any, Final

from fastapi import APIRouter, Request, params
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from atrium.kernel.errors import FieldError, InvalidFields, UnsupportedMediaType
from atrium.tenancy.permissions import check
from atrium.web.auth import Need, authenticate, authenticate_or_operator, need_of
from atrium.web.bodies import BodyLimit, StrictRequest
from atrium.web.idempotency import Redacted, once
from atrium.web.problems import openapi_response, pointer

API_ROOT: Final = "/api/v1"
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class _NotIdempotent:
    """Marks an authenticated POST that takes no Idempotency-Key."""

    def __call__(self) -> None:
        """Nothing to do at request time: the route class reads the mark."""


NOT_IDEMPOTENT: Final = params.Depends(_NotIdempotent())
"""In a route's `dependencies=[…]`: auth routes, whose answers are secrets, and streams."""


def body_limit(setting: str, instead: str = "") -> params.Depends:
    """In a route's `dependencies=[…]`: JSON bodies may have as many bytes as this setting says."""
    return params.Depends(BodyLimit(setting, instead))


class AreaRoute(APIRoute):
    """A route that authenticates before it reads, reads strictly, and does an idempotent POST once."""

    # How OpenAPI tells of a failure here.
    error_response = staticmethod(openapi_response)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As FastAPI, but `/users/{id}` is no route of `/users/accept`, whatever the method."""
        if "{" in self.path_format and scope["path"] in scope["app"].state.literal_paths:
            return Match.NONE, {}
        return super().matches(scope)

    @property
    def need(self) -> Need:
        """What it asks of its caller."""
        return need_of(self.dependant)

    @property
    def is_idempotent(self) -> bool:
        """Whether it honours `Idempotency-Key`: every authenticated POST that is not marked otherwise."""
        return "POST" in (self.methods or ()) and self.need.principal and not self._marks(_NotIdempotent)

    def get_route_handler(self) -> Handler:
        """FastAPI's handler with ours around it."""
        endpoint = super().get_route_handler()
        need, idempotent = self.need, self.is_idempotent
        limit = next(iter(self._marks(BodyLimit)), None)
        redact = tuple(field for mark in self._marks(Redacted) for field in mark.fields)
        name, known = f"POST {self.path_format.removeprefix(API_ROOT)}", frozenset(_query_names(self.dependant))

        async def handle(request: Request) -> Response:
            strict = StrictRequest(request, request.app.state.runtime.settings, limit)
            try:
                if need.principal:
                    await _admit(strict, need)
                _check_query(strict, known)
                await self._read_body(strict)
                return await (once(strict, name, redact, endpoint) if idempotent else endpoint(strict))
            finally:
                await strict.discard()

        return handle

    async def _read_body(self, request: StrictRequest) -> None:
        """Read what the endpoint declares; outside of FastAPI's own reading, which turns every failure into one."""
        if self.body_field is None:
            return
        if isinstance(self.body_field.field_info, params.Form):
            if not request.is_form:
                raise UnsupportedMediaType("The body must be multipart/form-data.")
            await request.form()
        elif not await request.is_empty():
            await request.json()

    def _marks[M](self, kind: type[M]) -> list[M]:
        return [call for call in _calls(self.dependant) if isinstance(call, kind)]


def area_router(
    *, prefix: str = "", root: str = API_ROOT, tags: list[str | Enum] | None = None, route_class: type[AreaRoute] = AreaRoute
) -> APIRouter:
    """The router of an area, under `root` and `prefix`. Its routes are complete: `create_area` serves them as they are."""
    return APIRouter(
        prefix=root + prefix,
        tags=tags,
        route_class=route_class,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )


def _operation_id(route: APIRoute) -> str:
    """The endpoint's name, which clients' generators make their functions of."""
    return route.name


async def _admit(request: StrictRequest, need: Need) -> None:
    admitted = await (authenticate_or_operator(request) if need.operator else authenticate(request))
    if admitted is None:
        return
    for permission in need.permissions:
        check(admitted.principal, permission)


def _check_query(request: StrictRequest, known: frozenset[str]) -> None:
    """A filter with a typing mistake in its name must not answer with everything."""
    unknown = sorted(set(request.query_params) - known)
    if unknown and request.app.state.strict_query:
        raise InvalidFields(tuple(FieldError(pointer(("query", name)), "is not a parameter of this route") for name in unknown))


def _query_names(dependant: Dependant) -> Iterator[str]:
    """The query parameters that a route reads; of a model in the query its fields."""
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from (each.alias or name for name, each in annotation.model_fields.items())
        else:
            yield field.alias
    for child in dependant.dependencies:
        yield from _query_names(child)


def _calls(dependant: Dependant) -> list[Any]:
    return [child.call for child in dependant.dependencies] + [c for child in dependant.dependencies for c in _calls(child)]
