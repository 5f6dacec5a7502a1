"""Routes of the gateway: parse, call one verb, shape the reply."""

from typing import Any, Final

from fastapi import Request, Response

from atrium.web.connection import while_connected
from atrium.web.opening import begun
from atrium.web.problems import problem_responses
from atrium.web.routing import NOT_IDEMPOTENT, area_router, body_limit
from atrium.web.sse import CONTENT, sse_response
from functions.llm.calls import call_of
from functions.llm.dependencies import Caller, For, Gateway, Keeps, Models
from functions.llm.model_schemas import LlmModelOut, LlmModelsOut
from functions.llm.schemas import ChatIn, ChatOut, EmbedIn, EmbedOut
from functions.llm.streams import named_events

router = area_router(prefix="/llm", tags=["llm"])

_LARGE: Final = body_limit("chat_body_limit", "Give images by their URL.")
_PROVIDER: Final[dict[int | str, Any]] = problem_responses([402, 502])
_EVENTS: Final = "`token`s and `tool_call`s in pieces, then `done` with the whole answer, or `error`."
_STREAM: Final[dict[int | str, Any]] = {200: {"content": CONTENT, "description": _EVENTS}}


@router.post("/chat", responses=_PROVIDER, dependencies=[_LARGE])
async def chat(body: ChatIn, request: Request, principal: Caller, gateway: Gateway, stored: Keeps, purpose: For) -> ChatOut:
    """An answer, by the first of the models that gives one."""
    timeout = request.app.state.runtime.settings.chat_timeout
    call = await call_of(body, principal, stored, purpose, timeout)
    return ChatOut.of(await while_connected(request, gateway.answer(principal, call)), body.metadata)


@router.post("/chat/stream", response_class=Response, responses=_PROVIDER | _STREAM, dependencies=[_LARGE, NOT_IDEMPOTENT])
async def stream_chat(
    body: ChatIn, request: Request, principal: Caller, gateway: Gateway, stored: Keeps, purpose: For
) -> Response:
    """The answer as it is written. What fails before its first word is a plain error; after it no other model is asked."""
    settings = request.app.state.runtime.settings
    call = await call_of(body, principal, stored, purpose, settings.chat_timeout)
    answer = await while_connected(request, begun(gateway.chat(principal, call), settings.sse_heartbeat))
    return sse_response(request, named_events(answer, body.metadata), source=answer)


@router.post("/embed", responses=_PROVIDER, dependencies=[_LARGE])
async def embed(body: EmbedIn, request: Request, principal: Caller, gateway: Gateway, purpose: For) -> EmbedOut:
    """Vectors of texts, each of length 1."""
    model = body.model or request.app.state.runtime.settings.embedding_model
    work = gateway.embed(principal, model, body.texts(), body.kind, purpose)
    return EmbedOut.of(await while_connected(request, work), body.encoding_format)


@router.get("/models")
async def list_llm_models(principal: Caller, models: Models) -> LlmModelsOut:
    """The models that your organisation has: sizes, capabilities, prices and dates."""
    return LlmModelsOut(data=[LlmModelOut.of(each) for each in await models.describe(principal)])
