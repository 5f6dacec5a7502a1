"""Chat completions and embeddings: read, admitted with what they cost in one call, and relayed."""

from typing import Final

from starlette.responses import Response

from atrium.gateway.relay import Asked, Call
from atrium.gateway.relay_embeddings import AskedVectors, plan_embeddings
from atrium.kernel.principal import Principal
from atrium.tenancy.permissions import Permission
from atrium.web.auth import require
from atrium.web.bodies import StrictRequest
from atrium.web.connection import left_cancels
from atrium.web.idempotency import HEADER, once
from atrium.web.raw_routes import RawRoute
from atrium.web.routing import area_router, body_limit
from functions.openai.door import Entered
from functions.openai.reading import Body, chat_body, embeddings_body, inputs_of
from functions.openai.replies import RelayedStream, ignored_header
from functions.openai.schemas import CHAT, EMBEDDINGS
from functions.openai.services import services_of

router = area_router(root="/v1", tags=["openai"], route_class=RawRoute)

_JSON: Final = "application/json"
_NEEDS: Final = [require(Permission.LLM_USE), body_limit("chat_body_limit")]


@router.post("/chat/completions", dependencies=_NEEDS, response_class=Response, **CHAT)
async def create_chat_completion(request: StrictRequest) -> Response:
    """The next turn of a chat, whole or as a stream, by any model that the organisation has."""
    services = services_of(request)

    async def plan(principal: Principal) -> Asked:
        return await services.chats.plan(principal, await _chat(request), len(await request.body()))

    if HEADER not in request.headers:
        return await _answer(request, await services.door.enter(request, plan))
    principal = await services.door.admit(request)

    async def answer(request: StrictRequest) -> Response:
        return await _answer(request, await services.door.reserve(request, principal, await plan(principal)))

    if (await _chat(request)).get("stream"):
        return await answer(request)
    return await once(request, f"POST {request.url.path}", (), answer)


@router.post("/embeddings", dependencies=_NEEDS, response_class=Response, **EMBEDDINGS)
async def create_embedding(request: StrictRequest) -> Response:
    """Vectors of texts or token ids, as base64 or lists of numbers."""
    services = services_of(request)

    async def plan(principal: Principal) -> AskedVectors:
        body = embeddings_body(await request.json())
        models, size = await services.gateway.models_of(principal), len(await request.body())
        return await plan_embeddings(principal, models, body, inputs_of(body), size)

    if HEADER not in request.headers:
        return await _embed(request, await services.door.enter(request, plan))
    principal = await services.door.admit(request)

    async def answer(request: StrictRequest) -> Response:
        return await _embed(request, await services.door.reserve(request, principal, await plan(principal)))

    return await once(request, f"POST {request.url.path}", (), answer)


async def _embed(request: StrictRequest, entered: Entered[AskedVectors]) -> Response:
    relay = services_of(request).embeddings
    async with left_cancels(request):
        told = await relay.embed(entered.principal, entered.planned, entered.reservation, request.state.request_id)
    return Response(told, headers=ignored_header(entered.planned.ignored), media_type=_JSON)


async def _chat(request: StrictRequest) -> Body:
    return chat_body(await request.json())


async def _answer(request: StrictRequest, entered: Entered[Asked]) -> Response:
    services, asked = services_of(request), entered.planned
    heartbeat = request.app.state.runtime.settings.sse_heartbeat
    call = Call(entered.principal, asked, entered.reservation, heartbeat, request.state.request_id)
    headers = ignored_header(asked.ignored)
    async with left_cancels(request):
        if not asked.stream:
            return Response(await services.chats.whole(call), headers=headers, media_type=_JSON)
        streaming = await services.chats.stream(call)
        try:
            return RelayedStream(streaming, headers)
        except BaseException:
            # Until there is a response, nobody else ends the provider's call and settles it.
            await streaming.close()
            raise
