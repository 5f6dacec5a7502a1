"""The operations of this release, written down: a route that is gone, or new, fails the tests that go by this table."""

import json
from pathlib import Path
from typing import Any, Final

DOCUMENT: Final = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text(encoding="utf-8"))
OPERATIONS: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}

# By operation id. Public ones need no credentials.
PUBLIC: Final = {
    "register": "POST /api/v1/auth/register",
    "login": "POST /api/v1/auth/login",
    "refresh": "POST /api/v1/auth/refresh",
    "status": "GET /api/v1/auth/status",
    "forgot_password": "POST /api/v1/auth/password/forgot",
    "reset_password": "POST /api/v1/auth/password/reset",
    "accept_invitation": "POST /api/v1/users/accept",
    "healthz": "GET /healthz",
    "readyz": "GET /readyz",
    "health": "GET /health",
    "health_live": "GET /health/live",
    "health_ready": "GET /health/ready",
    "signing_keys": "GET /.well-known/jwks.json",
}
PRIVATE: Final = {
    "logout": "POST /api/v1/auth/logout",
    "logout_all": "POST /api/v1/auth/logout-all",
    "change_password": "POST /api/v1/auth/password",
    "me": "GET /api/v1/auth/me",
    "get_tenant": "GET /api/v1/tenant",
    "update_tenant": "PATCH /api/v1/tenant",
    "delete_tenant": "DELETE /api/v1/tenant",
    "list_users": "GET /api/v1/users",
    "invite_user": "POST /api/v1/users",
    "update_user": "PATCH /api/v1/users/{id}",
    "delete_user": "DELETE /api/v1/users/{id}",
    "list_api_keys": "GET /api/v1/api-keys",
    "create_api_key": "POST /api/v1/api-keys",
    "rotate_api_key": "POST /api/v1/api-keys/{id}/rotate",
    "delete_api_key": "DELETE /api/v1/api-keys/{id}",
    "create_document": "POST /api/v1/documents",
    "create_upload": "POST /api/v1/documents/uploads",
    "list_documents": "GET /api/v1/documents",
    "get_document": "GET /api/v1/documents/{id}",
    "update_document": "PATCH /api/v1/documents/{id}",
    "delete_document": "DELETE /api/v1/documents/{id}",
    "reprocess_document": "POST /api/v1/documents/{id}/reprocess",
    "get_status": "GET /api/v1/documents/{id}/status",
    "list_chunks": "GET /api/v1/documents/{id}/chunks",
    "get_download": "GET /api/v1/documents/{id}/download",
    "list_collections": "GET /api/v1/collections",
    "create_collection": "POST /api/v1/collections",
    "get_collection": "GET /api/v1/collections/{name}",
    "update_collection": "PATCH /api/v1/collections/{name}",
    "delete_collection": "DELETE /api/v1/collections/{name}",
    "search": "POST /api/v1/rag/search",
    "query": "POST /api/v1/rag/query",
    "stream_answer": "POST /api/v1/query",
    "query_sync": "POST /api/v1/query/sync",
    "create_prompt": "POST /api/v1/prompts",
    "list_prompts": "GET /api/v1/prompts",
    "get_prompt": "GET /api/v1/prompts/{id}",
    "update_prompt": "PUT /api/v1/prompts/{id}",
    "delete_prompt": "DELETE /api/v1/prompts/{id}",
    "render_prompt": "POST /api/v1/prompts/{id}/render",
    "set_label": "PUT /api/v1/prompts/{id}/labels/{label}",
    "label_history": "GET /api/v1/prompts/{id}/labels/{label}/history",
    "get_llm_prompt": "GET /api/v1/llm-prompts/{type}",
    "set_llm_prompt": "POST /api/v1/llm-prompts/{type}",
    "reset_llm_prompt": "DELETE /api/v1/llm-prompts/{type}",
    "get_default_llm_prompt": "GET /api/v1/llm-prompts/{type}/default",
    "list_providers": "GET /api/v1/llm-defaults/providers",
    "get_llm_default": "GET /api/v1/llm-defaults/{type}",
    "set_llm_default": "PUT /api/v1/llm-defaults/{type}",
    "chat": "POST /api/v1/llm/chat",
    "stream_chat": "POST /api/v1/llm/chat/stream",
    "embed": "POST /api/v1/llm/embed",
    "list_llm_models": "GET /api/v1/llm/models",
    "list_openai_models": "GET /v1/models",
    "get_openai_model": "GET /v1/models/{id}",
    "create_chat_completion": "POST /v1/chat/completions",
    "create_embedding": "POST /v1/embeddings",
    "list_audit": "GET /api/v1/admin/audit",
    "list_admin_models": "GET /api/v1/admin/models",
    "update_admin_models": "PUT /api/v1/admin/models",
    "get_provider_key": "GET /api/v1/admin/provider-keys/{provider}",
    "put_provider_key": "PUT /api/v1/admin/provider-keys/{provider}",
    "delete_provider_key": "DELETE /api/v1/admin/provider-keys/{provider}",
    "verify_audit": "GET /api/v1/admin/audit/verify",
    "verify_ledger": "GET /api/v1/admin/audit/ledger",
    "export_audit": "GET /api/v1/admin/audit/export",
    "get_usage": "GET /api/v1/admin/usage",
    "list_limits": "GET /api/v1/admin/limits",
    "put_limit": "PUT /api/v1/admin/limits",
    "list_activity": "GET /api/v1/admin/activity",
}
# The deployment's operator alone; tenants' credentials are as good as none.
OPERATOR: Final = {
    "metrics": "GET /metrics",
}
