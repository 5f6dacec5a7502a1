"""Chat completions and embeddings: read, admitted with what they cost in one call, and relayed."""

from typing import Final

from starlette.responses import Response

from atrium.gateway.relay import Asked, Call, Streaming, plan_chat
from atrium.kernel.principal import Principal
from atrium.tenancy.permissions import Permission
from atrium.web.auth import require
from atrium.web.bodies import StrictRequest
from atrium.web.connection import left_cancels
from atrium.web.idempotency import HEADER, once
from atrium.web.raw_routes import RawRoute
from atrium.web.routing import area_router, body_limit
from functions.openai.door import Entered
from functions.openai.reading import Body, chat_body
from functions.openai.replies import RelayedStream
from functions.openai.schemas import CHAT
from functions.openai.services import services_of

router = area_router(tags=["openai"], route_class=RawRoute)

_JSON: Final = "application/json"
_NEEDS: Final = [require(Permission.LLM_USE), body_limit("chat_body_limit")]
IGNORED: Final = "X-Atrium-Ignored"


@router.post("/chat/completions", dependencies=_NEEDS, response_class=Response, **CHAT)
async def create_chat_completion(request: StrictRequest) -> Response:
    """The next turn of a chat, whole or as a stream, by any model that the organisation has."""
    services = services_of(request)

    async def plan(principal: Principal) -> Asked:
        return await plan_chat(principal, await services.gateway.models_of(principal), await _chat(request))

    if HEADER not in request.headers:
        return await _answer(request, await services.door.enter(request, plan))
    principal = await services.door.admit(request)

    async def answer(request: StrictRequest) -> Response:
        return await _answer(request, await services.door.reserve(request, principal, await plan(principal)))

    if (await _chat(request)).get("stream"):
        return await answer(request)
    return await once(request, f"POST {request.url.path}", (), answer)


async def _chat(request: StrictRequest) -> Body:
    return chat_body(await request.json())


async def _answer(request: StrictRequest, entered: Entered[Asked]) -> Response:
    services, asked = services_of(request), entered.planned
    heartbeat = request.app.state.runtime.settings.sse_heartbeat
    call = Call(entered.principal, asked, entered.reservation, heartbeat)
    async with left_cancels(request):
        ignored = await services.relay.ignored(asked)
        headers = {IGNORED: ", ".join(ignored)} if ignored else {}
        told: bytes | Streaming = await (services.relay.stream(call) if asked.stream else services.relay.whole(call))
    if isinstance(told, Streaming):
        return RelayedStream(told, headers)
    return Response(told, headers=headers, media_type=_JSON)
