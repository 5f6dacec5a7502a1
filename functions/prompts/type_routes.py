"""Routes of prompts and models by what they are for: views of the same store."""

from fastapi import Request, status

from atrium.web.context import request_id
from atrium.web.idempotency import Idempotent
from atrium.web.problems import problem_responses
from atrium.web.routing import area_router
from functions.prompts.dependencies import ByType, Chooser, Defaults, Reader, Tenant, TypePath, Writer, tenant_models
from functions.prompts.schemas import VersionIn
from functions.prompts.type_schemas import LlmDefaultIn, LlmDefaultOut, ProvidersOut, TypePromptOut, TypePromptsOut

prompts = area_router(prefix="/llm-prompts", tags=["prompts"])
defaults = area_router(prefix="/llm-defaults", tags=["prompts"])


@prompts.get("/{type}")
async def get_llm_prompt(kind: TypePath, author: Reader, by_type: ByType) -> TypePromptsOut:
    """What answers for a type now, and the versions of its prompt."""
    found, versions = await by_type.active(author, kind)
    return TypePromptsOut.with_versions(kind, found, versions)


@prompts.post("/{type}", status_code=status.HTTP_201_CREATED, responses=problem_responses([409]))
async def set_llm_prompt(
    kind: TypePath, body: VersionIn, request: Request, author: Writer, by_type: ByType, claim: Idempotent
) -> TypePromptsOut:
    """A new version of your own prompt for a type, used from now on: its label `production` points at it."""
    await by_type.put(author, kind, body.content(), prompt_id=claim.resource_id, request_id=request_id(request))
    found, versions = await by_type.active(author, kind)
    return TypePromptsOut.with_versions(kind, found, versions)


@prompts.delete("/{type}", status_code=status.HTTP_204_NO_CONTENT)
async def reset_llm_prompt(kind: TypePath, request: Request, author: Writer, by_type: ByType) -> None:
    """Back to the default: your own prompt for a type is deleted, with its versions."""
    await by_type.reset(author, kind, request_id=request_id(request))


@prompts.get("/{type}/default")
async def get_default_llm_prompt(kind: TypePath, author: Reader, by_type: ByType) -> TypePromptOut:
    """What answers for a type without a prompt of your own: the platform's, or the one that is built in."""
    return TypePromptOut.of(kind, await by_type.default(author, kind))


@defaults.get("/providers")
async def list_providers(request: Request, principal: Tenant) -> ProvidersOut:
    """The providers and the models that your organisation has of them, and which of them have a key."""
    models = tenant_models(request)
    known = [spec.model for spec in (await models.of(principal)).chat_models()]
    return ProvidersOut.of(await models.providers(principal), known)


@defaults.get("/{type}")
async def get_llm_default(kind: TypePath, principal: Tenant, settled: Defaults) -> LlmDefaultOut:
    """The model and parameters for a type, where neither a request nor its prompt says any."""
    return LlmDefaultOut.of(await settled.get(principal, kind))


@defaults.put("/{type}")
async def set_llm_default(
    kind: TypePath, body: LlmDefaultIn, request: Request, principal: Chooser, settled: Defaults
) -> LlmDefaultOut:
    """Settle the model and parameters for a type."""
    parameters = body.parameters.given() if body.parameters else {}
    return LlmDefaultOut.of(await settled.put(principal, kind, body.model, parameters, request_id=request_id(request)))
