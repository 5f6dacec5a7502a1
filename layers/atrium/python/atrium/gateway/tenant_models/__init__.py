"""The catalogue as one tenant sees it: what it switched off, its own prices, its own keys."""

from atrium.gateway.tenant_models.changes import ModelChanges
from atrium.gateway.tenant_models.model_set import ModelSet
from atrium.gateway.tenant_models.models import MAX_OVERRIDES, ModelChange, ModelInfo, Override, OwnKey, ProviderInfo
from atrium.gateway.tenant_models.service import TenantModels

__all__ = [
    "MAX_OVERRIDES",
    "ModelChange",
    "ModelChanges",
    "ModelInfo",
    "ModelSet",
    "Override",
    "OwnKey",
    "ProviderInfo",
    "TenantModels",
]
