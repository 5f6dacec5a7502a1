"""Routes of models and provider keys: parse, call one verb, shape the reply."""

from typing import Annotated

from fastapi import Depends, Path, Request

from atrium.gateway.tenant_models import ModelChanges, TenantModels
from atrium.kernel.principal import Principal
from atrium.tenancy.permissions import Permission
from atrium.web.auth import require
from atrium.web.context import request_id
from atrium.web.problems import problem_responses
from atrium.web.routing import area_router
from functions.admin.model_schemas import (
    AdminModelReply,
    AdminModelsReply,
    AdminProviderReply,
    ModelChangesIn,
    ProviderKeyIn,
    ProviderKeyReply,
)

router = area_router(prefix="/admin", tags=["admin"])


async def tenant_models(request: Request) -> TenantModels:
    """Every tenant's models, of the process's runtime."""
    models: TenantModels = request.app.state.runtime.tenant_models
    return models


async def model_changes(request: Request) -> ModelChanges:
    """What changes them."""
    runtime = request.app.state.runtime
    return ModelChanges(runtime.database, runtime.keyring, runtime.tenant_models)


Models = Annotated[TenantModels, Depends(tenant_models)]
Changes = Annotated[ModelChanges, Depends(model_changes)]
ModelManager = Annotated[Principal, require(Permission.MODELS_MANAGE)]
ProviderName = Annotated[str, Path(min_length=1, max_length=100, description="`openai`, `anthropic`, `xai`, `groq`.")]
RequestId = Annotated[str, Depends(request_id)]


@router.get("/models")
async def list_admin_models(principal: ModelManager, models: Models) -> AdminModelsReply:
    """Every model with what your organisation changed of it, and every provider with whether it can be called."""
    return await _shown(principal, models)


@router.put("/models", responses=problem_responses([409]))
async def update_admin_models(
    body: ModelChangesIn, principal: ModelManager, changes: Changes, models: Models, request_id: RequestId
) -> AdminModelsReply:
    """Set what holds of the named models; the others stay as they are. In force everywhere within 15 s."""
    await changes.change(principal, [each.change() for each in body.models], request_id=request_id)
    return await _shown(principal, models)


@router.get("/provider-keys/{provider}", responses=problem_responses([404]))
async def get_provider_key(provider: ProviderName, principal: ModelManager, changes: Changes) -> ProviderKeyReply:
    """Whether your organisation has a key of its own, and since when."""
    return ProviderKeyReply.of(provider, await changes.key(principal, provider))


@router.put("/provider-keys/{provider}", responses=problem_responses([404]))
async def put_provider_key(
    provider: ProviderName, body: ProviderKeyIn, principal: ModelManager, changes: Changes, request_id: RequestId
) -> ProviderKeyReply:
    """Call this provider with your own key from now on. It is kept sealed; nobody can read it back."""
    return ProviderKeyReply.of(provider, await changes.put_key(principal, provider, body.api_key, request_id=request_id))


@router.delete("/provider-keys/{provider}", status_code=204, responses=problem_responses([404]))
async def delete_provider_key(provider: ProviderName, principal: ModelManager, changes: Changes, request_id: RequestId) -> None:
    """Forget your own key; the deployment's is used again, where there is one."""
    await changes.delete_key(principal, provider, request_id=request_id)


async def _shown(principal: Principal, models: TenantModels) -> AdminModelsReply:
    return AdminModelsReply(
        models=[AdminModelReply.of(each) for each in await models.describe(principal, disabled=True)],
        providers=[AdminProviderReply.of(each) for each in await models.providers(principal)],
    )
