"""What the routes work with."""

from typing import TYPE_CHECKING, Annotated, Final, Literal

from fastapi import Depends, Path, Query, Request

from atrium.kernel.principal import Operator, Principal
from atrium.prompts.by_type import LlmDefaults, TypePrompts
from atrium.prompts.checks import ModelCheck
from atrium.prompts.models import KEY, LABEL, Author, PromptFilter, PromptType
from atrium.prompts.service import PromptService
from atrium.tenancy.permissions import Permission
from atrium.web.auth import require, require_or_operator
from atrium.web.pagination import CursorParam, PageQuery, page_query
from atrium.web.schemas import ResourceId

if TYPE_CHECKING:
    from atrium.gateway.tenant_models import TenantModels

# A version may have 100 kB, and a reply 6 MB.
_VERSIONS: Final = 20


def tenant_models(request: Request) -> "TenantModels":
    """The process's one: it keeps what it reads for some seconds."""
    models: TenantModels = request.app.state.runtime.tenant_models
    return models


def model_check(request: Request) -> ModelCheck:
    """What refuses models that are not there: for a tenant what it switched off too."""

    async def check(author: Author, name: str) -> str:
        from atrium.providers.catalogue import chat_spec

        if isinstance(author, Operator):
            return chat_spec(name).model
        return (await tenant_models(request).of(author)).chat(name).model

    return check


async def prompt_service(request: Request) -> PromptService:
    """The store."""
    return PromptService(request.app.state.runtime.database, model_check(request))


async def type_prompts(request: Request) -> TypePrompts:
    """The prompts that features use by themselves."""
    return TypePrompts(request.app.state.runtime.database, model_check(request))


async def llm_defaults(request: Request) -> LlmDefaults:
    """The models that features use by themselves."""
    runtime = request.app.state.runtime
    return LlmDefaults(runtime.database, runtime.settings.chat_model, model_check(request))


async def prompt_filter(
    type: Annotated[PromptType | None, Query(description="What they are for.")] = None,  # noqa: A002  the parameter's name
    key: Annotated[str | None, Query(pattern=KEY, description="One key: your own prompt and the platform's.")] = None,
    layer: Annotated[Literal["tenant", "platform"] | None, Query(description="Whose.")] = None,
) -> PromptFilter:
    """What a list is narrowed to."""
    return PromptFilter(type, key, layer)


async def version_page(
    request: Request, cursor: CursorParam = None, limit: Annotated[int, Query(ge=1, le=_VERSIONS)] = _VERSIONS
) -> PageQuery:
    """Which of a prompt's versions are shown."""
    return await page_query(request, cursor, limit)


PromptId = Annotated[ResourceId, Path(alias="id")]
LabelPath = Annotated[str, Path(alias="label", pattern=LABEL)]
TypePath = Annotated[PromptType, Path(alias="type", description="What the prompt, or the model, is for.")]
Prompts = Annotated[PromptService, Depends(prompt_service)]
ByType = Annotated[TypePrompts, Depends(type_prompts)]
Defaults = Annotated[LlmDefaults, Depends(llm_defaults)]
Filter = Annotated[PromptFilter, Depends(prompt_filter)]
VersionPage = Annotated[PageQuery, Depends(version_page)]
Reader = Annotated[Principal | Operator, require_or_operator(Permission.PROMPTS_READ)]
Writer = Annotated[Principal | Operator, require_or_operator(Permission.PROMPTS_WRITE)]
Tenant = Annotated[Principal, require(Permission.PROMPTS_READ)]
Chooser = Annotated[Principal, require(Permission.MODELS_MANAGE)]
