"""What the routes work with."""

from typing import Annotated

from fastapi import Depends, Request

from atrium.answers.service import AnswerService
from atrium.gateway.metered import chat_models, embedders
from atrium.gateway.models import Purpose
from atrium.kernel.principal import Principal
from atrium.retrieval.service import RetrievalService
from atrium.tenancy.permissions import Permission
from atrium.web.auth import require
from atrium.web.context import request_id


async def retrieval_service(request: Request) -> RetrievalService:
    """The application's one: it keeps the embedding space it reads."""
    state = request.app.state
    if not hasattr(state, "retrieval"):
        runtime = state.runtime
        of = embedders(runtime.gateway, Purpose("search"))
        state.retrieval = RetrievalService(runtime.database, of, runtime.settings, reranker=runtime.reranker)
    service: RetrievalService = state.retrieval
    return service


Retrieval = Annotated[RetrievalService, Depends(retrieval_service)]


async def answer_service(request: Request, retrieval: Retrieval) -> AnswerService:
    """Answers from what retrieval finds."""
    runtime = request.app.state.runtime
    of = chat_models(runtime.gateway, Purpose("rag", request_id=request_id(request)))
    usable = runtime.tenant_models.can_ask
    return AnswerService(runtime.database, retrieval, of, runtime.settings, usable)


Answers = Annotated[AnswerService, Depends(answer_service)]
Asker = Annotated[Principal, require(Permission.RAG_QUERY)]
