"""What the routes work with."""

from typing import Annotated

from fastapi import Depends, Request

from atrium.answers.service import AnswerService
from atrium.kernel.principal import Principal
from atrium.retrieval.service import RetrievalService
from atrium.tenancy.permissions import Permission
from atrium.web.auth import require


async def retrieval_service(request: Request) -> RetrievalService:
    """The application's one: it keeps the embedding space it reads."""
    state = request.app.state
    if not hasattr(state, "retrieval"):
        runtime = state.runtime
        state.retrieval = RetrievalService(runtime.database, runtime.embedder, runtime.settings, reranker=runtime.reranker)
    service: RetrievalService = state.retrieval
    return service


Retrieval = Annotated[RetrievalService, Depends(retrieval_service)]


async def answer_service(request: Request, retrieval: Retrieval) -> AnswerService:
    """Answers from what retrieval finds."""
    runtime = request.app.state.runtime
    return AnswerService(runtime.database, retrieval, runtime.chat_model, runtime.settings)


Answers = Annotated[AnswerService, Depends(answer_service)]
Asker = Annotated[Principal, require(Permission.RAG_QUERY)]
