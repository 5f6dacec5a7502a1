"""Routes whose requests cost microseconds: no dependency is solved and no model built between the socket and the endpoint."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from atrium.web import openai_problems
from atrium.web.bodies import BodyLimit, StrictRequest
from atrium.web.routing import AreaRoute

RawEndpoint = Callable[[StrictRequest], Awaitable[Response]]


class OpenAIRoute(AreaRoute):
    """A route that tells its errors as OpenAI does."""

    error_response = staticmethod(openai_problems.openapi_response)


class RawRoute(OpenAIRoute):
    """A route whose endpoint takes the request as it is, authenticates it, reads it and answers it.

    Its `require(…)`, `body_limit(…)` and `openapi_extra` say in OpenAPI what the endpoint does by itself.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401  what the router gives every route
        super().__init__(path, endpoint, **options)
        self._answer: Final[RawEndpoint] = endpoint
        self._limit: Final = next(iter(self._marks(BodyLimit)), None)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["method"] not in (self.methods or ()):
            raise HTTPException(status_code=405)
        request = StrictRequest(Request(scope, receive, send), scope["app"].state.runtime.settings, self._limit)
        response = await self._answer(request)
        await response(scope, request.receive, send)
