"""Routes of search and answers: parse, call one verb, shape the reply."""

from typing import Any, Final

from fastapi import Request, Response

from atrium.web.connection import while_connected
from atrium.web.problems import problem_responses
from atrium.web.routing import NOT_IDEMPOTENT, area_router
from atrium.web.sse import CONTENT, MEDIA_TYPE, sse_response
from functions.rag.dependencies import Answers, Asker, Retrieval
from functions.rag.schemas import AnswerOut, QuestionIn, RetrievalOut, SearchIn, SearchOut
from functions.rag.streams import END, Opened, named_events, opened, plain_tokens

router = area_router(tags=["rag"])

_PROVIDER: Final[dict[int | str, Any]] = problem_responses([502])
_STREAM: Final[dict[str, Any]] = {"content": CONTENT}
_EVENTS: Final = "As `text/event-stream`: `sources`, `token`s, `citation`s, `done`, or `error`."


@router.post("/rag/search", responses=_PROVIDER)
async def search(body: SearchIn, principal: Asker, retrieval: Retrieval) -> SearchOut:
    """The passages that answer a question best, by meaning, by words, or by both."""
    return SearchOut.of(await retrieval.search(principal, body.request()))


@router.post("/rag/query", response_model=AnswerOut, responses=_PROVIDER | {200: _STREAM | {"description": _EVENTS}})
async def query(body: QuestionIn, request: Request, principal: Asker, answers: Answers) -> AnswerOut | Response:
    """An answer from the tenant's documents, with citations whose quotes were found in them."""
    if MEDIA_TYPE not in request.headers.get("accept", ""):
        return await _whole(body, request, principal, answers)
    sources, rest = await _opened(body, request, principal, answers)
    return sse_response(request, named_events(sources, rest), source=rest)


@router.post(
    "/query",
    response_class=Response,
    responses=_PROVIDER | {200: _STREAM | {"description": "Tokens as unnamed frames; last `[DONE]`."}},
    dependencies=[NOT_IDEMPOTENT],
)
async def stream_answer(body: QuestionIn, request: Request, principal: Asker, answers: Answers) -> Response:
    """The answer as it is written: unnamed frames are its text, `sources`, `citation` and `error` are named."""
    sources, rest = await _opened(body, request, principal, answers)
    return sse_response(request, plain_tokens(sources, rest), last=END, source=rest)


@router.post("/query/sync", responses=_PROVIDER)
async def query_sync(body: QuestionIn, request: Request, principal: Asker, answers: Answers) -> AnswerOut:
    """The same as one JSON reply."""
    return await _whole(body, request, principal, answers)


async def _whole(body: QuestionIn, request: Request, principal: Asker, answers: Answers) -> AnswerOut:
    answer = await while_connected(request, answers.answer_whole(principal, body.request()))
    return AnswerOut.of(answer.done, RetrievalOut.of(answer.retrieval, answer.sources), answer.prompt)


async def _opened(body: QuestionIn, request: Request, principal: Asker, answers: Answers) -> Opened:
    heartbeat = request.app.state.runtime.settings.sse_heartbeat
    return await while_connected(request, opened(answers.answer(principal, body.request()), heartbeat))
