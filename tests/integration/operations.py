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
    "healthz": "GET /healthz",
    "readyz": "GET /readyz",
    "health": "GET /health",
    "health_live": "GET /health/live",
    "health_ready": "GET /health/ready",
    "signing_keys": "GET /.well-known/jwks.json",
}
PRIVATE: Final = {
    "logout": "POST /api/v1/auth/logout",
    "me": "GET /api/v1/auth/me",
    "list_api_keys": "GET /api/v1/api-keys",
    "create_api_key": "POST /api/v1/api-keys",
    "delete_api_key": "DELETE /api/v1/api-keys/{id}",
    "create_document": "POST /api/v1/documents",
    "list_documents": "GET /api/v1/documents",
    "get_document": "GET /api/v1/documents/{id}",
    "delete_document": "DELETE /api/v1/documents/{id}",
    "get_status": "GET /api/v1/documents/{id}/status",
    "list_chunks": "GET /api/v1/documents/{id}/chunks",
    "get_download": "GET /api/v1/documents/{id}/download",
    "search": "POST /api/v1/rag/search",
    "query": "POST /api/v1/rag/query",
    "stream_answer": "POST /api/v1/query",
    "query_sync": "POST /api/v1/query/sync",
}
# The deployment's operator alone; tenants' credentials are as good as none.
OPERATOR: Final = {
    "metrics": "GET /metrics",
}
