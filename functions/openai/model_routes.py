"""The models that the caller's organisation has."""

from datetime import UTC, datetime, time
from typing import Annotated, Literal, Self

from fastapi import Request

from atrium.gateway.tenant_models import ModelSet
from atrium.kernel.errors import UnknownModel
from atrium.kernel.principal import Principal
from atrium.providers.catalogue import ChatSpec, EmbeddingSpec
from atrium.tenancy.permissions import Permission
from atrium.web.auth import require
from atrium.web.raw_routes import OpenAIRoute
from atrium.web.routing import area_router
from atrium.web.schemas import Reply

router = area_router(root="/v1", tags=["openai"], route_class=OpenAIRoute)

Asker = Annotated[Principal, require(Permission.LLM_USE)]


class OpenAIModelOut(Reply):
    """A model in OpenAI's words; `created` is when its price was last looked up, in seconds since 1970."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    shutdown_date: str | None = None

    @classmethod
    def of(cls, spec: ChatSpec | EmbeddingSpec) -> Self:
        """Of the catalogue's."""
        known = datetime.combine(spec.price.as_of, time(), UTC)
        retires = spec.retires if isinstance(spec, ChatSpec) else None
        return cls(
            id=spec.model,
            created=int(known.timestamp()),
            owned_by=spec.model.partition("/")[0],
            shutdown_date=retires.isoformat() if retires else None,
        )


class OpenAIModelsOut(Reply):
    """All of them; the list has one page."""

    object: Literal["list"] = "list"
    data: list[OpenAIModelOut]


@router.get("/models")
async def list_openai_models(request: Request, principal: Asker) -> OpenAIModelsOut:
    """Every model that the organisation has, as OpenAI lists them; ids are `provider/name`."""
    models = await _models(request, principal)
    return OpenAIModelsOut(data=[OpenAIModelOut.of(spec) for spec in models.all()])


@router.get("/models/{id:path}")
async def get_openai_model(id: str, request: Request, principal: Asker) -> OpenAIModelOut:  # noqa: A002  OpenAI's name
    """One model, by its id or, where no other has it, by the provider's own name of it."""
    models = await _models(request, principal)
    try:
        return OpenAIModelOut.of(models.chat(id))
    except UnknownModel as unknown:
        try:
            return OpenAIModelOut.of(models.embedding(id))
        except UnknownModel:
            raise unknown from None


async def _models(request: Request, principal: Principal) -> ModelSet:
    models: ModelSet = await request.app.state.runtime.tenant_models.of(principal)
    return models
