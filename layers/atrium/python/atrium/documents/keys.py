"""Where a document's objects lie in the bucket, and what a key that an event names means.

drop/{tenant}/[collection/]name…                    people and programs put files here; the rest is ours
uploads/{tenant}/{document}/{version}/{file name}
work/{tenant}/{document}/{version}/…                between the pipeline's steps
text/{tenant}/{document}/{version}.txt              the stored text
"""

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from atrium.documents.models import DEFAULT_COLLECTION
from atrium.documents.naming import display_name, is_collection, safe_file_name
from atrium.kernel.errors import InvalidInput
from atrium.kernel.principal import TenantId

_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class UploadKey:
    """An object whose key we made: its row is there already, or will be."""

    tenant_id: TenantId
    document_id: UUID
    version: int


@dataclass(frozen=True, slots=True)
class DropKey:
    """A file in a tenant's drop folder."""

    tenant_id: TenantId
    collection: str
    name: str


@dataclass(frozen=True, slots=True)
class RejectedKey:
    """A key that can never become a document. `tenant_id` is None when even that cannot be read from it."""

    tenant_id: TenantId | None
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Nothing of ours to do: a folder's marker, or an object outside drop/ and uploads/."""


def upload_key(tenant_id: TenantId, document_id: UUID, version: int, name: str, content_type: str) -> str:
    """The key of an uploaded version's bytes."""
    return f"{upload_prefix(tenant_id, document_id, version)}{safe_file_name(name, content_type)}"


def upload_prefix(tenant_id: TenantId, document_id: UUID, version: int) -> str:
    """Under which an uploaded version's bytes lie."""
    return f"uploads/{tenant_id}/{document_id}/{version}/"


def own_prefixes(tenant_id: TenantId, document_id: UUID) -> tuple[str, ...]:
    """Under which everything lies that is the document's alone."""
    return tuple(f"{area}/{tenant_id}/{document_id}/" for area in ("uploads", "text", "work"))


def work_prefix(tenant_id: TenantId, document_id: UUID, version: int) -> str:
    """Under which the steps of a version leave their work to one another."""
    return f"work/{tenant_id}/{document_id}/{version}/"


def text_key(tenant_id: TenantId, document_id: UUID, version: int) -> str:
    """The stored text of a version: what chunks' offsets point into and quotes are found in. UTF-8."""
    return f"text/{tenant_id}/{document_id}/{version}.txt"


def parse_key(key: str) -> UploadKey | DropKey | RejectedKey | ForeignKey:
    """What an object's key means. EventBridge gives keys as they are, not percent-encoded."""
    area, *parts = key.split("/")
    if key.endswith("/") or area not in {"drop", "uploads"}:
        return ForeignKey()
    tenant_id = _tenant(parts[0]) if parts else None
    if tenant_id is None:
        return RejectedKey(None, "unknown-tenant", "The folder's name is no tenant's id.")
    return _upload(tenant_id, parts[1:]) if area == "uploads" else _drop(tenant_id, parts[1:])


def _tenant(text: str) -> TenantId | None:
    value = _uuid(text)
    return TenantId(value) if value else None


def _uuid(text: str) -> UUID | None:
    """A UUID in its one canonical form: `{…}`, `urn:uuid:…` and upper case would be second names for it."""
    try:
        value = UUID(text)
    except ValueError:
        return None
    return value if str(value) == text else None


def _upload(tenant_id: TenantId, parts: list[str]) -> UploadKey | RejectedKey:
    match parts:
        case [document, version, _] if _VERSION.fullmatch(version) and (document_id := _uuid(document)):
            return UploadKey(tenant_id, document_id, int(version))
    return RejectedKey(tenant_id, "unknown-key", "The key was not made by an upload.")


def _drop(tenant_id: TenantId, parts: list[str]) -> DropKey | RejectedKey:
    collection, rest = (parts[0], parts[1:]) if len(parts) > 1 else (DEFAULT_COLLECTION, parts)
    if _leaves_its_folder("/".join(parts)):
        return RejectedKey(tenant_id, "bad-name", "The key has a folder named . or .. in it.")
    if not is_collection(collection):
        return RejectedKey(tenant_id, "bad-collection", "The first folder is no collection's name: [a-z0-9._-]{1,64}.")
    try:
        return DropKey(tenant_id, collection, display_name("/".join(rest)))
    except InvalidInput as error:
        return RejectedKey(tenant_id, "bad-name", error.detail)


def _leaves_its_folder(key: str) -> bool:
    """Whether something on the key's way might resolve it to another one; S3 itself takes it literally."""
    return not {".", ".."}.isdisjoint(key.split("/"))
