"""What the routes work with."""

from typing import Annotated, NamedTuple

from fastapi import Depends, Request

from atrium.gateway.models import Purpose
from atrium.gateway.service import GatewayService
from atrium.gateway.tenant_models import TenantModels
from atrium.kernel.principal import Principal
from atrium.prompts.by_type import LlmDefaults
from atrium.prompts.service import PromptService
from atrium.tenancy.permissions import Permission
from atrium.web.auth import require
from atrium.web.context import request_id

FEATURE = "chat"


async def gateway_service(request: Request) -> GatewayService:
    """The process's one."""
    gateway: GatewayService = request.app.state.runtime.gateway
    return gateway


async def tenant_models(request: Request) -> TenantModels:
    """Every tenant's models."""
    models: TenantModels = request.app.state.runtime.tenant_models
    return models


class Stored(NamedTuple):
    """What a tenant keeps for chats: prompts, what answers where no model is named, and its models."""

    prompts: PromptService
    defaults: LlmDefaults
    models: TenantModels


async def stored(request: Request) -> Stored:
    """What tenants keep for chats."""
    runtime = request.app.state.runtime
    defaults = LlmDefaults(runtime.database, runtime.settings.chat_model)
    return Stored(PromptService(runtime.database), defaults, runtime.tenant_models)


async def purpose(request: Request) -> Purpose:
    """What the ledger knows the request's calls by."""
    return Purpose(FEATURE, request_id=request_id(request))


Gateway = Annotated[GatewayService, Depends(gateway_service)]
Models = Annotated[TenantModels, Depends(tenant_models)]
Keeps = Annotated[Stored, Depends(stored)]
For = Annotated[Purpose, Depends(purpose)]
Caller = Annotated[Principal, require(Permission.LLM_USE)]
